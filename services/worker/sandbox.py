"""Foreign bytes are opened in killable children.

A child that dies by SIGKILL was killed from outside (by an operator or the kernel): its input runs again and is not
charged. A child that dies by itself died of its input: that input is `Lost` and charged. What waited behind it in the
same pipe is innocent and runs again.
"""

import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, cast

import numpy as np
import structlog

from services.worker.children import DEPTH, Child, Nursery, Task
from shared.runtimes import Floats
from shared.schemas import Note, Step
from shared.sentences import say
from shared.settings import Settings
from shared.telemetry import CHILDREN_LOST

_MOST_KILLS = 60  # of children at one input within one claim, before the attempt counts
_log = structlog.get_logger()


@dataclass(frozen=True)
class Order:
    """One stored input to prepare."""

    path: str
    sha256: str
    media_type: str
    steps: Sequence[Step]


@dataclass(frozen=True, eq=False)
class Ready:
    """A prepared input: tensor float32 of the card's shape."""

    tensor: Floats
    quality: list[Note]
    facts: dict[str, str | float]
    milliseconds: float


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
    """Prepares inputs in children, some ahead of the reader; outcomes come in order. For one user at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._nursery = Nursery(settings)
        self._children: list[Child] = []
        self._free = deque(range(len(self._nursery.slots)))
        self._todo: deque[Task] = deque()
        self._done: dict[int, Any] = {}

    def start(self) -> None:
        """Start the children; returns when they are born (seconds: they load the libraries once)."""
        while len(self._children) < self._settings.sandbox_children:
            self._children.append(self._nursery.child())

    def prepare(self, orders: Sequence[Order]) -> Iterator[Outcome]:
        """Yield one outcome an order, in order; later ones are being prepared meanwhile."""
        return self._run([_request(order) for order in orders], self._ready)

    def render(self, path: str, sha256: str, media_type: str, kind: str) -> bytes | None:
        """A PNG of one input; None when it cannot be drawn."""
        request = {"path": path, "sha256": sha256, "media_type": media_type, "kind": kind}
        return next(self._run([request], self._png), None)

    def close(self) -> None:
        """Kill the children and free the slots."""
        for child in self._children:
            child.end()
        self._children.clear()
        self._nursery.close()

    def _run(self, requests: Sequence[dict[str, Any]], read: Any) -> Iterator[Any]:
        self.start()
        self._todo = deque(Task(index, request) for index, request in enumerate(requests))
        try:
            for index in range(len(requests)):
                while index not in self._done:
                    self._assign()
                    self._collect(read, self._patience())
                self._collect(read, 0)
                self._assign()
                yield self._done.pop(index)
        finally:
            self._abandon()

    def _assign(self) -> None:
        while self._todo and self._free:
            child = min(self._children, key=lambda child: len(child.tasks))
            if len(child.tasks) >= DEPTH:
                return
            task = self._todo.popleft()
            task.slot = self._free.popleft()
            try:
                child.send(task)
            except OSError:
                child.tasks.append(task)
                self._bury(child)

    def _collect(self, read: Any, timeout: float) -> None:
        """Take the answers that are there, waiting up to `timeout` seconds for one; replace children that are gone."""
        pipes = {child.pipe: child for child in self._children if child.tasks}
        for pipe in wait(list(pipes), timeout):
            child = pipes[cast(Connection, pipe)]
            try:
                task, reply = child.receive()
            except (EOFError, OSError):
                self._bury(child)
                continue
            self._finish(task, read(task, reply))
        for child in [child for child in self._children if child.tasks and self._remaining(child) <= 0]:
            CHILDREN_LOST.labels("time").inc()
            self._finish(child.tasks.popleft(), Refused("input_too_slow", say("input_too_slow"), rejected=True))
            self._replace(child)

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
        for task in reversed(child.tasks):
            self._free.append(task.slot)
            self._todo.appendleft(task)
        self._children[self._children.index(child)] = self._nursery.child()

    def _finish(self, task: Task, outcome: Any) -> None:
        self._free.append(task.slot)
        self._done[task.index] = outcome

    def _abandon(self) -> None:
        """The reader left early: nobody may write into a slot that is given to another."""
        self._todo.clear()
        for child in [child for child in self._children if child.tasks]:
            self._replace(child)
        self._todo.clear()
        self._done.clear()

    def _patience(self) -> float:
        return max(0.0, min((self._remaining(child) for child in self._children if child.tasks), default=0.0))

    def _remaining(self, child: Child) -> float:
        return child.since + self._settings.sandbox_seconds - time.monotonic()

    def _ready(self, task: Task, reply: dict[str, Any]) -> Ready | Refused:
        if "code" in reply:
            if "error" in reply:
                _log.error("prepare_failed", error=reply["error"])
            return Refused(reply["code"], reply["detail"], reply["rejected"])
        count = int(np.prod(reply["shape"])) * 4
        tensor = self._nursery.slots[task.slot, :count].view(np.float32).reshape(reply["shape"]).copy()
        quality = [Note.model_validate(note) for note in reply["quality"]]
        return Ready(tensor, quality, reply["facts"], reply["milliseconds"])

    def _png(self, task: Task, reply: dict[str, Any]) -> bytes | None:
        return self._nursery.slots[task.slot, : reply["size"]].tobytes() if "size" in reply else None


def _request(order: Order) -> dict[str, Any]:
    steps = [step.model_dump() for step in order.steps]
    return {"path": order.path, "sha256": order.sha256, "media_type": order.media_type, "steps": steps}
