"""What trainers write into cards, as patterns by which it is told in another language (`shared.sentences.cards`)."""

SENTENCES = {
    "card.use": "仅供研究使用，不得用于诊断。供查看该检查的临床医生参考，不取代任何人。",
    "card.warning": "这些数字不能证明模型识别了疾病：对文件的简单读取就能达到同样的水平（AUROC：模型 {model}；"
    "{shortcuts}）。",
    "card.protocol": "{folds} 折交叉验证，按患者分组，按来源和标签分层；所有数字均来自未参与训练的折，其校准和阈值取"
    "自其他折；区间：按患者自助抽样（AUROC、AUPRC），Wilson 法（比率）；发布的网络设置相同，并使用全部患者",
    "card.protocol_alone": "{folds} 名患者逐一单独留出；所有数字均来自未参与训练的折，其校准和阈值取自其他折；区间："
    "按患者自助抽样（AUROC、AUPRC），Wilson 法（比率）；发布的网络设置相同，并使用全部患者",
    # Limits that the figures make.
    "card.limit.linked": "类别与来源相关（以下来源只含一个类别：{sources}），因此合并后的数字偏于乐观。",
    "card.limit.across": "不用数据集 {source} 训练时，在该数据集上的 AUROC 为 {value}（{low} 至 {high}）：对其他地方"
    "的录音不要有更高期望。",
    "card.limit.unseen_with": "从未用于训练：{source} 中有该征象的 {count} 个文件里，{flagged}（{low} 至 {high}）达"
    "到阈值，{referred}（{from_} 至 {to}）因与训练数据不相似而转交人工。",
    "card.limit.unseen_without": "从未用于训练：{source} 中没有该征象的 {count} 个文件里，{flagged}（{low} 至 {high}"
    "）达到阈值，{referred}（{from_} 至 {to}）因与训练数据不相似而转交人工。",
    "card.limit.twins": "有 {pairs} 对几乎相同的文件列在不同患者名下；每组这样的患者划分时作为一人处理。",
    "card.limit.torn": "有 {pairs} 对几乎相同的文件列在不同患者名下；每组这样的患者划分时作为一人处理。其中 {torn} "
    "对带有两种标签。",
    "card.limit.threshold": "在未参与训练的折中，该阈值在所有来源合计上标记至少 {rate} 的有征象者；对未列出的来源未"
    "经测试。",
    "card.limit.junk": "在 {tried} 个生成的、并非此类检查的输入（噪声、图片、音乐等）中，{referred} 个被转交人工或拒"
    "绝；合适的输入中也有约 {rate} 被转交人工。",
    # Limits of recipes.
    "card.limit.pneumonia": "它从未见过其他原因的肺炎：凡有异常者都可能被标记。",
    "card.limit.crop": "对肺部的裁剪只是经验法则；胸部旋转或被截断时可能裁剪错误。",
    "card.limit.telephone": "它只听电话频带（至 4 kHz），统一电平，从第一个声音到最后一个声音：频带以外的内容区分的"
    "是数据集，而不是人。",
    "card.limit.neighbours": "该版本包含每份训练录音的 26 个特征：由最近邻据此作答。",
    "card.limit.means": "5 秒的均值无法区分咳嗽与其他短促声音；与训练数据的距离可以发现其中一部分。",
    "card.limit.whole": "整段录音只得到一个答案：既不说明哮鸣音出现的时间，也不说明次数。",
    "card.limit.stethoscopes": "训练中模拟了其他听诊器（频响、低通、噪声）；没有听过真实的其他听诊器。",
    "card.limit.band": "图像显示至 11 kHz 的全部内容，因此网络能看出电话线路截去了什么。",
    "card.limit.rates": "为 170 份录音而制，仅凭其采样率即可区分类别。",
    # Sources.
    "card.source.call_center": "{source}：8 kHz 电话线路；其中 71 % 为 COVID，这些中 77 % 经 PCR 证实；未公布说话者"
    "编号，一人可能被计为多名患者；对照者从未检测。",
    "card.source.telegram": "{source}：48 kHz 即时通讯录音；其中 17 % 为 COVID，均为自述；未公布说话者编号，一人可能"
    "被计为多名患者；对照者从未检测。",
    "card.source.coswara": "{source}：五个人的十份 COVID 录音，没有对照：其数字不能说明是否识别了该征象。",
    "card.source.audioset": "{source}：权利不明。",
    "card.source.sprsound": "{source}：一家医院，一种听诊器（Yunting II 型），1 个月至 18 岁的儿童。",
    "card.source.papers": "{source}：论文中的插图。",
    "card.source.hannover": "{source}：仅有 COVID，35 名患者，多为卧床患者的 AP 位片：管线和体位会泄露类别。",
    "card.source.nih": "{source}：仅有无该征象者；成人和青少年；标签由程序从报告中提取。",
    "card.source.kermany": "{source}：仅有无该征象者；1 至 5 岁儿童，因此胸廓小就意味着无该征象。",
    "card.source.unknown": "{source}：对该来源一无所知。",
    # Who and what it is for.
    "card.people.telephone": "应要求对着电话咳嗽的人",
    "card.people.chest": "用电子听诊器进行的胸部听诊",
    "card.people.frontal": "正位胸部 X 光片",
    "card.input.cough": "一份主动咳嗽的录音，至少半秒，8 kHz 或以上；使用前 5 秒。",
    "card.input.chest": "一份胸部听诊器录音，2 秒至 2 分钟，4 kHz 或以上；使用前 15 秒。",
    "card.input.xray": "一张正位胸部 X 光片（PA 或 AP），每边至少 128 像素。",
    "card.start.random": "随机",
    "card.start.imagenet": "torchvision 的 ImageNet 权重（{file}）",
    "card.start.audioset": "YAMNet 的 AudioSet 权重（{file}）",
    # Shortcut controls: what a trivial reading looks at.
    "card.control.source": "来源",
    "card.control.file_size": "文件大小",
    "card.control.duration": "时长",
    "card.control.sample_rate": "采样率",
    "card.control.image_size": "图像尺寸",
    "card.control.brightness": "亮度",
    "card.control.border": "边缘",
    "card.control.encoding": "编码",
    "card.control.cut": "首尾静音",
    "card.control.loudness": "响度",
    "card.control.age": "年龄和性别",
    "card.control.place": "听诊部位",
    "card.control.person": "人员与地点",
    "card.control.lungs": "肺部涂黑",
    "card.control.view": "投照体位",
    "card.control.noise": "底噪",
    "card.meaning.source": "仅看来源名称",
    "card.meaning.file_size": "文件的字节数",
    "card.meaning.duration": "以秒计的长度",
    "card.meaning.sample_rate": "采样率和声道数",
    "card.meaning.image_size": "以像素计的宽、高和宽高比",
    "card.meaning.brightness": "亮度的均值和离散程度",
    "card.meaning.border": "图像最外侧的十分之一，不含肺部",
    "card.meaning.encoding": "文件格式和颜色模式",
    "card.meaning.cut": "咳嗽前后的静音，处理流程会将其去除",
    "card.meaning.loudness": "声音均方根的平均值",
    "card.meaning.spectrogram": "声谱图的均值和离散程度",
    "card.meaning.age": "文件名中的儿童年龄和性别",
    "card.meaning.place": "听诊器放置的位置",
    "card.meaning.person": "文件头或索引中的年龄、性别、机构和设备",
    "card.meaning.lungs": "将肺部所在方框涂黑后的图像",
    "card.meaning.view": "文件头或索引中的投照方向",
    "card.meaning.noise": "录音中最安静的十分之一的电平",
}
