"""Stops the engines when their owner dies without doing so, however it dies.

It reads a pipe whose other end only the owner holds: the end of the pipe is the end of the owner. The kernel's own
means (PR_SET_PDEATHSIG) would need code between fork and exec, which is unsafe beside threads, fires when the starting
*thread* ends, is cleared by the change of user that PostgreSQL needs under root, and exists on Linux alone.
"""

import sys
from pathlib import Path

from infra.state import locks, stop_if_unused


def main(home: Path) -> None:
    """Wait for the owner's end, then stop the engines of `home` unless others use them."""
    sys.stdin.buffer.read()
    changing, users = locks(home)
    if changing.exclusive(timeout=60):
        stop_if_unused(home, users)
        changing.release()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
