"""What a result and a job say."""

RESEARCH = "Research use only. Not for diagnosis."

SENTENCES = {
    # What a result says.
    "research": RESEARCH,
    "flagged": "Resembles {finding} {inputs} in our test data. Not a diagnosis.",
    "not_flagged": "Pattern not seen. This does not rule out disease.",
    "refer": "Do not rely on the model here: {why}",
    "finding.covid_pattern": "COVID-19",
    "finding.adventitious_continuous": "wheeze or rhonchus (CAS)",
    "inputs.chest_xray": "X-rays",
    "inputs.cough": "recordings",
    "inputs.lung_sound": "recordings",
    "modality.chest_xray": "Chest X-ray",
    "modality.cough": "Cough recording",
    "modality.lung_sound": "Lung sound",
    # Job states.
    "state.queued": "Waiting for a worker.",
    "state.running": "Being read.",
    "state.succeeded": "Done.",
    "state.failed": "Could not be answered; this is not the input's fault.",
    "state.rejected": "The input cannot be used.",
    "state.cancelled": "Cancelled on request.",
    "state.dead": "Given up: the computer program stopped at every attempt.",
    # Jobs that end without an answer.
    "decoder_died": "Reading this file stopped the program three times. It was put aside.",
    "worker_lost": "The computer that worked on this stopped at every attempt. It was put aside.",
    "version_unavailable": "The version that should answer could not be loaded. An administrator has to look.",
    "integrity": "The stored file is no longer the one that was sent. It was not used.",
    "prepare_failed": "Reading this file met a defect of ours. It was put aside; an administrator has to look.",
    "predict_failed": "The model could not compute an answer for this input.",
    "no_version": "No version is active for this modality. An administrator has to promote one.",
    "deadline": "The answer would have come too late, as asked.",
    # Why a usable input is referred to a person.
    "out_of_distribution": "this input is unlike the data the model was tested on.",
    "view_untested": "the view is {view}; the model was tested on frontal views only.",
    "age_untested": "the patient is {age:g} years old; the model was tested on {low:g} to {high:g} years.",
}
