"""Versions side by side: one row each, grouped by data and protocol, because other rows cannot be compared."""

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from services.trainer.prepared import prepare_file
from shared import registry, runtimes
from shared.errors import VersionInvalid
from shared.registry import Artefact
from shared.schemas import Card, Interval, Modality, Shape, SourceFigures
from shared.transforms import sample_files

_WARM_UP, _RUNS = 2, 9
_SAMPLES: dict[Modality, Callable[[], bytes]] = {
    Modality.CHEST_XRAY: sample_files.xray_dicom,
    Modality.COUGH: lambda: sample_files.cough("WAV"),
    Modality.LUNG_SOUND: lambda: sample_files.lung_sound("WAV"),
}


class Entry(Shape):
    """One version, or a recipe as it was measured (`sha256` empty; then nothing is known of milliseconds and bytes).

    `read_ms` and `model_ms` were measured on this machine, one input at a time. None where a gate refused to publish.
    """

    recipe: str
    name: str
    sha256: str
    mode: str
    n: int
    positives: int
    auroc: Interval
    sensitivity: Interval | None
    specificity: Interval | None
    brier: float | None
    found: int | None
    missed: int | None
    worst_source: str
    worst_auroc: Interval | None
    best_control: str
    control_auroc: Interval | None
    beaten: bool
    training_seconds: float
    read_ms: float | None
    model_ms: float | None
    size_bytes: int | None
    warning: str | None


class Comparable(Shape):
    """Versions that were judged on the same data by the same protocol, the best AUROC first."""

    fingerprint: str
    protocol: str
    sources: list[str]
    entries: list[Entry]


def compare(modality: Modality, folders: Iterable[Path], threads: int = 2) -> list[Comparable]:
    """Every version of the modality below the folders, each once, in groups that can be compared, the largest first."""
    groups: dict[tuple[str, str], list[Artefact]] = defaultdict(list)
    for artefact in _distinct(folders):
        if artefact.card.modality is modality:
            groups[artefact.card.data.fingerprint, artefact.card.metrics.protocol].append(artefact)
    made = [_comparable(artefacts, threads) for artefacts in groups.values()]
    return sorted(made, key=lambda group: (-len(group.entries), group.fingerprint))


def versions_below(folder: Path) -> Iterator[Artefact]:
    """The version that a folder is, or those that lie in it; folders that are no versions are passed over."""
    for place in [folder, *sorted(folder.iterdir())] if folder.is_dir() else []:
        if (place / registry.MANIFEST).is_file():
            try:
                yield registry.verify(place)
            except VersionInvalid:
                continue


def _distinct(folders: Iterable[Path]) -> list[Artefact]:
    found = {artefact.sha256: artefact for folder in folders for artefact in versions_below(folder)}
    return [found[address] for address in sorted(found)]


def _comparable(artefacts: list[Artefact], threads: int) -> Comparable:
    card = artefacts[0].card
    entries = sorted((_entry(artefact, threads) for artefact in artefacts), key=lambda entry: -entry.auroc.value)
    return Comparable(
        fingerprint=card.data.fingerprint, protocol=card.metrics.protocol, sources=card.data.sources, entries=entries
    )


def _entry(artefact: Artefact, threads: int) -> Entry:
    card = artefact.card
    point, worst = card.operating_point, _worst(card)
    control = max(card.metrics.controls, key=lambda control: control.auroc.value, default=None)
    found = round(point.sensitivity.value * point.positives)
    return Entry(
        recipe=card.recipe,
        name=card.name,
        sha256=artefact.sha256,
        mode=card.training.mode,
        n=card.data.n,
        positives=card.data.positives,
        auroc=card.metrics.auroc,
        sensitivity=point.sensitivity,
        specificity=point.specificity,
        brier=card.metrics.brier,
        found=found,
        missed=point.positives - found,
        worst_source=worst.source if worst else "",
        worst_auroc=worst.auroc if worst else None,
        best_control=control.name if control else "",
        control_auroc=control.auroc if control else None,
        beaten=control is not None and control.auroc.value >= card.metrics.auroc.low,
        training_seconds=card.training.seconds,
        read_ms=_read_ms(card),
        model_ms=_model_ms(artefact, threads),
        size_bytes=sum(file.stat().st_size for file in artefact.folder.iterdir()),
        warning=card.warning,
    )


def _worst(card: Card) -> SourceFigures | None:
    """The source with the lowest AUROC, of those that hold both classes."""
    judged = [figures for figures in card.metrics.per_source if figures.auroc is not None]
    return min(judged, key=lambda figures: figures.auroc.value if figures.auroc else 1.0, default=None)


def _model_ms(artefact: Artefact, threads: int) -> float:
    """The median of some forward passes of one generated input; the first passes warm up and do not count."""
    runtime = runtimes.load(artefact, threads)
    one = np.load(artefact.golden, allow_pickle=False).astype(np.float32)[:1]
    return _median_ms(lambda: runtime.run(one))


def _read_ms(card: Card) -> float:
    """The median time to decode and prepare the modality's generated sample file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sample"
        path.write_bytes(_SAMPLES[card.modality]())
        return _median_ms(lambda: prepare_file(path, card.pipeline))


def _median_ms(run: Callable[[], object]) -> float:
    spent = []
    for _ in range(_WARM_UP + _RUNS):
        started = time.perf_counter()
        run()
        spent.append(1000 * (time.perf_counter() - started))
    return float(np.median(spent[_WARM_UP:]))
