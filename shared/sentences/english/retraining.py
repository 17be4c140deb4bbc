"""Training from verdicts, and the lineage of a version."""

SENTENCES = {
    "retraining_open": "A training from verdicts is under way for this kind of input. Wait for it, or cancel its run.",
    "recipe_of_other_modality": "This recipe is for another kind of input.",
    "no_labels": "No confirmed verdict rests on one of these bases and belongs to a patient who may be trained on.",
    "retraining.labels": "{labels} new confirmed labels; the rule asks for {wanted}.",
    "retraining.drift": "An alert was raised since the last training from verdicts.",
    "retraining.shadow": "Trained from verdicts; it computes beside the active version and answers nobody.",
    "retraining.collected": "{trained} judged inputs, {base} of the base set; {held_out} judged inputs are held out.",
    "retraining.not_collected": "A trainer has not collected the data set yet.",
    "retraining.not_published": "No version is published yet.",
    "retraining.not_shadowed_yet": "It does not compute beside the active version yet.",
    "retraining.shadowed": "It computes beside the active version and answers nobody.",
    "retraining.candidate": "A candidate. Another version is the shadow: make it the shadow by hand.",
    "retraining.failed": "Not published: the run says why.",
    "retraining.cancelled": "The run was cancelled.",
    "retraining.dead": "The run was given up.",
}
