"""Foreign bytes are opened in killable children.

A child that dies by SIGKILL was killed from outside (by an operator or the kernel): its input runs again and is not
charged. A child that dies by itself died of its input: that input is `Lost` and charged. What it held besides is
innocent and runs again. A child takes the most urgent of what it holds next.
"""

import signal
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, cast

import numpy as np
import structlog

from services.worker.children import Bytes, Child, Nursery, Task
from shared.db.tables import PRIORITY_RANK
from shared.runtimes import Floats
from shared.schemas import Note
from shared.sentences import say
from shared.settings import Settings
from shared.telemetry import CHILDREN_LOST

_MOST_KILLS = 60  # of children at one input within one claim, before the attempt counts
_log = structlog.get_logger()


@dataclass(frozen=True)
class Order:
    """One stored input to prepare; `steps`: a card's pipeline as JSON; `lungs`: look for them as well."""

    path: str
    sha256: str
    media_type: str
    steps: Sequence[Mapping[str, Any]]
    lungs: bool = False


@dataclass(frozen=True, eq=False)
class Ready:
    """A prepared input: tensor float32 of the card's shape; `lungs` as `lungs.pack` has it, where there are any."""

    tensor: Floats
    quality: list[Note]
    facts: dict[str, str | float]
    milliseconds: float
    lungs: str | None = None


@dataclass(frozen=True)
class Refused:
    """The input ends here: `rejected` when it is unusable, else failed for a reason that is not its fault."""

    code: str
    detail: str
    rejected: bool


@dataclass(frozen=True)
class Lost:
    """The child died of this input."""


Outcome = Ready | Refused | Lost


class Sandbox:
    """Prepares inputs in children while its owner does other things. For one thread at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._nursery = Nursery(settings)
        self._children: list[Child] = []
        self._free = deque(range(len(self._nursery.slots)))
        self._todo: deque[Task] = deque()

    def start(self) -> None:
        """Start the children; returns when they are born (seconds: they load the libraries once)."""
        while len(self._children) < self._settings.sandbox_children:
            self._children.append(self._nursery.child())

    def put(self, orders: Sequence[Order], *, rank: int = PRIORITY_RANK["bulk"]) -> list[Task]:
        """Have inputs prepared: after those that are as urgent, before all of a higher rank that no child has begun.

        One task an order: its `outcome` (an Outcome) is there when it is `done`; `wait` makes that happen.
        """
        tasks = [Task(_request(order), _ready, rank) for order in orders]
        self._queue([*self._todo, *tasks])
        self._assign()
        return tasks

    def wait(self, seconds: float) -> None:
        """Take what the children have ready, waiting up to `seconds` for something, and give them more."""
        self._assign()
        self._collect(min(seconds, self._patience()))
        while self._collect(0):
            pass
        self._assign()

    def drop(self, tasks: Iterable[Task]) -> None:
        """Forget tasks. One that a child works on is finished and thrown away, for nobody else may have its slot."""
        for task in tasks:
            task.dropped = True
        self._todo = deque(task for task in self._todo if not task.dropped)

    def render(self, path: str, sha256: str, media_type: str, kind: str) -> bytes | None:
        """A PNG of one input; None when it cannot be drawn."""
        task = Task({"path": path, "sha256": sha256, "media_type": media_type, "kind": kind}, _png)
        self._todo.appendleft(task)
        while not task.done:
            self.wait(1.0)
        return task.outcome if isinstance(task.outcome, bytes) else None

    def close(self) -> None:
        """Kill the children and free the slots."""
        for child in self._children:
            child.end()
        self._children.clear()
        self._nursery.close()

    def _queue(self, tasks: Iterable[Task]) -> None:
        """All that no child was given yet, the most urgent first, else in this order."""
        self._todo = deque(sorted(tasks, key=lambda task: task.rank))

    def _assign(self) -> None:
        self.start()
        while self._todo and self._free:
            task = self._todo[0]
            child = min(self._children, key=lambda child: child.before(task))
            if not child.takes(task, self._nursery.depth):
                return
            self._todo.popleft()
            task.slot = self._free.popleft()
            # One that is dead is buried when what it said before is read.
            with suppress(OSError):
                child.send(task)

    def _collect(self, timeout: float) -> bool:
        """Take an answer of every child that has one, waiting up to `timeout` seconds; replace those that are gone."""
        pipes = {child.pipe: child for child in self._children if child.tasks}
        answered = wait(list(pipes), timeout)
        for pipe in answered:
            child = pipes[cast(Connection, pipe)]
            try:
                answer = child.receive()
            except (EOFError, OSError):
                self._bury(child)
                continue
            if answer is not None:
                task, reply = answer
                self._finish(task, task.read(reply, self._nursery.slots[task.slot]))
        for child in [child for child in self._children if child.tasks and self._remaining(child) <= 0]:
            CHILDREN_LOST.labels("time").inc()
            self._finish(child.tasks.popleft(), Refused("input_too_slow", say("input_too_slow"), rejected=True))
            self._replace(child)
        return bool(answered)

    def _bury(self, child: Child) -> None:
        """Tell why it died: by whose hand decides whether its first task is charged."""
        exitcode = child.end()
        task = child.tasks[0]
        if exitcode == -signal.SIGKILL and task.kills < _MOST_KILLS:
            task.kills += 1
            CHILDREN_LOST.labels("killed").inc()
        else:
            _log.warning("child_died", exitcode=exitcode)
            CHILDREN_LOST.labels("died").inc()
            self._finish(child.tasks.popleft(), Lost())
        self._replace(child)

    def _replace(self, child: Child) -> None:
        child.end()
        self._free.extend(task.slot for task in child.tasks)
        self._queue([*(task for task in child.tasks if not task.dropped), *self._todo])
        self._children[self._children.index(child)] = self._nursery.child()

    def _finish(self, task: Task, outcome: Any) -> None:
        self._free.append(task.slot)
        task.outcome, task.done = outcome, True

    def _patience(self) -> float:
        return max(0.0, min((self._remaining(child) for child in self._children if child.tasks), default=0.0))

    def _remaining(self, child: Child) -> float:
        return child.since + self._settings.sandbox_seconds - time.monotonic()


def _request(order: Order) -> dict[str, Any]:
    return asdict(order)


def _ready(reply: dict[str, Any], slot: Bytes) -> Ready | Refused:
    if "code" in reply:
        if "error" in reply:
            _log.error("prepare_failed", error=reply["error"])
        return Refused(reply["code"], reply["detail"], reply["rejected"])
    tensor = slot[: int(np.prod(reply["shape"])) * 4].view(np.float32).reshape(reply["shape"]).copy()
    quality = [Note.model_validate(note) for note in reply["quality"]]
    return Ready(tensor, quality, reply["facts"], reply["milliseconds"], reply["lungs"])


def _png(reply: dict[str, Any], slot: Bytes) -> bytes | None:
    return slot[: reply["size"]].tobytes() if "size" in reply else None
