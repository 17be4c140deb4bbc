"""A disk of the test's own: full when it is filled, as before when it is freed."""

import contextlib
import errno
import os
import threading
from pathlib import Path

import pytest

from tests.chaos.disks import disk


def test_a_full_disk_takes_nothing_until_it_is_freed(tmp_path: Path) -> None:
    with disk(tmp_path / "disk") as made:
        if made.reason:
            pytest.skip(made.reason)
        kept = made.folder / "kept"
        kept.write_bytes(b"x" * 100_000)
        made.fill()
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            (made.folder / "more").write_bytes(b"x" * 1_000_000)
        assert kept.read_bytes() == b"x" * 100_000
        made.free()
        (made.folder / "more").write_bytes(b"x" * 1_000_000)


def test_it_is_filled_though_others_write(tmp_path: Path) -> None:
    with disk(tmp_path / "disk") as made:
        if made.reason:
            pytest.skip(made.reason)
        over = threading.Event()
        writing = threading.Thread(target=_write, args=(made.folder / "theirs", over), daemon=True)
        writing.start()
        for _ in range(3):
            made.fill()
            with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
                (made.folder / "more").write_bytes(b"x" * 1_000_000)
            made.free()
        over.set()
        writing.join()


def _write(path: Path, over: threading.Event) -> None:
    """A page at a time, where there is room."""
    with path.open("ab", buffering=0) as file:
        while not over.wait(0.0002):
            with contextlib.suppress(OSError):
                file.write(bytes(4096))
