"""Drift in service: alerts, the board, and the gate that they can close."""

SENTENCES = {
    "alert_over": "该警报已被确认或已解除，请重新查看。",
    "gate.drift.calm": "没有未结的漂移警报：该版本没有，当前版本也没有未确认的警报。",
    "gate.drift.ours": "该版本在使用中发生漂移：有 {ours:.0f} 个未结警报。",
    "gate.drift.theirs": "自该版本评估以来，输入已发生变化：当前版本有 {theirs:.0f} 个警报等待确认。",
    "gate.drift.unwatched": "当前版本在使用中的结果太少，无法判断输入是否发生变化。",
    "drift.raised": "{measure}已偏离参考：群体稳定性指数 {psi:.2f}，共 {results:.0f} 个结果。",
    "drift.measure.outcome": "检查的结局",
    "drift.measure.probability": "所查征象的概率",
    "drift.measure.distance": "与训练数据的距离",
    "drift.measure.seconds": "录音长度",
    "drift.measure.level": "录音电平",
    "drift.measure.centroid": "频谱重心",
    "drift.measure.rolloff": "95 % 功率所在的频率上限",
    "drift.measure.edge": "有内容的最高频率",
    "drift.measure.brightness": "图像亮度",
    "drift.measure.contrast": "图像对比度",
    "drift.measure.side": "图像短边",
    "drift.too_few": "标签太少：这七天内有该征象的已判读结果为 {count} 个，至少需要 {fewest} 个。",
    "drift.verification_bias": "验证偏倚：只统计有人判读过的结果，而这些结果并非随机抽取。"
    "这些数字只代表已判读的结果，不代表全部。",
}
