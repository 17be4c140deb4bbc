"""The lung-sound slides' own form of data: spectrograms as TIFF or JPEG pictures, each with a text file of its label.

`listed` writes the index that every folder of labelled files has; `reading` lets the lung-sound recipes read pictures.
"""

import copy
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from services.trainer.datasets import INDEX, Dataset
from services.trainer.recipe import Recipe
from shared.errors import BadRequest, Conflict
from shared.schemas import InputContract, Modality, Shape, Step
from shared.sniff import HEAD_BYTES, sniff

_PICTURES = frozenset({".tif", ".tiff", ".jpg", ".jpeg", ".png"})
_MADE_OF_SOUND = "stft_picture"
_COLUMNS = ("path", "label", "patient_id", "source", "independent")


@dataclass(frozen=True)
class Form:
    """Where a label stands and what it means; who a picture is of.

    `position`: of the label within the first line ("CAS: 1" has it at 5); `present`: what stands there with the
    finding. The slides leave open whether 1 or 0 means CAS. `patient`: a regular expression whose first group in a
    file's name is the patient; None takes every picture for a patient of its own, which the index and the card say.
    """

    position: int = 5
    present: str = "1"
    patient: str | None = None
    source: str = "spectrograms"


class Listed(Shape):
    """What the index names. `unlabelled` pictures have no text file and are left out."""

    pictures: int
    patients: int
    labels: dict[str, int]
    unlabelled: int


def listed(folder: Path, labels: Path, form: Form) -> Listed:
    """Write `folder`/index.csv over its pictures, labels from the text files of the same names in `labels`.

    Raises Conflict when there is an index, BadRequest: no picture with a label, a label that cannot be read, a name
    that the pattern does not fit.
    """
    if (folder / INDEX).exists():
        raise Conflict(detail=f"The folder has an {INDEX} already. Remove it first, if it shall be written anew.")
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in _PICTURES)
    rows = list(_rows(pictures, labels, form))
    if not rows:
        raise BadRequest(detail=f"None of {len(pictures)} pictures has a text file of its name beside it.")
    with (folder / INDEX).open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerows([_COLUMNS, *rows])
    names = [row[1] for row in rows]
    counts = {name: names.count(name) for name in sorted(set(names))}
    patients = len({row[2] for row in rows})
    return Listed(pictures=len(rows), patients=patients, labels=counts, unlabelled=len(pictures) - len(rows))


def reading(recipe: Recipe, dataset: Dataset) -> Recipe:
    """The recipe as it is; or, for a spectrogram recipe and a folder of pictures, the same network on pictures."""
    made = [place for place, step in enumerate(recipe.pipeline) if step.transform == _MADE_OF_SOUND]
    if recipe.modality is not Modality.LUNG_SOUND or not made or not _is_pictures(dataset):
        return recipe
    shown = copy.copy(recipe)
    kind = type(recipe)
    shown.__class__ = type(
        kind.__name__,
        (kind,),
        {
            "__module__": kind.__module__,
            "pipeline": [Step(transform="decode_image"), *recipe.pipeline[made[0] + 1 :]],
            "input": InputContract(
                media_types=["image/tiff", "image/jpeg", "image/png"],
                summary="One spectrogram picture, as the lung-sound slides have them (129 x 934).",
            ),
            "limits": (*recipe.limits, "Trained on pictures of spectrograms: it cannot answer for recordings."),
        },
    )
    return shown


def independence(dataset: Dataset) -> tuple[str, ...]:
    """A sentence for the card where rows were taken for independent because no patient is named."""
    alone = sum(bool(row.extra.get("independent")) for row in dataset.rows)
    if not alone:
        return ()
    return (
        f"{alone} files name no patient and each was taken for a patient of its own: two of one person may lie on both "
        "sides of a split, and the figures may flatter.",
    )


def _rows(pictures: list[Path], labels: Path, form: Form) -> Iterator[tuple[str, str, str, str, str]]:
    for picture in pictures:
        text = labels / f"{picture.stem}.txt"
        if text.is_file():
            label = "cas" if _mark(text, form.position) == form.present else "normal"
            yield picture.name, label, _patient(picture, form), form.source, "" if form.patient else "yes"


def _mark(text: Path, position: int) -> str:
    lines = text.read_text(encoding="utf-8", errors="replace").splitlines()
    if not lines or len(lines[0]) <= position:
        raise BadRequest(detail=f"The first line of {text.name} has nothing at position {position}.")
    return lines[0][position]


def _patient(picture: Path, form: Form) -> str:
    if form.patient is None:
        return picture.stem
    found = re.search(form.patient, picture.stem)
    if found is None or not found.groups() or not found[1]:
        raise BadRequest(detail=f"The pattern of the patient finds none in the name {picture.name}.")
    return found[1]


def _is_pictures(dataset: Dataset) -> bool:
    if not dataset.rows:
        return False
    with dataset.rows[0].path.open("rb") as stream:
        return (sniff(stream.read(HEAD_BYTES)) or "").startswith("image/")
