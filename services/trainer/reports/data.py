"""The report on a folder of labelled files."""

from services.trainer.explore import Exploration
from services.trainer.figures import balance, features, pictures, sound
from services.trainer.figures.forest import Line, forest
from services.trainer.reports.page import Shown, render
from services.trainer.validation import Validation

_PAIRS = ("chroma_stft", "rms", "spectral_centroid", "rolloff")
_VIOLINS = ("spectral_centroid", "rolloff")
_MOST_SHORTCUTS = 12


def data_report(found: Exploration) -> str:
    """HTML: what it holds, defects, shortcuts, then what it looks like."""
    checked = found.validation
    labels, sources = [row.label for row in found.rows], [row.source for row in found.rows]
    looks = _sound_figures(found) if found.recordings else _picture_figures(found)
    return render(
        "data.html",
        f"The data in {found.folder}",
        fingerprint=found.fingerprint,
        sentences=honest(checked),
        validation=checked,
        balance=Shown("Class balance", "A source of one colour cannot show whether a disease is recognised.",
                      balance.class_balance(labels, sources)),
        shortcuts=_shortcuts(checked),
        pictures=looks,
    )  # fmt: skip


def honest(checked: Validation) -> list[str]:
    """What must be read first: errors, the strongest shortcut, sources of one label."""
    errors = [finding.sentence for finding in checked.findings if finding.severity == "error"]
    strongest = [shortcut.sentence for shortcut in checked.shortcuts if shortcut.works][:1]
    linked = [finding.sentence for finding in checked.findings if finding.code == "one_label_source"]
    return [*errors, *strongest, *linked]


def _shortcuts(checked: Validation) -> Shown | None:
    if not checked.shortcuts:
        return None
    several = len({shortcut.label for shortcut in checked.shortcuts}) > 1
    lines = [
        Line(f"{shortcut.name} → {shortcut.label}" if several else shortcut.name, shortcut.auroc, "control")
        for shortcut in checked.shortcuts[:_MOST_SHORTCUTS]
    ]
    caption = "How well each fact alone tells the label. Right of the dashed line it helps; near 1 it gives it away."
    return Shown("Shortcuts", caption, forest(lines))


def _sound_figures(found: Exploration) -> list[Shown]:
    heard, columns = found.recordings, found.columns
    labels = [row.label for row in found.rows]
    both = [f"{row.label}, {row.source}" for row in found.rows]
    chosen, few = {name: columns[name] for name in _PAIRS}, {name: columns[name] for name in _VIOLINS}
    first = "One recording a label, from one source where possible, the first 5 s at 22,050 Hz. Examples, no evidence."
    return [
        Shown("Waveforms", first, sound.waveforms(heard)),
        Shown("Spectrograms", "Decibels below the loudest point; a black upper part shows a narrow line or codec.",
              sound.spectrograms(heard)),
        Shown("Centroid and roll-off", "Where the middle of the spectrum lies, and below what 85 % of it lie.",
              sound.overlays(heard)),
        Shown("MFCCs", "Twenty coefficients over time, each standardised.", sound.mfccs(heard)),
        Shown("Chromagrams", "The twelve pitch classes over time.", sound.chromagrams(heard)),
        Shown("Centroid and roll-off by label", "Hz, means over each recording; the dot is the median, the bar the "
              "middle half.", features.violins(few, labels)),
        Shown("The same by label and source", "Where sources differ more than labels do, the source is what is seen.",
              features.violins(few, both)),
        Shown("Pairs of features by label", "Four of the 26 features, each file a point.",
              features.pair_plot(chosen, labels)),
        _map(found, "the 26 features, standardised"),
    ]  # fmt: skip


def _picture_figures(found: Exploration) -> list[Shown]:
    shown = [_map(found, "a perceptual fingerprint of the picture")] if len(found.map) else []
    if not found.pictures:
        return shown
    caption = "Up to six patients of each source and label, as the transforms read them. Frames, letters, crops and "
    caption += "sharpness that go with one row are what a model may learn instead of disease."
    return [Shown("Samples", caption, pictures.grid(found.pictures)), *shown]


def _map(found: Exploration, of_what: str) -> Shown:
    caption = f"t-SNE of {of_what}: near means alike, distances between islands mean nothing. Left and right are the "
    caption += "same points. Where islands are sources, not labels, a model will find the source first."
    colourings = {"label": [row.label for row in found.mapped], "source": [row.source for row in found.mapped]}
    return Shown("Map of the files", caption, features.maps(found.map, colourings))
