"""What trainers write into cards, as patterns by which it is told in another language (`shared.sentences.cards`)."""

SENTENCES = {
    "card.use": "Research use only, not for diagnosis. It supports a clinician who looks at the study; it replaces "
    "nobody.",
    "card.warning": "The figures are not evidence that disease is recognised: trivial readings of the files do as "
    "well as the model (AUROC: model {model}; {shortcuts}).",
    "card.protocol": "{folds}-fold cross-validation grouped by patient, stratified by source and label; every "
    "figure out of fold, calibration and threshold for it from the other folds; intervals: bootstrap over patients "
    "(AUROC, AUPRC), Wilson (rates); the published network has the same settings and all patients",
    "card.protocol_alone": "each of {folds} patients held out alone; every figure out of fold, calibration and "
    "threshold for it from the other folds; intervals: bootstrap over patients (AUROC, AUPRC), Wilson (rates); the "
    "published network has the same settings and all patients",
    # Limits that the figures make.
    "card.limit.linked": "Class and source are linked (one class only in: {sources}), so pooled figures flatter.",
    "card.limit.across": "Trained without the collection {source}, AUROC there is {value} ({low} to {high}): expect "
    "no more on recordings from elsewhere.",
    "card.limit.unseen_with": "Never trained on: of {count} files of {source} with the finding {flagged} ({low} to "
    "{high}) lie above the threshold, and {referred} ({from_} to {to}) are referred as unlike the training data.",
    "card.limit.unseen_without": "Never trained on: of {count} files of {source} without the finding {flagged} "
    "({low} to {high}) lie above the threshold, and {referred} ({from_} to {to}) are referred as unlike the "
    "training data.",
    "card.limit.twins": "{pairs} pairs of nearly identical files stood under different patients; each such group of "
    "patients was split as one.",
    "card.limit.torn": "{pairs} pairs of nearly identical files stood under different patients; each such group of "
    "patients was split as one. {torn} of these pairs carry two labels.",
    "card.limit.threshold": "The threshold flags at least {rate} of the positives out of fold, over all sources "
    "together; on a source that is not listed it is untested.",
    "card.limit.junk": "Of {tried} generated inputs that are no study of this kind (noise, pictures, music, ...) "
    "{referred} were referred or rejected; about {rate} of fitting inputs are referred as well.",
    # Limits of recipes.
    "card.limit.pneumonia": "Pneumonia of other causes was never shown to it: what is not normal may be flagged as "
    "well.",
    "card.limit.crop": "The crop to the lungs is a rule of thumb; a rotated or cut-off chest may be cropped wrongly.",
    "card.limit.telephone": "It hears a telephone's band only (up to 4 kHz), at one level, from the first to the "
    "last sound: what lies beyond told the collections apart, not people.",
    "card.limit.neighbours": "The version holds the 26 features of every training recording: nearest neighbours "
    "answer from them.",
    "card.limit.means": "Means over 5 s cannot tell a cough from other short sounds; the out-of-distribution score "
    "catches some.",
    "card.limit.whole": "A whole recording gets one answer: neither where in time nor how many wheezes is said.",
    "card.limit.stethoscopes": "Other stethoscopes were simulated in training (response, low-pass, noise); no real "
    "other one was heard.",
    "card.limit.band": "The picture shows everything up to 11 kHz, so what the telephone line cut off is visible to "
    "the network.",
    "card.limit.rates": "Made for 170 recordings whose sample rate alone told the classes apart.",
    # Sources.
    "card.source.call_center": "{source}: 8 kHz telephone line; 71 % of it covid, 77 % of these PCR-verified; no "
    "speaker ids are published, so one person may count as several patients; negatives were never tested.",
    "card.source.telegram": "{source}: 48 kHz messenger recordings; 17 % of it covid, all self-reported; no speaker "
    "ids are published, so one person may count as several patients; negatives were never tested.",
    "card.source.coswara": "{source}: ten covid recordings of five people, no negatives: its figures cannot show "
    "whether the finding is recognised.",
    "card.source.audioset": "{source}: rights unclear.",
    "card.source.sprsound": "{source}: one hospital, one kind of stethoscope (Yunting model II), children from 1 "
    "month to 18 years.",
    "card.source.papers": "{source}: figures out of papers.",
    "card.source.hannover": "{source}: covid only, 35 patients, mostly AP pictures of patients in bed: lines, tubes "
    "and the view give the class away.",
    "card.source.nih": "{source}: normal only; adults and adolescents; labels mined from reports by a program.",
    "card.source.kermany": "{source}: normal only; children from 1 to 5 years, so a small chest means normal.",
    "card.source.unknown": "{source}: nothing is known of this source.",
    # Who and what it is for.
    "card.people.telephone": "People who were asked to cough into a telephone",
    "card.people.chest": "Auscultation of the chest with an electronic stethoscope",
    "card.people.frontal": "Frontal chest X-rays",
    "card.input.cough": "One recording of voluntary coughing, at least half a second, 8 kHz or more; the first 5 s "
    "are used.",
    "card.input.chest": "One recording from a stethoscope on the chest, 2 s to 2 min, 4 kHz or more; the first 15 s "
    "are used.",
    "card.input.xray": "One frontal chest X-ray (PA or AP), either side at least 128 pixels.",
    "card.start.random": "random",
    "card.start.imagenet": "ImageNet weights of torchvision ({file})",
    "card.start.audioset": "YAMNet's AudioSet weights ({file})",
    # Shortcut controls: what a trivial reading looks at.
    "card.control.source": "source",
    "card.control.file_size": "file size",
    "card.control.duration": "duration",
    "card.control.sample_rate": "sample rate",
    "card.control.image_size": "image size",
    "card.control.brightness": "brightness",
    "card.control.border": "border",
    "card.control.encoding": "encoding",
    "card.control.cut": "cut",
    "card.control.loudness": "loudness",
    "card.control.age": "age and sex",
    "card.control.place": "chest location",
    "card.control.person": "person and place",
    "card.control.lungs": "lungs blacked out",
    "card.control.view": "view",
    "card.control.noise": "noise floor",
    "card.meaning.source": "the name of the source alone",
    "card.meaning.file_size": "the number of bytes of the file",
    "card.meaning.duration": "the length in seconds",
    "card.meaning.sample_rate": "the sample rate and number of channels",
    "card.meaning.image_size": "width, height and aspect in pixels",
    "card.meaning.brightness": "mean and deviation of the brightness",
    "card.meaning.border": "the outer tenth of the picture, without the lungs",
    "card.meaning.encoding": "file format and colour mode",
    "card.meaning.cut": "the silence before and after the cough, which the pipeline takes away",
    "card.meaning.loudness": "the mean root mean square of the sound",
    "card.meaning.spectrogram": "mean and deviation of the spectrogram",
    "card.meaning.age": "the child's age and sex in the file's name",
    "card.meaning.place": "where the stethoscope lay",
    "card.meaning.person": "age, sex, site and device as header or index name them",
    "card.meaning.lungs": "the picture with the box of the lungs black",
    "card.meaning.view": "the projection that header or index names",
    "card.meaning.noise": "the level of the quietest tenth of the recording",
}
