"""A pool of killable children in which foreign bytes are opened.

A child that dies by SIGKILL was killed from outside (by an operator or the kernel): its input runs again and is not
charged. A child that dies by itself died of its input: that input is `Lost` and charged. A pool that breaks is rebuilt,
and what it held runs again.
"""

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np
import structlog
from pebble import ProcessExpired, ProcessFuture, ProcessPool

from services.worker import child
from shared.errors import InputRejected
from shared.runtimes import Floats
from shared.schemas import Note, Step
from shared.settings import Settings
from shared.telemetry import CHILDREN_LOST

Future = ProcessFuture[Any]
_MOST_RUNS = 12  # of one input within one claim, when its children are killed from outside
_GRACE_S = 10.0
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
    """Prepares inputs in children, some ahead of the reader; results come in the order asked for."""

    def __init__(self, settings: Settings, ahead: int) -> None:
        self._settings = settings
        self._slot_bytes = settings.slot_mb * 2**20
        self._slots = SharedMemory(create=True, size=ahead * self._slot_bytes)
        assert self._slots.buf is not None
        self._memory = np.frombuffer(self._slots.buf, np.float32)
        self._free = deque(range(ahead))
        # forkserver: children start from a process that has the libraries loaded and no threads or models.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["services.worker.child", "services.worker.preload"])
        self._pool = self._build()

    def begin(self) -> list[Future]:
        """Start the children; each future ends when one answers."""
        return [self._pool.schedule(child.ready) for _ in range(self._settings.sandbox_children)]

    def prepare(self, orders: Sequence[Order]) -> Iterator[Outcome]:
        """Yield one outcome an order, in order; later ones are being prepared meanwhile."""
        waiting = deque(orders)
        flight: deque[tuple[Order, int, Future]] = deque()
        try:
            while waiting or flight:
                while waiting and self._free:
                    order, slot = waiting.popleft(), self._free.popleft()
                    flight.append((order, slot, self._schedule(order, slot)))
                order, slot, future = flight[0]
                outcome = self._settle(order, slot, future)
                flight.popleft()
                self._free.append(slot)
                yield outcome
        finally:
            for _, slot, future in flight:
                future.cancel()  # type: ignore[no-untyped-call]
                self._free.append(slot)

    def render(self, path: str, sha256: str, media_type: str, kind: str) -> bytes | None:
        """A PNG of one input; None when it cannot be drawn or its child died."""
        future = self._living_pool().schedule(
            child.render_bytes, args=[path, sha256, media_type, kind], timeout=self._settings.sandbox_seconds
        )
        try:
            picture: bytes | None = future.result(timeout=self._settings.sandbox_seconds + _GRACE_S)
        except (ProcessExpired, TimeoutError, CancelledError, RuntimeError, OSError):
            return None
        return picture

    def close(self) -> None:
        """Kill the children and free the slots."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join(timeout=5)
        del self._memory  # a view keeps the shared memory from being closed
        self._slots.close()
        self._slots.unlink()

    def _settle(self, order: Order, slot: int, future: Future) -> Outcome:
        for _ in range(_MOST_RUNS):
            try:
                return self._read(slot, future.result(timeout=self._settings.sandbox_seconds + _GRACE_S))
            except TimeoutError:
                if future.done():
                    CHILDREN_LOST.labels("time").inc()
                    return _refused("input_too_slow")
                self._rebuild()
            except ProcessExpired as death:
                if death.exitcode != -signal.SIGKILL:
                    CHILDREN_LOST.labels("died").inc()
                    _log.warning("child_died", exitcode=death.exitcode)
                    return Lost()
                CHILDREN_LOST.labels("killed").inc()
            except (CancelledError, RuntimeError, OSError) as error:
                _log.warning("pool_broken", error=type(error).__name__)
            future = self._schedule(order, slot)
        return Lost()

    def _read(self, slot: int, answer: dict[str, Any]) -> Outcome:
        if "code" in answer:
            return Refused(answer["code"], answer["detail"], answer["rejected"])
        count = int(np.prod(answer["shape"]))
        first = slot * self._slot_bytes // self._memory.itemsize
        tensor = self._memory[first : first + count].reshape(answer["shape"]).copy()
        quality = [Note.model_validate(note) for note in answer["quality"]]
        return Ready(tensor, quality, answer["facts"], answer["milliseconds"])

    def _schedule(self, order: Order, slot: int) -> Future:
        steps = [step.model_dump() for step in order.steps]
        args = [slot, self._slot_bytes, order.path, order.sha256, order.media_type, steps]
        return self._living_pool().schedule(child.prepare_into, args=args, timeout=self._settings.sandbox_seconds)

    def _living_pool(self) -> ProcessPool:
        if not self._pool.active:
            self._rebuild()
        return self._pool

    def _rebuild(self) -> None:
        CHILDREN_LOST.labels("pool").inc()
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join(timeout=5)
        self._pool = self._build()

    def _build(self) -> ProcessPool:
        return ProcessPool(
            max_workers=self._settings.sandbox_children,
            initializer=child.start,
            initargs=[self._slots.name, self._settings.sandbox_memory_mb * 2**20],
            context=self._context,
        )


def _refused(code: str) -> Refused:
    error = InputRejected(code)
    return Refused(error.code, error.detail, rejected=True)
