"""Shortcut controls: how far a trivial reading of the files gets under the same protocol as the model.

A control reads no disease. Where it does as well as the model, the model's figure is no evidence of disease either.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from sklearn.ensemble import RandomForestClassifier

from services.trainer import readings
from services.trainer.folds import Places
from services.trainer.metrics import auroc, bootstrap
from services.trainer.prepared import Examples
from shared import schemas

Table = NDArray[np.float64]
_TREES = {"n_estimators": 40, "max_depth": 4, "class_weight": "balanced", "n_jobs": 1}
_BORDER = 0.1


@dataclass(frozen=True)
class Control:
    """`read` gives a table (n, columns) of what a shortcut would see; `meaning` says what that is.

    A table without columns: the files say nothing of the kind.
    """

    meaning: str
    read: Callable[[Examples], Table]


def measure(
    controls: Mapping[str, Control], examples: Examples, splits: list[tuple[Places, Places]], seed: int
) -> list[schemas.Control]:
    """Out-of-fold AUROC of a small random forest on each control's table that has columns, best first."""
    measured = []
    for name, control in controls.items():
        table = control.read(examples)
        if not table.shape[1]:
            continue
        scores = _out_of_fold(table, examples.targets, splits, seed)
        area = bootstrap(auroc, examples.targets, scores, examples.patients, seed)
        measured.append(schemas.Control(name=name, auroc=area, meaning=control.meaning))
    return sorted(measured, key=lambda control: -control.auroc.value)


def _out_of_fold(
    table: Table, targets: NDArray[np.int64], splits: list[tuple[Places, Places]], seed: int
) -> NDArray[np.float64]:
    scores = np.zeros(len(targets))
    for training, held_out in splits:
        forest = RandomForestClassifier(**_TREES, random_state=seed)
        forest.fit(table[training], targets[training])
        scores[held_out] = forest.predict_proba(table[held_out])[:, 1]
    return scores


def _fact(name: str) -> Callable[[Examples], Table]:
    return lambda examples: np.array([[float(facts.get(name, -1.0))] for facts in examples.facts])


def _one_hot(words: list[str]) -> Table:
    table: Table = (np.asarray(words)[:, None] == np.unique(words)[None, :]).astype(np.float64)
    return table


def _sizes(examples: Examples) -> Table:
    sides = np.hstack([_fact("width")(examples), _fact("height")(examples)])
    return np.hstack([sides, sides[:, :1] / np.maximum(sides[:, 1:], 1)])


def _brightness(examples: Examples) -> Table:
    flat = examples.inputs.reshape(len(examples), -1)
    return np.stack([flat.mean(1), flat.std(1)], axis=1).astype(np.float64)


def _border(examples: Examples) -> Table:
    """Means along the outer tenth of a picture (n, 1, h, w): eight a side."""
    height, width = examples.inputs.shape[2:]
    rim = max(1, round(_BORDER * min(height, width)))
    pictures = examples.inputs[:, 0]
    rows = np.concatenate([pictures[:, :rim].mean(1), pictures[:, -rim:].mean(1)], axis=1)
    columns = np.concatenate([pictures[:, :, :rim].mean(2), pictures[:, :, -rim:].mean(2)], axis=1)
    blocks = [*np.array_split(rows, 16, axis=1), *np.array_split(columns, 16, axis=1)]
    return np.stack([block.mean(1) for block in blocks], axis=1).astype(np.float64)


def _encoding(examples: Examples) -> Table:
    return _one_hot([_mode(examples, place) for place in range(len(examples))])


def _mode(examples: Examples, place: int) -> str:
    try:
        with Image.open(examples.rows[place].path) as image:
            return f"{image.format} {image.mode}"
    except UnidentifiedImageError:
        return "other"


ANY = {
    "source": Control("the name of the source alone", lambda examples: _one_hot(examples.sources)),
    "file size": Control("the number of bytes of the file", _fact("bytes")),
    "person and place": Control("age, sex, site and device as header or index name them", readings.person_and_place),
}
SOUND = {
    **ANY,
    "duration": Control("the length in seconds", _fact("seconds")),
    "sample rate": Control(
        "the sample rate and number of channels", lambda e: np.hstack([_fact("sample_rate")(e), _fact("channels")(e)])
    ),
    "noise floor": Control("the level of the quietest tenth of the recording", readings.noise_floor),
}
PICTURE = {
    **ANY,
    "image size": Control("width, height and aspect in pixels", _sizes),
    "brightness": Control("mean and deviation of the brightness", _brightness),
    "border": Control("the outer tenth of the picture, without the lungs", _border),
    "lungs blacked out": Control("the picture with the box of the lungs black", readings.lungs_blacked_out),
    "view": Control("the projection that header or index names", readings.view),
    "encoding": Control("file format and colour mode", _encoding),
}
