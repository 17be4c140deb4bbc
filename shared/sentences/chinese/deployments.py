"""Moves of a pointer, and the gates before them."""

SENTENCES = {
    "generation_stale": "其间有人移动了该指向。请重新查看后再决定。",
    "not_prepared": "尚有工作进程未加载并验证此版本。加载正在进行，请稍后再试。",
    "version_refused": "此版本不能使用：{why}",
    "version_invalid": "该版本的文件、说明卡或标准样本彼此不符。",
    "nothing_prepared": "目前没有正在准备的版本。",
    "self_approval": "这次启用是您本人提出的，须由另一人批准；换用其他密钥也不行。",
    "two_persons": "此处启用版本须有两位实名人员参与。请使用属于个人的密钥。",
    "proposal_over": "该提议其间已被批准、撤回或取代。",
    "gates_not_passed": "部分关卡未通过。人员可以越过：请发送 'override' 并说明理由。",
    "override_needs_person": "只有实名人员可凭本人的密钥或会话越过关卡。",
    "gate.comparison.paired": "在两个版本都回答过的 {n:.0f} 份已评判输入上，答对比例相差 {value:+.3f}"
    "（{low:+.3f} 至 {high:+.3f}），配对比较。",
    "gate.comparison.cards": "在相同的 {n:.0f} 个文件上，AUROC 相差 {value:+.3f}（{low:+.3f} 至 {high:+.3f}）；"
    "该区间把两者当作独立，因而偏宽。",
    "gate.comparison.nothing_active": "目前没有启用中的版本可供比较。",
    "gate.comparison.nothing_shared": "两者用不同数据训练，且没有任何已评判的输入被两者都回答过。",
    "gate.calibration.right": "折外概率平均偏差为 {error:.3f}；斜率为 {slope:.2f}（{low:.2f} 至 {high:.2f}）。",
    "gate.calibration.off": "折外概率平均偏差为 {error:.3f}；斜率为 {slope:.2f}（{low:.2f} 至 {high:.2f}），"
    "无法用偶然解释。",
    "gate.calibration.wide": "文件太少，无法判断：概率平均偏差为 {error:.3f}；斜率为 {slope:.2f}"
    "（{low:.2f} 至 {high:.2f}）。",
    "gate.calibration.unmeasured": "说明卡中没有校准斜率；平均偏差为 {error:.3f}。",
    "gate.parity.same": "将要作答的 {of:.0f} 个中有 {proved:.0f} 个对标准样本给出了与发布时相同的答案。",
    "gate.parity.differs": "有一个将要作答的工作进程对标准样本给出了不同的答案，或发现文件被改动。",
    "gate.parity.unproved": "将要作答的 {of:.0f} 个中只有 {proved:.0f} 个验证了标准样本。",
    "gate.subgroups.alike": "在每个来源上，灵敏度和特异度与全部来源合计相差都在 0.10 以内。",
    "gate.subgroups.worse": "在 {source} 上某项比率为 {value:.2f}，而全部来源合计为 {all:.2f}。",
    "gate.subgroups.small": "某个来源太小，无法证明它不比其他来源差。",
    "gate.subgroups.one": "只在一个来源上测试过，对其他来源一无所知。",
    "gate.shortcuts.beaten": "其 AUROC 为 {model:.2f}；最好的简单读法（{control}）为 {reached:.2f}。",
    "gate.shortcuts.as_good": "一种简单读法（{control}）的 AUROC 为 {reached:.2f}；模型为 {model:.2f}。",
    "gate.shortcuts.near": "对文件的简单读法可能同样好：{control} 的 AUROC 为 {reached:.2f}，模型为 {model:.2f}。",
    "gate.shortcuts.none": "没有试过任何对文件的简单读法。",
    "nothing_tried": "此处没有正在试用的版本。",
    "already_active": "此版本已经启用。",
    "version_not_recalled": "此版本未被召回，其结果仍然有效。",
    "nothing_to_roll_back_to": "没有可以退回的更早版本。",
    "finding_mismatch": "此版本查找的征象与该部署不同。",
}
