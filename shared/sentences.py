"""The catalogue: every sentence that a person reads, once. English first; another language adds a dictionary."""

RESEARCH = "Research use only. Not for diagnosis."

EN: dict[str, str] = {
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
    # Requests that are refused before anything is accepted.
    "request_invalid": "The request cannot be understood. Check the fields that are named.",
    "unauthenticated": "Sign in, or send a valid API key as 'Authorization: Bearer KEY'.",
    "forbidden": "Your role does not allow this. Ask an administrator.",
    "not_found": "There is nothing here under this address.",
    "conflict": "The present state does not allow this.",
    "method_not_allowed": "This address does not answer this method.",
    "unavailable": "The service is busy or restarting. Nothing was lost; ask again shortly.",
    "storage_full": "There is no room for this upload. Nothing was accepted; tell the administrator.",
    "internal_error": "Something went wrong on our side. Nothing that was accepted is lost; quote the request id.",
    "file_missing": "The request carries no file. Send it as the form field 'file'.",
    "file_repeated": "The request carries more than one file. Send one file a job.",
    "field_unknown": "The field '{field}' is not known here.",
    "field_invalid": "The field '{field}' has a value that cannot be used: {why}",
    "input_empty": "The file is empty. Export or record it again.",
    "input_too_large": "The file is larger than the {limit_mb} MB that are accepted.",
    "input_type_unknown": "This is neither a picture nor a sound file that can be read here. "
    "Send DICOM, PNG, JPEG or TIFF for an X-ray; WAV, FLAC, MP3 or OGG for a sound.",
    "modality_required": "A sound file may be a cough or a lung sound. Say which with 'modality'.",
    "modality_mismatch": "This kind of file cannot be a {modality} input. Check that the right file was chosen.",
    "version_unknown": "There is no such version for this modality.",
    "version_recalled": "This version was recalled and is not used any more.",
    "idempotency_mismatch": "This Idempotency-Key was used before for a different request. Use a new key.",
    "idempotency_key_invalid": "An Idempotency-Key has 1 to 255 printable characters.",
    "job_not_cancellable": "Only a job that still waits or runs can be cancelled.",
    "job_not_retryable": "Only a job that failed or was given up can be tried again.",
    "cursor_invalid": "The cursor is not one of ours. Start again without it.",
    "generation_stale": "Somebody else moved this pointer meanwhile. Look at it again, then decide.",
    "nothing_to_roll_back_to": "There is no earlier version to go back to.",
    "finding_mismatch": "This version looks for another finding than the deployment.",
    "sign_in_used": "This sign-in link was used before or is too old. Ask for a new one.",
    # Inputs that were read and cannot be used.
    "input_unreadable": "The file is damaged and cannot be read. Export or record it again.",
    "input_truncated": "The file ends too early; a part is missing. Send it again.",
    "input_too_slow": "Reading this file took too long and was stopped. Export it again in a common format.",
    "input_memory": "Reading this file needed too much memory and was stopped. Export it in a common size.",
    "image_too_large": "The picture has more pixels than any X-ray detector. Export the original image.",
    "image_too_small": "The picture is too small to judge ({width} x {height} pixels; at least {minimum} are needed).",
    "image_blank": "The picture shows one even tone. Check the exposure or the export.",
    "dicom_no_pixels": "This DICOM file carries no picture. Send the image object, not a report or a note.",
    "dicom_is_directory": "This is a DICOMDIR, an index of a disc, not an image. Send the image files themselves.",
    "dicom_transfer_syntax_unsupported": "This DICOM file is compressed in a way that cannot be read here.",
    "dicom_too_large": "This DICOM file unpacks to more data than an X-ray holds. Export it again.",
    "dicom_multiframe": "This DICOM file holds several frames. Send one still chest image.",
    "body_part_not_chest": "The DICOM header says this is not a chest image ({body_part}). "
    "Check that the right study was sent.",
    "dicom_modality_unsupported": "The DICOM header says {modality}; only projection X-rays (CR, DX, DR) are read.",
    "audio_not_finite": "The recording holds values that are not numbers. Export it again.",
    "audio_silent": "The recording is silent. Check the microphone and record again.",
    "audio_clipped": "The recording is badly overdriven (clipped). Move the microphone away and record again.",
    "audio_too_short": "The recording is too short ({seconds:.1f} s; at least {minimum:g} s are needed). Record again.",
    "audio_too_long": "The recording is longer than {maximum:g} s. Send the part with the sound in question.",
    "audio_rate_too_low": "The recording has too low a sample rate ({rate} Hz; at least {minimum} Hz are needed).",
    "audio_encoding_unsupported": "The sound is encoded as {encoding}, which is not read here. "
    "Save it as WAV (PCM), FLAC, MP3 or OGG.",
    "audio_channels": "The recording has {channels} channels; one or two are read.",
    # Jobs that end without an answer.
    "decoder_died": "Reading this file stopped the program three times. It was put aside.",
    "worker_lost": "The computer that worked on this stopped at every attempt. It was put aside.",
    "version_unavailable": "The version that should answer could not be loaded. An administrator has to look.",
    "integrity": "The stored file is no longer the one that was sent. It was not used.",
    "predict_failed": "The model could not compute an answer for this input.",
    "no_version": "No version is active for this modality. An administrator has to promote one.",
    "deadline": "The answer would have come too late, as asked.",
    # Why a usable input is referred to a person.
    "out_of_distribution": "this input is unlike the data the model was tested on.",
    "view_untested": "the view is {view}; the model was tested on frontal views only.",
    "age_untested": "the patient is {age:g} years old; the model was tested on {low:g} to {high:g} years.",
    # What is worth knowing about a usable input.
    "quality.clipped": "Some samples are overdriven ({percent:.1f} %).",
    "quality.quiet": "The recording is very quiet ({dbfs:.0f} dBFS).",
    "quality.louder_channel": "Of the two channels only the louder one was used.",
    "quality.narrow_band": "The recording holds little above {hertz:.0f} Hz, whatever its sample rate says.",
    "quality.cut": "Only the first {seconds:g} s were used.",
    "quality.inverted": "The image was stored with inverted tones and was turned round.",
    "quality.window": "The display window of the DICOM header was applied.",
    "quality.low_contrast": "The picture has little contrast.",
    "quality.small": "The picture is small ({width} x {height} pixels).",
    "quality.first_page": "The file holds several pages; only the first was used.",
    "quality.colour": "The picture is in colour; its brightness was used.",
    "quality.burned_in": "The header says that text is burned into the picture.",
    "quality.lossy": "The picture was compressed with loss.",
}


def say(key: str, **values: object) -> str:
    """The sentence for a key, with its values; the key itself when the catalogue has none.

    A value that the sentence names and the caller left out keeps the sentence readable: the bare text is returned.
    """
    sentence = EN.get(key, key)
    try:
        return sentence.format(**values)
    except (KeyError, ValueError, TypeError):
        return sentence
