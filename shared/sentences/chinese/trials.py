"""Canaries and shadows: what they show, and why one ends by itself."""

SENTENCES = {
    "no_canary": "此处没有版本在回答一部分检查。请对此地址使用 PUT 以设置一个。",
    "no_shadow": "此处没有版本在启用版本之外同时计算。请对此地址使用 PUT 以设置一个。",
    "canary.errors": "由服务终止：同一时段内，灰度版本的 {jobs:.0f} 个任务中有 {failed:.0f} 个失败，"
    "启用版本的 {others:.0f} 个中有 {other:.0f} 个失败。",
    "canary.slowdown": "由服务终止：灰度版本的输入中每二十个有一个用时达 {ms:.0f} 毫秒或更长，"
    "启用版本为 {other:.0f} 毫秒；"
    "最多允许 {limit:.1f} 倍。",
    "canary.shift": "由服务终止：灰度版本的概率分布与同一时段启用版本的不同（群体稳定性指数 {shift:.2f}，"
    "最多允许 {limit:.2f}；最大差距 {distance:.2f}）。",
}
