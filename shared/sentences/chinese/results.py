"""What a result and a job say."""

SENTENCES = {
    # What a result says.
    "research": "仅供研究使用，不得用于诊断。",
    "flagged": "与我们测试数据中的 {finding} {inputs}相似。并非诊断。",
    "not_flagged": "未见该特征。这不能排除疾病。",
    "refer": "请勿在此依据模型：{why}",
    "finding.covid_pattern": "COVID-19",
    "finding.adventitious_continuous": "哮鸣音或鼾音（CAS）",
    "inputs.chest_xray": "X 线片",
    "inputs.cough": "录音",
    "inputs.lung_sound": "录音",
    "modality.chest_xray": "胸部 X 线片",
    "modality.cough": "咳嗽录音",
    "modality.lung_sound": "肺音",
    # Job states.
    "state.queued": "正在等待工作进程。",
    "state.running": "正在读取。",
    "state.succeeded": "完成。",
    "state.failed": "未能给出结果；问题不在输入。",
    "state.rejected": "此输入无法使用。",
    "state.cancelled": "已按要求取消。",
    "state.dead": "已放弃：程序每次尝试都中断。",
    # Jobs that end without an answer.
    "decoder_died": "读取此文件三次使程序中断。已搁置。",
    "worker_lost": "处理此任务的计算机每次尝试都中断。已搁置。",
    "version_unavailable": "应作答的版本无法加载。须由管理员处理。",
    "integrity": "存储的文件已不是发送时的文件。未予使用。",
    "prepare_failed": "读取此文件时遇到我们程序的缺陷。已搁置；须由管理员处理。",
    "predict_failed": "模型无法为此输入计算结果。",
    "no_version": "该类型没有启用中的版本。须由管理员启用一个。",
    "deadline": "按要求的期限，结果会来得太晚。",
    # Why a usable input is referred to a person.
    "out_of_distribution": "此输入与测试模型所用的数据不相似。",
    "view_untested": "投照体位为 {view}；模型只在正位片上测试过。",
    "age_untested": "患者为 {age:g} 岁；模型在 {low:g} 至 {high:g} 岁范围内测试过。",
}
