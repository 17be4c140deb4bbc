"""A part of a batch as the body of a request, made while it is sent: a zip of its files, or lines that name inputs."""

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence

from cli.bulk import MANIFEST, Item

_PIECE = 1 << 18
_UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError)


class Unreadable(Exception):
    """This item's file could not be read to its end."""

    def __init__(self, item: Item) -> None:
        super().__init__(item.key)
        self.item = item


def body_of(part: Sequence[Item]) -> tuple[str, Callable[[], Iterator[bytes]]]:
    """Content type and a maker of the body, a piece at a time. Reading it raises Unreadable."""
    if part[0].stored:
        return "application/x-ndjson", lambda: _lines(part)
    return "application/zip", lambda: _zipped(part)


def _lines(part: Sequence[Item]) -> Iterator[bytes]:
    for item in part:
        yield (json.dumps({**item.values, "key": item.key}) + "\n").encode()


class _Pieces:
    """A file that cannot seek: it holds what was written since it was last asked."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self._held.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Nothing lies elsewhere."""

    def close(self) -> None:
        """Nothing is open."""

    def taken(self) -> bytes:
        held, self._held = b"".join(self._held), []
        return held


def _zipped(part: Sequence[Item]) -> Iterator[bytes]:
    """A zip, made while it is sent. Entries are numbered, so that no file's name can offend; the key carries it."""
    pieces = _Pieces()
    with zipfile.ZipFile(pieces, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(MANIFEST, _manifest(part))
        for number, item in enumerate(part, 1):
            for _ in _added(archive, str(number), item):
                yield pieces.taken()
    yield pieces.taken()


def _added(archive: zipfile.ZipFile, name: str, item: Item) -> Iterator[None]:
    if item.open is None:
        return
    try:
        with item.open() as stream, archive.open(zipfile.ZipInfo(name), "w") as entry:
            while piece := stream.read(_PIECE):
                entry.write(piece)
                yield
    except _UNREADABLE as error:
        raise Unreadable(item) from error


def _manifest(part: Sequence[Item]) -> str:
    columns = sorted({name for item in part for name in item.values})
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["file", "key", *columns])
    for number, item in enumerate(part, 1):
        table.writerow([number, item.key, *(item.values.get(name, "") for name in columns)])
    return text.getvalue()
