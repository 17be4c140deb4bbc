"""A disk of the test's own: full when it is filled, as before when it is freed."""

import errno
import os
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
