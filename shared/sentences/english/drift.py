"""Drift in service: alerts, the board, and the gate that they can close."""

SENTENCES = {
    "alert_over": "This alert was acknowledged or cleared already. Look at it again.",
    "gate.drift.calm": "No drift alert is open, neither on this version nor, unacknowledged, on the active one.",
    "gate.drift.ours": "This version drifts in service: {ours:.0f} alerts are open on it.",
    "gate.drift.theirs": "What comes in has changed since this version was judged: {theirs:.0f} alerts on the active "
    "version wait to be acknowledged.",
    "gate.drift.unwatched": "The active version has too few results in service to tell whether what comes in has "
    "changed.",
    "drift.raised": "{measure} has left its reference: population stability index {psi:.2f} over {results:.0f} "
    "results.",
    "drift.measure.outcome": "What became of studies",
    "drift.measure.probability": "Probability of the finding",
    "drift.measure.distance": "Distance from the training data",
    "drift.measure.seconds": "Length of the recording",
    "drift.measure.level": "Level of the recording",
    "drift.measure.centroid": "Centre of the spectrum",
    "drift.measure.rolloff": "Frequency below which 95 % of the power lies",
    "drift.measure.edge": "Highest frequency with content",
    "drift.measure.brightness": "Brightness of the picture",
    "drift.measure.contrast": "Contrast of the picture",
    "drift.measure.side": "Shorter side of the picture",
    "drift.too_few": "Too few labels: {count} judged results with the finding in these seven days, {fewest} are "
    "needed.",
    "drift.verification_bias": "Verification bias: only results that somebody judged are counted, and those are not a "
    "random share. Read these figures as of the judged ones, not of all.",
}
