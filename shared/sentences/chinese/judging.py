"""Verdicts on results and second readings."""

SENTENCES = {
    "not_judgeable": "只有已有结果的任务才能评判。",
    "label_required": "请说明正确的答案：在 'label' 中填写 present（存在）或 absent（不存在）。",
    "label_contradicts": "该标注与评判不符：同意即认可模型对该征象的判断，不同意即给出相反的答案。",
    "label_of_unsure": "无法确定的判读者不给出标注。请留空，或选择同意或不同意。",
    "reader_unnamed": "只有实名人员可以评判结果。请使用属于个人的密钥或会话。",
    "feedback_not_yours": "只有给出该评判的判读者本人或管理员可以撤回它。",
    "feedback_over": "该评判此前已被撤回或取代。",
    "second_reader": "您此前已评判过这一结果。须由另一人阅读；换用其他密钥也不行。",
    "adjudication_over": "该二次判读已结束：另一位判读者先完成，或异议已被撤回。",
}
