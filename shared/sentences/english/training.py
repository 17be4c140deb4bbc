"""Training runs."""

SENTENCES = {
    "run.queued": "Waiting for a trainer.",
    "run.running": "Being trained.",
    "run.succeeded": "Published as a candidate; promote it to let it answer.",
    "run.failed": "Not published.",
    "run.cancelled": "Cancelled on request.",
    "run.dead": "Given up: the trainer stopped at every attempt.",
    "no_trainer": "No trainer was ever started here. Start one with 'thoracle up --trainer'.",
    "recipe_unknown": "No trainer knows this recipe. GET /v1/recipes lists those that are known.",
    "dataset_unknown": "No trainer has a data set of this name. GET /v1/recipes lists those that are there.",
    "name_taken": "Another version of this modality has this name already.",
    "run_not_cancellable": "Only a run that still waits or is being trained can be cancelled.",
    "run_not_retryable": "Only a run that ended without a version can be tried again.",
    "trainer_lost": "The computer that trained this stopped at every attempt. It was put aside.",
    "train_failed": "Training met a defect of ours. The trainer's log has the place; an administrator has to look.",
    "gate.leak_splits": "{count} patients are in more than one split: what is tested was seen in training.",
    "gate.leak_content": "{count} inputs are the same as an input of another patient, so no split keeps them apart. "
    "Remove the copies, or give them one patient id.",
    "gate_label_noise": "With these labels the recipe reaches AUROC {value:.2f} ({low:.2f} to {high:.2f}) on sources "
    "on which version {name} reached {before:.2f} ({before_low:.2f} to {before_high:.2f}). About {percent:.0f} % of "
    "wrong labels would explain that. Check the labels.",
    "gate_calibration": "Out of fold the probabilities are off by {error:.2f} on average, more than chance explains "
    "(Spiegelhalter's z = {z:.1f}).",
    "gate.controls": "Published with a warning, since a trivial reading of the files does as well: {warning}",
    "gate.labels_unchecked": "The labels were not compared with an earlier version: none was trained on these sources.",
    "gate.labels_doubtful": "Of the inputs of which the model is surest {percent:.0f} % have the other label. "
    "Look at those labels first.",
}
