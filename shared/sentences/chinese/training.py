"""Training runs."""

SENTENCES = {
    "run.queued": "正在等待训练进程。",
    "run.running": "正在训练。",
    "run.succeeded": "已作为候选版本发布；启用后才会作答。",
    "run.failed": "未发布。",
    "run.cancelled": "已按要求取消。",
    "run.dead": "已放弃：训练进程每次尝试都中断。",
    "no_trainer": "此处从未启动过训练进程。请用 'thoracle up --trainer' 启动。",
    "recipe_unknown": "没有训练进程认识此配方。GET /v1/recipes 列出已知的配方。",
    "dataset_unknown": "没有训练进程拥有此名称的数据集。GET /v1/recipes 列出现有的数据集。",
    "name_taken": "该类型已有另一版本使用此名称。",
    "run_not_cancellable": "只有仍在等待或训练中的运行才能取消。",
    "run_not_retryable": "只有未产生版本而结束的运行才能重试。",
    "trainer_lost": "训练所用的计算机每次尝试都中断。已搁置。",
    "train_failed": "训练遇到我们程序的缺陷。训练进程的日志记有位置；须由管理员处理。",
    "gate.leak_splits": "{count} 名患者出现在多个划分中：测试的内容在训练时已见过。",
    "gate.leak_content": "{count} 份输入与另一患者的输入相同，因而没有划分能把它们分开。"
    "请删除重复，或给它们同一个患者编号。",
    "gate_label_noise": "用这些标签，该配方在这些来源上达到 AUROC {value:.2f}（{low:.2f} 至 {high:.2f}），"
    "而版本 {name} 达到 {before:.2f}（{before_low:.2f} 至 {before_high:.2f}）。"
    "约 {percent:.0f} % 的错误标签可以解释这一差别。请检查标签。",
    "gate_calibration": "折外概率平均偏差为 {error:.2f}，超出偶然所能解释（Spiegelhalter z = {z:.1f}）。",
    "gate.controls": "发布时带有警告，因为对文件的简单读法同样好：{warning}",
    "gate.labels_unchecked": "标签未与更早的版本比较：没有版本用这些来源训练过。",
    "gate.labels_doubtful": "在模型最确定的输入中，有 {percent:.0f} % 的标签相反。请先查看这些标签。",
}
