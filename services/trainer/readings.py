"""What a shortcut would read from the files themselves, where the prepared tensors no longer hold it."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.trainer.datasets import Row
from services.trainer.prepared import Examples, Facts
from shared.errors import InputRejected
from shared.schemas import Step
from shared.sniff import HEAD_BYTES, sniff
from shared.transforms.chest import seen
from shared.transforms.pipeline import Sheet, run_steps
from shared.transforms.values import Picture, Recording

Table = NDArray[np.float64]
_FRAME_S, _QUIET = 0.032, 10  # the tenth of the frames that are the quietest
_SILENCE = 1e-6  # full scale = 1: digital silence has a floor too
_SIDE = 24
_FIELD = (Step(transform="trim_frame"), Step(transform="lung_field", params={"margin": 0.04}))


def noise_floor(examples: Examples) -> Table:
    """(n, 2): decibels of the quietest tenth, to full scale and to the loudest frame; no columns without files."""
    return _of_files(_floor, examples.rows)


def lungs_blacked_out(examples: Examples) -> Table:
    """(n, 576): the picture at 24 x 24 with the box of the lungs black (Maguolo and Nanni 2021)."""
    return _of_files(_outside, examples.rows)


def view(examples: Examples) -> Table:
    """(n, views): the projection that a DICOM header or the index names; no columns where neither names one."""
    return _words(examples, "view")


def person_and_place(examples: Examples) -> Table:
    """(n, k): age, sex, site and device as a DICOM header or the index names them; no columns where nothing does."""
    return np.hstack([_age(examples), *(_words(examples, name) for name in ("sex", "site", "device"))])


def told(row: Row, facts: Facts, name: str) -> str:
    """What the file's header, else the index says under this name, in capitals; empty when neither does."""
    return str(facts.get(name) or row.extra.get(name, "")).strip().upper()


def _words(examples: Examples, name: str) -> Table:
    """(n, distinct words), no columns where nobody says one."""
    said = [told(row, facts, name) for row, facts in zip(examples.rows, examples.facts, strict=True)]
    names = sorted(set(said) - {""})
    return np.array([[float(word == known) for known in names] for word in said]).reshape(len(said), len(names))


def _age(examples: Examples) -> Table:
    """(n, 1) years, -1 where nobody says; no column where nobody says any."""
    said = [told(row, facts, "age_years") for row, facts in zip(examples.rows, examples.facts, strict=True)]
    years = [float(word) if word.replace(".", "", 1).isdigit() else -1.0 for word in said]
    return np.array(years)[:, None] if max(years) >= 0 else np.empty((len(said), 0))


def _of_files(read: Callable[[Path], tuple[float, ...] | None], rows: Sequence[Row]) -> Table:
    """(n, k); a file that cannot be read gets the median of the others."""
    found = [read(row.path) for row in rows]
    width = max((len(values) for values in found if values), default=0)
    table = np.array([values or (np.nan,) * width for values in found], dtype=np.float64).reshape(len(rows), width)
    return np.where(np.isnan(table), np.nanmedian(table, axis=0), table) if width else table


@lru_cache(maxsize=16_384)
def _floor(path: Path) -> tuple[float, ...] | None:
    recording = _read(path, "decode_audio", ())
    if not isinstance(recording, Recording):
        return None
    size = max(1, round(_FRAME_S * recording.rate))
    whole = recording.samples[: len(recording.samples) // size * size].astype(np.float64)
    if not len(whole):
        return None
    levels = 20 * np.log10(np.sqrt(np.square(whole.reshape(-1, size)).mean(axis=1)) + _SILENCE)
    floor = float(np.percentile(levels, _QUIET))
    return floor, floor - float(levels.max())


@lru_cache(maxsize=4096)
def _outside(path: Path) -> tuple[float, ...] | None:
    sheet = Sheet()
    whole = _read(path, "decode_image", ())
    if not isinstance(whole, Picture) or _read(path, "decode_image", _FIELD, sheet) is None:
        return None
    small = np.array(Image.fromarray(whole.pixels).resize((_SIDE, _SIDE), Image.Resampling.BOX))
    top, left, bottom, right = (round(share * _SIDE) for share in seen(sheet.facts))
    small[top:bottom, left:right] = 0
    return tuple(float(value) for value in small.ravel())


def _read(path: Path, decode: str, more: Sequence[Step], sheet: Sheet | None = None) -> Recording | Picture | None:
    """None when there is no such file or nothing in it can be decoded."""
    try:
        with path.open("rb") as stream:
            media_type = sniff(stream.read(HEAD_BYTES)) or ""
        value: Recording | Picture = run_steps(path, media_type, [Step(transform=decode), *more], sheet or Sheet())
    except (OSError, InputRejected):
        return None
    return value
