"""Training from verdicts, and the lineage of a version."""

SENTENCES = {
    "retraining_open": "此类输入的一次“依据评判的训练”正在进行。请等待其完成，或取消其训练。",
    "recipe_of_other_modality": "此配方适用于另一类输入。",
    "no_labels": "没有以所选依据确认、且属于可用于训练的患者的评判。",
    "retraining.labels": "新增 {labels} 个已确认的标签；规则要求 {wanted} 个。",
    "retraining.drift": "自上次依据评判的训练以来出现了警报。",
    "retraining.shadow": "依据评判训练而成；与当前版本并行计算，不作为任何答复。",
    "retraining.collected": "{trained} 个已评判的输入，基础集 {base} 个；{held_out} 个已评判的输入留作检验。",
    "retraining.not_collected": "训练程序尚未汇集数据集。",
    "retraining.not_published": "尚未发布任何版本。",
    "retraining.not_shadowed_yet": "尚未与当前版本并行计算。",
    "retraining.shadowed": "与当前版本并行计算，不作为任何答复。",
    "retraining.candidate": "候选版本。另一个版本正在并行计算：请手动设置。",
    "retraining.failed": "未发布：训练记录说明了原因。",
    "retraining.cancelled": "训练已取消。",
    "retraining.dead": "训练已放弃。",
}
