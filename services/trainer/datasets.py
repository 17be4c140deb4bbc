"""Folders with an `index.csv`: rows, fingerprint, and prepared tensors that are made once.

Columns that are needed: `path` (relative to the folder), `label`, `patient_id`, `source`. All others are kept as text.
An `events.csv` beside it may say where in a recording something is: `path`, `start_ms`, `end_ms`, `type`.
"""

import csv
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from shared.errors import BadRequest

INDEX = "index.csv"
EVENTS = "events.csv"
_NEEDED = ("path", "label", "patient_id", "source")


@dataclass(frozen=True)
class Event:
    """What somebody marked within a recording; seconds from its beginning."""

    start: float
    end: float
    kind: str


@dataclass(frozen=True)
class Row:
    """One labelled file. `sha256` is of its content as it lies there, not what the index claims."""

    path: Path
    label: str
    patient: str
    source: str
    sha256: str
    extra: dict[str, str] = field(default_factory=dict, compare=False)
    events: tuple[Event, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Dataset:
    """Rows of one folder, in the order of their content's hash, so that no result depends on the order of the index."""

    folder: Path
    rows: tuple[Row, ...]

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the sorted (content, label, patient) of all rows: the same data anywhere have the same one."""
        lines = sorted(f"{row.sha256} {row.label} {row.patient}\n" for row in self.rows)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def where(self, keep: Callable[[Row], bool]) -> "Dataset":
        """The rows for which `keep` is true."""
        return Dataset(self.folder, tuple(row for row in self.rows if keep(row)))


def read(folder: Path) -> Dataset:
    """Read and check a folder. Raises BadRequest: no index, a column or file is missing, a label conflict.

    Files with the same content are one row; with two labels or two patients they are a conflict.
    """
    records = index_of(folder)
    missing = [record["path"] for record in records if not (folder / record["path"]).is_file()]
    if missing:
        raise BadRequest(detail=f"{len(missing)} of {len(records)} files of the index are missing, first {missing[0]}.")
    events = _events(folder)
    rows = [_row(folder, record, events.get(record["path"], ())) for record in records]
    return Dataset(folder, tuple(_distinct(rows)))


def index_of(folder: Path) -> list[dict[str, str]]:
    """The rows of a folder's index, by its header. Raises BadRequest: there is none, or it lacks a column."""
    index = folder / INDEX
    if not index.is_file():
        raise BadRequest(detail=f"The folder holds no {INDEX}.")
    with index.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        absent = [name for name in _NEEDED if name not in (reader.fieldnames or ())]
        if absent:
            raise BadRequest(detail=f"The index lacks the columns {', '.join(absent)}.")
        return list(reader)


def _events(folder: Path) -> dict[str, tuple[Event, ...]]:
    """By path. Raises BadRequest: a column is missing, a time is no number."""
    if not (folder / EVENTS).is_file():
        return {}
    found: dict[str, tuple[Event, ...]] = {}
    try:
        with (folder / EVENTS).open(newline="", encoding="utf-8") as stream:
            for record in csv.DictReader(stream):
                event = Event(float(record["start_ms"]) / 1000, float(record["end_ms"]) / 1000, record["type"])
                found[record["path"]] = (*found.get(record["path"], ()), event)
    except (KeyError, ValueError, TypeError) as error:
        raise BadRequest(
            detail=f"{EVENTS} needs path, start_ms, end_ms and type; times are in milliseconds."
        ) from error
    return found


def _row(folder: Path, record: dict[str, str], events: tuple[Event, ...]) -> Row:
    if not record["patient_id"]:
        raise BadRequest(detail=f"{record['path']} names no patient: without it no honest split is possible.")
    path = folder / record["path"]
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    extra = {name: value for name, value in record.items() if name not in _NEEDED}
    return Row(path, record["label"], record["patient_id"], record["source"], digest, extra, events)


def _distinct(rows: Iterable[Row]) -> list[Row]:
    seen: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: (row.sha256, str(row.path))):
        twin = seen.setdefault(row.sha256, row)
        _agree(twin, row)
    return list(seen.values())


def _agree(twin: Row, row: Row) -> None:
    """Refuse one content under two labels, patients or splits: at least one of them is wrong."""
    same = f"{twin.path.name} and {row.path.name} have the same content, but"
    if twin.label != row.label:
        raise BadRequest("label_conflict", detail=f"{same} different labels.")
    if twin.patient != row.patient or twin.extra.get("split") != row.extra.get("split"):
        raise BadRequest("leaked_patient", detail=f"{same} different patients or splits: a test would know the answer.")
