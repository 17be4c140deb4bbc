"""A version as one file, to carry it between installations: a zip of its five files, stored as they are.

What is unpacked comes from anywhere: names, sizes and hashes are checked, and nothing is written that was not.
"""

import lzma
import shutil
import zipfile
import zlib
from pathlib import Path

from shared.errors import VersionInvalid
from shared.registry import FILES, MANIFEST, Artefact, verify

_MIB = 2**20
MOST = {"card.json": _MIB, "NOTICE.md": _MIB, MANIFEST: _MIB, "golden.npy": 64 * _MIB, "model.onnx": 1024 * _MIB}
_DATE = (2026, 1, 1, 0, 0, 0)  # the same version gives the same bytes
_PIECE = 2**20
# The key under which a graph names another file; an engine would open it. No version of ours holds the word.
_LOCATION = b"location"
# A broken or nested archive, one that needs a password or a method we lack, a manifest nested without end.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
    OSError,
)


def pack(artefact: Artefact, file: Path) -> None:
    """Write a version that was verified; who is stopped leaves no half of it."""
    draft = file.with_name(f".{file.name}.draft")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as archive:
        for name in (MANIFEST, *FILES):
            entry = zipfile.ZipInfo(name, _DATE)
            with archive.open(entry, "w", force_zip64=True) as target, (artefact.folder / name).open("rb") as source:
                shutil.copyfileobj(source, target)
    draft.replace(file)


def unpack(file: Path, folder: Path) -> Artefact:
    """Check an archive and write its version into an empty folder.

    Raises VersionInvalid: no archive, other names than a version's, a file too large, altered or pointing elsewhere.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            for entry in _entries(archive):
                _extract(archive, entry, folder / entry.filename)
        if _points_elsewhere(folder / "model.onnx"):
            raise _invalid("its graph points to a file outside of it")
        return verify(folder)
    except _DAMAGED as error:
        raise _invalid("it is damaged, or no archive of a version") from error


def _entries(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Exactly the files of a version, each once: no folders, no other paths."""
    entries = archive.infolist()
    if sorted(entry.filename for entry in entries) != sorted(MOST):
        raise _invalid("it does not hold exactly the five files of a version")
    return entries


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    """Piece by piece: what an archive says of its sizes is not believed."""
    left = MOST[entry.filename]
    with archive.open(entry) as source, target.open("xb") as stream:
        while piece := source.read(_PIECE):
            left -= len(piece)
            if left < 0:
                raise _invalid(f"its {entry.filename} is larger than a version's may be")
            stream.write(piece)


def _points_elsewhere(model: Path) -> bool:
    """Whether the bytes hold the key that an external tensor needs; read with an overlap."""
    tail = b""
    with model.open("rb") as stream:
        while piece := stream.read(_PIECE):
            if _LOCATION in tail + piece:
                return True
            tail = piece[-len(_LOCATION) :]
    return False


def _invalid(why: str) -> VersionInvalid:
    return VersionInvalid("archive_invalid", detail=f"The archive cannot be imported: {why}. Nothing was kept of it.")
