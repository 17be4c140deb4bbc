"""What is said of an input: why it cannot be used, what is worth knowing."""

SENTENCES = {
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
    "audio_too_short": "The recording is too short ({seconds:.2f} s; at least {minimum:g} s are needed). Record again.",
    "audio_too_long": "The recording is longer than {maximum:g} s. Send the part with the sound in question.",
    "audio_rate_too_low": "The recording has too low a sample rate ({rate} Hz; at least {minimum} Hz are needed).",
    "audio_encoding_unsupported": "The sound is encoded as {encoding}, which is not read here. "
    "Save it as WAV (PCM), FLAC, MP3, OGG or M4A.",
    "audio_no_sound": "This file holds no sound. Check that the microphone was on, and record again.",
    "audio_channels": "The recording has {channels} channels; one or two are read.",
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
