"""What a batch is made of: a folder, a zip or a manifest as items, and these as parts that fit one request each."""

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cli.folders import files_of
from shared.errors import BadRequest

MANIFEST = "manifest.csv"
_PART_ITEMS, _PART_BYTES = 1000, 128 << 20
_MOST_BYTES = 1 << 30

Open = Callable[[], IO[bytes]]
Row = Mapping[str, str]


@dataclass(frozen=True)
class Item:
    """One line of a batch: its key, what it says, and its file. `open` None: a stored input, or a file not there."""

    key: str
    values: Row
    open: Open | None = None
    size_bytes: int = 0

    @property
    def stored(self) -> bool:
        """Whether it names an input that the service has."""
        return "sha256" in self.values


@contextmanager
def items_of(source: Path, defaults: Row) -> Iterator[list[Item]]:
    """The items of a folder, a zip or a manifest (.csv, .ndjson); `defaults` fill what a manifest leaves open.

    Raises BadRequest: nothing in it, or it is none of these.
    """
    if source.is_dir():
        yield _some(_of_folder(source, defaults))
    elif zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            yield _some(_of_zip(archive, defaults))
    else:
        yield _some(_of_rows(_rows(source), _beside(source.parent), defaults))


def parts(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Runs of items of one kind (with files, or stored), few and small enough for one request."""
    part: list[Item] = []
    size = 0
    for item in items:
        full = len(part) == _PART_ITEMS or size + item.size_bytes > _PART_BYTES
        if part and (full or item.stored != part[0].stored):
            yield part
            part, size = [], 0
        part.append(item)
        size += item.size_bytes
    if part:
        yield part


def _of_folder(folder: Path, defaults: Row) -> list[Item]:
    if (folder / MANIFEST).is_file():
        return _of_rows(_rows(folder / MANIFEST), _beside(folder), defaults)
    return [Item(_text(name), defaults, _opener(path), path.stat().st_size) for path, name in files_of(folder)]


def _of_zip(archive: zipfile.ZipFile, defaults: Row) -> list[Item]:
    entries = {entry.filename: entry for entry in archive.infolist() if not entry.is_dir()}

    def find(name: str) -> tuple[Open, int] | None:
        entry = entries.get(name)
        return None if entry is None else (lambda: archive.open(entry), entry.file_size)

    if MANIFEST in entries:
        with archive.open(MANIFEST) as stream, io.TextIOWrapper(stream, "utf-8-sig", newline="") as text:
            return _of_rows(_table(text), find, defaults)
    return _of_rows([{"file": name} for name in sorted(entries)], find, defaults)


def _of_rows(rows: Sequence[Row], find: Callable[[str], tuple[Open, int] | None], defaults: Row) -> list[Item]:
    items = []
    for row in rows:
        said = {name: text for name, text in row.items() if text.strip()}
        file = said.pop("file", "").strip()
        key = said.pop("key", "").strip() or file or said.get("sha256", "")
        found = find(file) if file and "sha256" not in said else None
        items.append(Item(key, {**defaults, **said}, *(found or ())))
    return items


def _beside(folder: Path) -> Callable[[str], tuple[Open, int] | None]:
    def find(name: str) -> tuple[Open, int] | None:
        path = folder / name
        return (_opener(path), path.stat().st_size) if path.is_file() else None

    return find


def _opener(path: Path) -> Open:
    return lambda: path.open("rb")


def _rows(manifest: Path) -> list[Row]:
    with manifest.open(encoding="utf-8-sig", newline="") as text:
        try:
            return _table(text) if manifest.suffix.lower() == ".csv" else [_row(line) for line in text if line.strip()]
        except (csv.Error, ValueError, AttributeError):
            raise BadRequest(detail=f"{manifest} is neither a folder, a zip nor a manifest of CSV or NDJSON.") from None


def _table(text: IO[str]) -> list[Row]:
    rows = csv.DictReader(text, strict=True)
    return [{name: value or "" for name, value in row.items() if name is not None} for row in rows]


def _row(line: str) -> Row:
    return {name: str(value) for name, value in json.loads(line).items() if value is not None}


def _some(items: list[Item]) -> list[Item]:
    if not items:
        raise BadRequest(detail="There is nothing to submit in it.")
    large = next((item.key for item in items if item.size_bytes > _MOST_BYTES), None)
    if large is not None:
        raise BadRequest(detail=f"{large} is larger than {_MOST_BYTES >> 30} GB; no input may be.")
    return items


def _text(name: str) -> str:
    """A file's name as UTF-8 can say it."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
