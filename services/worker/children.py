"""The sandbox's child processes, each on a pipe of its own: a child that is killed can hold nobody else's lock."""

import json
import math
import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.worker import child
from shared.db.tables import PRIORITY_RANK
from shared.settings import Settings

_TRIES, _PAUSE_S = 10, 0.2
Bytes = NDArray[np.uint8]


@dataclass(eq=False)
class Task:
    """One request to a child; `outcome` is what `read` makes of the answer and its slot, once it is `done`.

    `rank`: of two that wait in a child, the lower one goes first. `kills`: how often a child was killed from outside
    while it worked on this. `dropped`: nobody wants the outcome.
    """

    request: Mapping[str, Any]
    read: Callable[[dict[str, Any], Bytes], Any]
    rank: int = PRIORITY_RANK["bulk"]
    outcome: Any = None
    done: bool = False
    dropped: bool = False
    slot: int = -1
    kills: int = 0


class Child:
    """One child and the tasks that it was given; it works on the first."""

    def __init__(self, context: ForkServerContext, arguments: tuple[Any, ...]) -> None:
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=child.serve, args=(theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()
        self.tasks: deque[Task] = deque()
        self.since = time.monotonic()

    def send(self, task: Task) -> None:
        """Give it a task. Raises OSError when it is dead."""
        if not self.tasks:
            self.since = time.monotonic()
        self.tasks.append(task)
        self.pipe.send_bytes(json.dumps({**task.request, "slot": task.slot, "rank": task.rank}).encode())

    def takes(self, task: Task, depth: int) -> bool:
        """Whether it may be given one more: a place is kept for what is more urgent than all that it holds."""
        most = depth + all(task.rank < held.rank for held in self.tasks)
        return len(self.tasks) < most

    def before(self, task: Task) -> tuple[int, int]:
        """How many would go before this task, and how many it holds."""
        return sum(held.rank <= task.rank for held in self.tasks), len(self.tasks)

    def receive(self) -> tuple[Task, dict[str, Any]] | None:
        """The answer to its first task; None when it says that it began another one first.

        Raises EOFError or OSError when it died meanwhile.
        """
        reply: dict[str, Any] = json.loads(self.pipe.recv_bytes())
        if "begun" in reply:
            self.tasks = deque(sorted(self.tasks, key=lambda task: task.slot != reply["begun"]))
            return None
        self.since = time.monotonic()
        return self.tasks.popleft(), reply

    def end(self) -> int | None:
        """Kill it if it lives and reap it; its exit code."""
        self.pipe.close()
        self._process.join(timeout=0.2)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(timeout=5)
        return self._process.exitcode


class Nursery:
    """Starts children, and owns the memory that they fill: `slots` uint8 (count, bytes)."""

    def __init__(self, settings: Settings) -> None:
        slot_bytes = settings.slot_mb * 2**20
        # A child works on one task while the others wait in its pipe: together a group, and one more each, so that
        # nobody stands still while the parent predicts. A further place each is kept for what is more urgent than they.
        self.depth = math.ceil(settings.group_size / settings.sandbox_children) + 1
        count = (self.depth + 1) * settings.sandbox_children
        self._memory = SharedMemory(create=True, size=count * slot_bytes)
        assert self._memory.buf is not None
        self.slots = np.frombuffer(self._memory.buf, np.uint8)[: count * slot_bytes].reshape(count, slot_bytes)
        self._arguments = (self._memory.name, slot_bytes, settings.sandbox_memory_mb * 2**20, settings.sandbox_seconds)
        # forkserver: children start from a process that has the libraries loaded and no threads, sockets or models.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["services.worker.child", "services.worker.preload"])

    def child(self) -> Child:
        """A new child. The first one waits for the fork server to load the libraries (seconds)."""
        for _ in range(_TRIES):
            # The fork server may have been killed just now: it refuses until it is quite dead, then another is started.
            with suppress(EOFError, OSError):
                return Child(self._context, self._arguments)
            time.sleep(_PAUSE_S)
        return Child(self._context, self._arguments)

    def close(self) -> None:
        """Free the slots."""
        del self.slots  # a view keeps the shared memory from being closed
        self._memory.close()
        with suppress(FileNotFoundError):
            self._memory.unlink()
