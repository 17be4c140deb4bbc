"""Writing what is held under a lease, while the database may be away for a moment."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

AWAY = (DBAPIError, PoolTimeout)
"""What a database that does not answer raises."""
_PAUSE_S = 0.5
_log = structlog.get_logger()
T = TypeVar("T")


def within_lease(write: Callable[[], T], lease_s: float, lost: threading.Event, **whose: object) -> T:
    """Try until the lease would have run out; then somebody else may take it up. `whose`: for the log.

    A write that was committed unconfirmed must change nothing twice: it is guarded by its fence.
    """
    deadline = time.monotonic() + lease_s
    while True:
        try:
            return write()
        except AWAY as error:
            if time.monotonic() > deadline or lost.is_set():
                raise
            _log.warning("write_retried", **whose, error=type(error).__name__)
            time.sleep(_PAUSE_S)
