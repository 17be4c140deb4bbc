"""Where engines of a test keep their data: in memory, where there is room for it."""

import shutil
from pathlib import Path

_ROOM = 4 << 30  # bytes; all databases of a run take far less at any time


def memory() -> Path | None:
    """A folder in memory, or none: a disk that stalls for seconds is no finding about the service.

    Copying a database takes a third of the time there.
    """
    folder = Path("/dev/shm")
    return folder if folder.is_dir() and shutil.disk_usage(folder).free >= _ROOM else None
