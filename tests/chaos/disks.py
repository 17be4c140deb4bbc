"""A disk that can be filled: a small one in memory, mounted where the service keeps something."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SIZE_MB = 900
_PIECE = bytes(2**20)


@dataclass
class Disk:
    """`reason` says why it is no disk of its own and cannot be filled; empty when it is one."""

    folder: Path
    reason: str = ""

    def fill(self) -> None:
        """Leave no room for one more byte."""
        with self._ballast.open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(_PIECE)

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)

    @property
    def _ballast(self) -> Path:
        return self.folder / ".ballast"


@contextlib.contextmanager
def disk(folder: Path) -> Iterator[Disk]:
    """Mount one at `folder`, where we may."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Disk(folder, _mounted(folder))
    try:
        yield made
    finally:
        if not made.reason:
            subprocess.run(["umount", "--lazy", str(folder)], check=False, capture_output=True)


def _mounted(folder: Path) -> str:
    """Empty when it worked, else why not."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return "only root may mount a disk"
    command = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE_MB}m,mode=0755", "tmpfs", str(folder)]
    ended = subprocess.run(command, check=False, capture_output=True)
    return "this machine allows no mount" if ended.returncode else ""
