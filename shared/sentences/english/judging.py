"""Verdicts on results and second readings."""

SENTENCES = {
    "not_judgeable": "Only a job that has a result can be judged.",
    "label_required": "Say what is right: send 'label' as present or absent.",
    "label_contradicts": "This label does not fit the verdict: to agree is to say what the model says of the finding, "
    "to disagree is to say the other.",
    "label_of_unsure": "A reader who is unsure gives no label. Leave it out, or agree or disagree.",
    "reader_unnamed": "Only a named person judges results. Use a key or session that belongs to a person.",
    "feedback_not_yours": "Only the reader who gave this verdict, or an administrator, can withdraw it.",
    "feedback_over": "This verdict was withdrawn or replaced before.",
    "second_reader": "You have judged this result before. Another person has to read it, whichever key you use.",
    "adjudication_over": "This second reading is closed: another reader was faster, or the disagreement was withdrawn.",
}
