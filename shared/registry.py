"""Versions as folders: sealed, addressed by sha256, verified at every load. Reads cards; never runs a model.

A version is `card.json`, `model.onnx`, `golden.npy` and `NOTICE.md`, and a `manifest.json` that names every file's
sha256. The version's address is the sha256 of that manifest, so one flipped bit anywhere is another version.
"""

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from shared.errors import VersionInvalid
from shared.schemas import Card
from shared.storage import sync_folder

MANIFEST = "manifest.json"
FILES = ("card.json", "model.onnx", "golden.npy", "NOTICE.md")


@dataclass(frozen=True)
class Artefact:
    """A verified version on disk."""

    sha256: str
    folder: Path
    card: Card

    @property
    def model(self) -> Path:
        """The ONNX graph."""
        return self.folder / "model.onnx"

    @property
    def golden(self) -> Path:
        """Generated inputs, float32 (n, *tensor.shape), in NumPy's format without objects."""
        return self.folder / self.card.golden.file


def seal(folder: Path) -> str:
    """Write the manifest of a folder that holds all of `FILES` and return the version's address."""
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise VersionInvalid(detail=f"The version lacks {', '.join(missing)}.")
    files = {name: _sha256(folder / name) for name in FILES}
    body = json.dumps({"schema_version": 1, "files": files}, sort_keys=True, indent=1) + "\n"
    (folder / MANIFEST).write_text(body)
    return hashlib.sha256(body.encode()).hexdigest()


def verify(folder: Path, expected: str | None = None) -> Artefact:
    """Check every file against the manifest, and the manifest against the expected address.

    Raises VersionInvalid: a file is missing, altered or not named; the card does not parse; the address differs.
    """
    try:
        body = (folder / MANIFEST).read_bytes()
        files: dict[str, str] = json.loads(body)["files"]
        address = hashlib.sha256(body).hexdigest()
        if expected is not None and address != expected:
            raise VersionInvalid(detail="The version's manifest is not the one that was published.")
        _compare(folder, files)
        card = Card.model_validate_json((folder / "card.json").read_bytes())
    except (OSError, ValidationError, KeyError, ValueError, TypeError) as error:
        raise VersionInvalid(detail=f"The version cannot be read: {type(error).__name__}.") from error
    return Artefact(address, folder, card)


def store(folder: Path, versions_dir: Path) -> Artefact:
    """Copy a sealed folder into the store, atomically: other processes see all of it or nothing."""
    source = verify(folder)
    target = versions_dir / source.sha256
    if not target.exists():
        versions_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=versions_dir, prefix=".incoming-") as scratch:
            staged = Path(scratch) / "version"
            staged.mkdir()
            for name in (*FILES, MANIFEST):
                _copy_durably(folder / name, staged / name)
            try:
                staged.rename(target)
            except OSError:  # another process stored the same version first
                if not target.exists():
                    raise
            sync_folder(versions_dir)
    return verify(target, source.sha256)


def _compare(folder: Path, files: dict[str, str]) -> None:
    if set(files) != set(FILES):
        raise VersionInvalid(detail="The version's manifest names other files than a version has.")
    for name, digest in files.items():
        if _sha256(folder / name) != digest:
            raise VersionInvalid(detail=f"The version's {name} was altered after publishing.")


def _copy_durably(source: Path, target: Path) -> None:
    with source.open("rb") as reader, target.open("wb") as writer:
        shutil.copyfileobj(reader, writer)
        writer.flush()
        os.fsync(writer.fileno())


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
