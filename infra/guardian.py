"""Stops what runs for one home when its owner dies without doing so, however it dies.

The guardian reads a pipe whose other end only the owner holds: the end of the pipe is the end of the owner. The
kernel's own means (PR_SET_PDEATHSIG) would need code between fork and exec, which is unsafe beside threads, fires when
the starting *thread* ends, is cleared by the change of user that PostgreSQL needs under root, and is Linux's alone.
"""

import subprocess
import sys
from pathlib import Path

from infra.state import locks, stop_abandoned_services, stop_if_unused

_DYING_S = 2.0  # the kernel may close a dying owner's pipe before its locks


class Guardian:
    """The owner's end of the pipe."""

    def __init__(self, home: Path) -> None:
        from shared.settings import child_environment  # the guardian itself stays small without it

        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "infra.guardian", str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=child_environment(),
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """The owner has stopped everything itself."""
        self._process.kill()
        self._process.communicate()


def main(home: Path) -> None:
    """Wait for the owner's end, then stop its services, and the engines of `home` unless others use them."""
    sys.stdin.buffer.read()
    stop_abandoned_services(home, _DYING_S)
    changing, users = locks(home)
    if changing.exclusive(timeout=60):
        stop_if_unused(home, users, _DYING_S)
        changing.release()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
