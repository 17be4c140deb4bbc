"""The client's own memory: a line on the disk before each call and one after it, so that nothing told is forgotten.

What the service said is compared later with what it holds. A call without its second line had no answer that anybody
saw: it may have happened or not.
"""

import json
import os
import threading
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from shared.db.tables import new_id


class Operation(StrEnum):
    """What a client asks of the service."""

    SUBMIT = "submit"
    GET = "get"
    LIST = "list"
    CANCEL = "cancel"
    RETRY = "retry"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    BATCH = "batch"


@dataclass(frozen=True)
class Entry:
    """One call. What was not told is None; what has no field of its own stands in `more`.

    `request` is a digest of what was asked, the same for a repetition and another for another request under the same
    key. `asked` is the job that a get, cancel or retry named; `job_id`, `subject` and `sha256` are what the answer
    said for those, and what was sent for a submission. `body` is a digest of the answer. Times are the client's.
    """

    call: str
    operation: Operation
    at: datetime
    ended_at: datetime | None = None
    tenant: str | None = None
    idempotency_key: str | None = None
    request: str | None = None
    subject: str | None = None
    sha256: str | None = None
    asked: str | None = None
    status: int | None = None
    job_id: str | None = None
    body: str | None = None
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        """Whether the client was told that it worked."""
        return self.status is not None and 200 <= self.status < 300


_NAMED = {each.name for each in fields(Entry)} - {"call", "operation", "at", "ended_at", "more"}


class Journal:
    """Appends to one file until it is left as a context; every line is on the disk before a method returns.

    Any thread may use it.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._file = path.open("a+b")
        self._forget_torn_line()

    def before(self, operation: Operation | str, **facts: Any) -> str:
        """Remember what is about to be asked; returns the call's id, which belongs to `after`."""
        call = new_id().hex
        self._append({"call": call, "operation": Operation(operation), "at": _now(), **facts})
        return call

    def after(self, call: str, **facts: Any) -> None:
        """Remember what was answered."""
        self._append({"call": call, "ended_at": _now(), **facts})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _append(self, line: dict[str, Any]) -> None:
        body = json.dumps(line, default=str).encode() + b"\n"
        with self._lock:
            self._file.write(body)
            self._file.flush()
            os.fsync(self._file.fileno())

    def _forget_torn_line(self) -> None:
        """A client that was killed while it wrote had not asked yet, or had not told anybody what it heard."""
        self._file.seek(0)
        whole = self._file.read().rfind(b"\n") + 1
        self._file.truncate(whole)


def read(path: Path) -> list[Entry]:
    """The calls in the order in which they began; a torn last line is left out. Raises ValueError for any other."""
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    calls: dict[str, dict[str, Any]] = {}
    for line in whole.splitlines():
        told = json.loads(line)
        calls.setdefault(told["call"], {}).update(told)
    return [_entry(told) for told in calls.values()]


def _entry(told: dict[str, Any]) -> Entry:
    ended = told.pop("ended_at", None)
    return Entry(
        call=told.pop("call"),
        operation=Operation(told.pop("operation")),
        at=datetime.fromisoformat(told.pop("at")),
        ended_at=datetime.fromisoformat(ended) if ended else None,
        **{name: told.pop(name) for name in _NAMED & set(told)},
        more=told,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat()
