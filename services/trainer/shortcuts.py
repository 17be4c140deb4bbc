"""How well trivial facts about the files predict the label: source, size, sample rate, colour mode, and the like.

Such a model reads no disease. Where it does well, a real model can do well by reading the same.
"""

import warnings
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from services.trainer import controls, inventory
from services.trainer.controls import Control
from services.trainer.folds import folds
from services.trainer.inventory import File
from services.trainer.prepared import Examples
from shared.schemas import Interval, Shape

_FOLDS, _FEWEST = 5, 10
_WORKS = 0.6  # lower end of the interval from which a shortcut is worth a warning
_NO_LABEL = frozenset({"", "unlabelled", "unlabeled", "unknown"})
_FACTS = {
    "source": "Hold whole sources out, and look at each source by itself.",
    "sample rate": "Resample everything to one rate and cut what lies above the lowest.",
    "duration": "Cut or fill everything to one length.",
    "file size": "It stands for length, sound level or compression; find out for which.",
    "image size": "Resize everything to one size; look for differently cropped sources.",
    "encoding": "Turn everything into one format and gray.",
}


class Shortcut(Shape):
    """What one trivial reading reaches on telling a label from all others, grouped by patient."""

    name: str
    label: str
    auroc: Interval
    works: bool
    sentence: str


def shortcuts(folder: Path, files: list[File], seed: int) -> list[Shortcut]:
    """Every fact that the files have, for every label with ten patients in it and ten outside, best first.

    Five folds grouped by patient, a small random forest, bootstrap over patients (`controls.measure`).
    """
    usable = [file for file in _distinct(files) if file.patient and file.label.lower() not in _NO_LABEL]
    measured = [shortcut for name in _labels(usable) for shortcut in _of_label(folder, usable, name, seed)]
    return sorted(measured, key=lambda shortcut: (-shortcut.auroc.value, shortcut.name))


def one_sided(files: list[File]) -> list[str]:
    """Sources that hold one label, where the data hold several; each with its label."""
    labels: dict[str, set[str]] = defaultdict(set)
    for file in files:
        labels[file.source].add(file.label)
    several = len({file.label for file in files}) > 1
    return [f"{source}: {next(iter(found))}" for source, found in sorted(labels.items()) if several and len(found) == 1]


def _distinct(files: list[File]) -> list[File]:
    """Each decoded content once, in the order of its hash, so that the order of the index means nothing."""
    kept = {file.sha256: file for file in files if file.sha256 and not file.problem}
    return [kept[digest] for digest in sorted(kept)]


def _labels(files: list[File]) -> list[str]:
    """Labels to tell from all others; of two labels only the rarer, since the other is its mirror."""
    counted = Counter(file.label for file in files)
    names = [name for name, _ in sorted(counted.items(), key=lambda item: (item[1], item[0]))]
    names = names[:1] if len(names) == 2 else names
    return [name for name in names if _enough(files, name)]


def _enough(files: list[File], name: str) -> bool:
    inside = {file.patient for file in files if file.label == name}
    outside = {file.patient for file in files if file.label != name}
    return min(len(inside), len(outside)) >= _FEWEST


def _of_label(folder: Path, files: list[File], name: str, seed: int) -> list[Shortcut]:
    examples = _examples(folder, files, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a source of few files cannot reach every fold: known, and harmless here
        splits = list(folds(examples, _FOLDS, seed))
    return [
        _told(measured.name, name, measured.auroc)
        for measured in controls.measure(_telling(files, examples), examples, splits, seed)
    ]


def _telling(files: list[File], examples: Examples) -> dict[str, Control]:
    """The controls that these files differ in; the others cannot tell anything."""
    return {name: control for name, control in _known(files).items() if np.ptp(control.read(examples), axis=0).any()}


def _known(files: list[File]) -> dict[str, Control]:
    """The controls that sound, or pictures, have facts for."""
    sound = any(file.media_type.startswith("audio/") for file in files)
    available = controls.SOUND if sound else controls.PICTURE
    chosen = {name: control for name, control in available.items() if name in _FACTS}
    return {**chosen, "encoding": Control(controls.PICTURE["encoding"].meaning, _encoding)}


def _encoding(examples: Examples) -> controls.Table:
    words = np.array([str(facts.get("encoding", "")) for facts in examples.facts])
    return np.asarray(words[:, None] == np.unique(words)[None, :], dtype=np.float64)


def _examples(folder: Path, files: list[File], name: str) -> Examples:
    rows = {row.sha256: row for row in inventory.dataset(folder, files).rows}
    targets = np.array([int(file.label == name) for file in files], dtype=np.int64)
    empty = np.zeros((len(files), 1), dtype=np.float32)
    return Examples(tuple(rows[f.sha256] for f in files), empty, targets, tuple(f.facts for f in files), {})


def _told(name: str, label: str, area: Interval) -> Shortcut:
    works = area.low >= _WORKS
    figure = f"AUROC {area.value:.2f} ({area.low:.2f} to {area.high:.2f})"
    verdict = f"a model can look good by reading it alone. {_FACTS[name]}" if works else "no more than little help."
    sentence = f"The {name} alone tells {label} from the rest with {figure}: {verdict}"
    return Shortcut(name=name, label=label, auroc=area, works=works, sentence=sentence)
