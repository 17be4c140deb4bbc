"""What a folder holds, before anything is learnt: the documented features, a few examples, and a map of the files."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.manifold import TSNE
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from services.trainer import inventory, prepared
from services.trainer.datasets import Dataset, Row
from services.trainer.figures.canvas import Floats
from services.trainer.inventory import File
from services.trainer.validation import Validation, judge
from shared.schemas import Step
from shared.sniff import HEAD_BYTES, sniff
from shared.transforms.features import NAMES
from shared.transforms.pipeline import run_steps
from shared.transforms.pipelines import PIPELINES
from shared.transforms.values import Picture, Recording

FEATURES = PIPELINES["cough/mlp"]
_HEARD = [step for step in FEATURES[:-1] if step.transform != "check_audio"]
_MOST, _LABELS, _PICTURES, _ROWS, _SIDE = 1500, 4, 6, 8, 160
_SEED = 7


@dataclass(frozen=True)
class Exploration:
    """What a report on data shows. `rows` (n,) are drawn from the folder; `table` (n, 26) only where it holds sound."""

    folder: str
    fingerprint: str
    validation: Validation
    rows: tuple[Row, ...]
    table: Floats
    map: Floats
    mapped: tuple[Row, ...]
    recordings: dict[str, Recording] = field(default_factory=dict)
    pictures: dict[str, list[Floats]] = field(default_factory=dict)

    @property
    def columns(self) -> dict[str, Floats]:
        """The features by name, each (n,)."""
        return {name: self.table[:, place] for place, name in enumerate(NAMES)}


def explore(folder: Path, cache: Path, on_file: inventory.OnFile = inventory.silent) -> Exploration:
    """Read everything once, judge it, and take features and examples. Raises BadRequest when nothing can be read."""
    files = inventory.take(folder, on_file)
    data = inventory.dataset(folder, files)
    sound = sum(file.media_type.startswith("audio/") for file in files) * 2 > len(files)
    found = judge(folder, files)
    if sound:
        return _sounds(data, found, cache)
    return _pictures(data, found, files)


def embed(table: Floats) -> Floats:
    """t-SNE (van der Maaten and Hinton 2008) of standardised columns (n, k) to (n, 2), seeded."""
    if len(table) < 4:
        return np.zeros((len(table), 2))
    perplexity = min(30.0, (len(table) - 1) / 3)
    method = TSNE(perplexity=perplexity, init="pca", random_state=_SEED)
    # More threads spin for one another while the machine is busy with something else.
    with threadpool_limits(1):
        mapped = method.fit_transform(StandardScaler().fit_transform(table))
    return np.asarray(mapped, dtype=np.float64)


def _sounds(data: Dataset, found: Validation, cache: Path) -> Exploration:
    examples = prepared.load(data, FEATURES, lambda _: 0, cache)
    table = examples.inputs.astype(np.float64)
    places = _spread(len(table))
    return Exploration(
        folder=data.folder.name,
        fingerprint=data.fingerprint,
        validation=found,
        rows=examples.rows,
        table=table,
        map=embed(table[places]),
        mapped=tuple(examples.rows[place] for place in places),
        recordings=_recordings(examples.rows),
    )


def _pictures(data: Dataset, found: Validation, files: list[File]) -> Exploration:
    """The map is of the fingerprints: pictures that look alike lie side by side."""
    looks = {file.sha256: file.look for file in files if file.look is not None}
    rows = tuple(row for row in data.rows if row.sha256 in looks)
    rows = tuple(rows[place] for place in _spread(len(rows)))
    table = np.array([looks[row.sha256] for row in rows], dtype=np.float64)
    return Exploration(
        folder=data.folder.name,
        fingerprint=data.fingerprint,
        validation=found,
        rows=rows,
        table=np.empty((0, len(NAMES))),
        map=embed(table),
        mapped=rows,
        pictures=_samples(rows),
    )


def _spread(count: int) -> list[int]:
    """At most 1500 places, evenly spread: rows are in the order of their hash, so this is a fair sample."""
    return sorted({int(place) for place in np.linspace(0, count - 1, min(count, _MOST))}) if count else []


def _recordings(rows: tuple[Row, ...]) -> dict[str, Recording]:
    """One recording a label, of the commonest source that has the label, as the features hear it."""
    chosen = {}
    for name in sorted({row.label for row in rows})[:_LABELS]:
        source = _home(rows, name)
        row = next(row for row in rows if row.label == name and row.source == source)
        chosen[f"{name} ({source})"] = _hear(row.path)
    return chosen


def _home(rows: tuple[Row, ...], name: str) -> str:
    """The source to take a label from: one that holds most labels, so that examples differ by label and not device."""
    labels: dict[str, set[str]] = {}
    for row in rows:
        labels.setdefault(row.source, set()).add(row.label)
    counted = Counter(row.source for row in rows)
    having = [source for source in counted if name in labels[source]]
    return max(having, key=lambda source: (len(labels[source]), counted[source], source))


def _samples(rows: tuple[Row, ...]) -> dict[str, list[Floats]]:
    """Up to six pictures of each (source, label), one a patient, made small."""
    grouped: dict[str, dict[str, Row]] = {}
    for row in rows:
        grouped.setdefault(f"{row.source}: {row.label}", {}).setdefault(row.patient, row)
    return {
        name: [_see(row.path) for row in list(of_patient.values())[:_PICTURES]]
        for name, of_patient in sorted(grouped.items())[:_ROWS]
    }


def _hear(path: Path) -> Recording:
    recording = run_steps(path, _type(path), _HEARD)
    assert isinstance(recording, Recording)
    return recording


def _see(path: Path) -> Floats:
    picture = run_steps(path, _type(path), [Step(transform="decode_image")])
    assert isinstance(picture, Picture)
    image = Image.fromarray(picture.pixels)
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    return np.asarray(image, dtype=np.float64)


def _type(path: Path) -> str:
    with path.open("rb") as stream:
        return sniff(stream.read(HEAD_BYTES)) or ""
