"""The files of a folder, as every command that takes one sees them."""

from collections.abc import Iterator
from pathlib import Path


def files_of(folder: Path) -> Iterator[tuple[Path, str]]:
    """Each file and its path within the folder, by name; hidden ones and what lies in hidden folders are left out."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            yield path, name.as_posix()
