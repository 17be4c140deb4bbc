"""A zip that anybody may have made: looked at whole before anything is read, read piece by piece, never extracted.

Names only connect lines of the manifest with entries; nothing is ever opened or created under them.
"""

import stat
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from shared.errors import Unprocessable

MANIFEST = "manifest.csv"
_PIECE = 1 << 18
_RATIO = 100
_RATIO_FREE = 1 << 20  # small entries may shrink as they like
_DIRECTORY_BYTES = 32 << 20
_TAIL = 65557  # the longest end record with its comment
_END, _END_BYTES, _END_64 = b"PK\x05\x06", 22, b"PK\x06\x07"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGED = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError, OSError)


class ArchiveRefused(Unprocessable):
    """The archive as a whole is damaged or hostile."""

    def __init__(self, why: str) -> None:
        super().__init__("archive_refused", why=why)


class EntryDamaged(Unprocessable):
    """One entry is not what the archive says."""

    code = "item_damaged"


class Archive:
    """An open archive whose entries were all checked. Blocks: use it in a thread."""

    def __init__(self, file: BinaryIO, most_entries: int, most_bytes: int) -> None:
        _check_end(file, most_entries + 1)
        try:
            self._zip = zipfile.ZipFile(file)
        except _DAMAGED as error:
            raise ArchiveRefused("it is damaged.") from error
        entries = self._zip.infolist()
        self._entries = {entry.filename: entry for entry in entries if not entry.is_dir()}
        _check_entries(entries, most_bytes)

    def size(self, name: str) -> int | None:
        """Unpacked bytes of an entry as announced, or None when there is none such."""
        entry = self._entries.get(name)
        return None if entry is None else entry.file_size

    def pieces(self, name: str, most: int) -> Iterator[bytes]:
        """The bytes of an entry; never more than were announced. Raises EntryDamaged."""
        entry = self._entries[name]
        left = min(entry.file_size, most)
        try:
            with self._zip.open(entry) as stream:
                while piece := stream.read(_PIECE):
                    left -= len(piece)
                    if left < 0:
                        raise EntryDamaged
                    yield piece
        except _DAMAGED as error:
            raise EntryDamaged from error


def _check_end(file: BinaryIO, most_entries: int) -> None:
    """Bound the directory before anybody reads it into memory."""
    size = file.seek(0, 2)
    start = max(0, size - _TAIL)
    file.seek(start)
    tail = file.read()
    at = len(tail) - _END_BYTES
    if at < 0 or not (tail[at:].startswith(_END) and tail.endswith(b"\0\0")):
        at = tail.rfind(_END)
    if at < 0 or len(tail) < at + _END_BYTES:
        raise ArchiveRefused("it is not a zip, or its end is missing.")
    if tail[max(0, at - 20) : at].startswith(_END_64):
        raise ArchiveRefused("it is larger than a plain zip can be.")
    entries = int.from_bytes(tail[at + 10 : at + 12], "little")
    directory = int.from_bytes(tail[at + 12 : at + 16], "little")
    if entries > most_entries or directory > _DIRECTORY_BYTES:
        raise ArchiveRefused(f"it has more than {most_entries - 1} files.")
    file.seek(0)


def _check_entries(entries: list[zipfile.ZipInfo], most_bytes: int) -> None:
    names: set[str] = set()
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        why = _flaw(entry)
        if why is None and entry.filename in names:
            why = "a name occurs twice."
        if why is None and entry.header_offset < end:
            why = "entries overlap."
        if why is not None:
            raise ArchiveRefused(why)
        names.add(entry.filename)
        end = entry.header_offset + 30 + entry.compress_size
    if sum(entry.file_size for entry in entries) > most_bytes:
        raise ArchiveRefused(f"it unpacks to more than {most_bytes >> 20} MB.")


def _flaw(entry: zipfile.ZipInfo) -> str | None:
    name = entry.orig_filename
    if name.startswith("/") or "\\" in name or "\0" in name or ":" in name.split("/")[0]:
        return "a name is absolute or holds a character that names may not hold."
    if any(part in ("..", ".") for part in name.split("/")):
        return "a name leads out of the archive."
    if entry.flag_bits & 0x1:
        return "a file is encrypted."
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "an entry is a link or a device."
    if entry.compress_type not in _METHODS:
        return "a file is packed in another way than stored or deflated."
    if entry.file_size > _RATIO_FREE and entry.file_size > _RATIO * max(entry.compress_size, 1):
        return "a file unpacks to more than a hundred times its size."
    return None
