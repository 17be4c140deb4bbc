"""Everything that a folder's index and its files say, defects included: nothing is refused here, and nothing hidden.

`datasets.read` stops at the first defect; this reads on, so that a report can name all of them.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from services.trainer.datasets import Dataset, Row, index_of
from services.trainer.fingerprints import Floats, picture_print, sound_print
from shared.errors import InputRejected
from shared.schemas import Step
from shared.sniff import HEAD_BYTES, sniff
from shared.transforms.pipeline import Sheet, run_steps, transforms
from shared.transforms.values import Picture, Recording

Facts = dict[str, str | float]
OnFile = Callable[[int, int], None]
_COLUMNS = ("path", "label", "patient_id", "source", "split", "sha256")
_DECODE = {"audio": "decode_audio", "image": "decode_image", "application": "decode_image"}
# What any recipe would refuse; a recipe's own limits are narrower and part of its pipeline.
_CHECK: dict[str, tuple[str, dict[str, float]]] = {
    "decode_audio": ("check_audio", {"min_seconds": 0.5, "max_seconds": 120.0, "min_rate": 4000}),
    "decode_image": ("check_image", {"min_side": 128}),
}


@dataclass(frozen=True)
class File:
    """One line of the index and what lies behind it.

    `sha256` is of the content, empty when the file is missing; `claimed` is what the index says. `problem` is why it
    cannot be decoded, `doubt` why it could not be used, both as sentences, empty when there is none. `look` is its
    fingerprint (see `fingerprints`), None when it was not decoded.
    """

    path: str
    label: str
    patient: str
    source: str
    split: str = ""
    claimed: str = ""
    sha256: str = ""
    media_type: str = ""
    facts: Facts = field(default_factory=dict)
    problem: str = ""
    doubt: str = ""
    look: Floats | None = field(default=None, compare=False)
    extra: dict[str, str] = field(default_factory=dict, compare=False)


def silent(_done: int, _total: int) -> None:
    """Report nothing."""


def take(folder: Path, on_file: OnFile = silent) -> list[File]:
    """All lines of the index, each file opened once by the transforms that serve. `on_file(done, total)` after each.

    Raises BadRequest when there is no index or a column that everything needs is absent.
    """
    listed = [_file(record) for record in index_of(folder)]
    files = []
    for number, file in enumerate(listed, 1):
        files.append(_opened(folder, file))
        on_file(number, len(listed))
    return files


def dataset(folder: Path, files: list[File]) -> Dataset:
    """The rows that can be decoded, each content once, in the order of their hash."""
    rows = {
        file.sha256: Row(folder / file.path, file.label, file.patient, file.source, file.sha256, file.extra)
        for file in files
        if file.sha256 and not file.problem
    }
    return Dataset(folder, tuple(rows[digest] for digest in sorted(rows)))


def look(path: Path) -> Floats | None:
    """The fingerprint of one file, None when it cannot be decoded."""
    with path.open("rb") as stream:
        media_type = sniff(stream.read(HEAD_BYTES)) or ""
    return _decoded(path, File("", "", "", "", media_type=media_type)).look if media_type else None


def _file(record: Mapping[str, str | None]) -> File:
    path, label, patient, source, split, claimed = ((record.get(name) or "").strip() for name in _COLUMNS)
    extra = {name: value for name, value in record.items() if name not in _COLUMNS and isinstance(value, str)}
    return File(path, label, patient, source, split, claimed, extra=extra)


def _opened(folder: Path, file: File) -> File:
    path = folder / file.path
    # An index that points out of its folder is not followed.
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        return file
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        stream.seek(0)
        media_type = sniff(stream.read(HEAD_BYTES)) or ""
    found = replace(file, sha256=digest, media_type=media_type, facts={"bytes": float(path.stat().st_size)})
    if not media_type:
        return replace(found, problem=InputRejected("input_type_unknown").detail)
    return _decoded(path, found)


def _decoded(path: Path, file: File) -> File:
    decode, sheet = _DECODE[file.media_type.partition("/")[0]], Sheet()
    try:
        value = run_steps(path, file.media_type, [Step(transform=decode)], sheet)
    except InputRejected as problem:
        return replace(file, problem=problem.detail)
    facts = {**file.facts, **sheet.facts, "encoding": _encoding(path, file.media_type)}
    return replace(file, facts=facts, doubt=_doubt(decode, value), look=_look(value))


def _doubt(decode: str, value: Recording | Picture) -> str:
    check, limits = _CHECK[decode]
    try:
        transforms()[check](value, Sheet(), **limits)
    except InputRejected as problem:
        return problem.detail
    return ""


def _look(value: Recording | Picture) -> Floats:
    return picture_print(value) if isinstance(value, Picture) else sound_print(value)


def _encoding(path: Path, media_type: str) -> str:
    """Format and colour mode of a picture, format of anything else."""
    if not media_type.startswith("image/"):
        return media_type
    try:
        with Image.open(path) as image:
            return f"{image.format} {image.mode}"
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return media_type


def looks(files: list[File]) -> tuple[list[int], Floats]:
    """Places and fingerprints (n, length) of the files that have one; all of the commonest length."""
    lengths = [0 if file.look is None else len(file.look) for file in files]
    common = max(set(lengths) - {0}, key=lengths.count, default=0)
    places = [place for place, length in enumerate(lengths) if length == common > 0]
    rows = [look for place in places if (look := files[place].look) is not None]
    return places, np.stack(rows) if rows else np.empty((0, 0))
