"""Many questions of one kind, few statements: what is asked while others are being answered is answered together."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
AT_ONCE = 4
MOST = 16  # who is answered together goes on together, and the loop serves nobody else meanwhile


@dataclass(eq=False)
class _Load(Generic[K, V]):
    """Questions that go together; begun when there is a place for it, open to more until then."""

    keys: dict[K, None] = field(default_factory=dict)
    askers: int = 0
    task: asyncio.Task[Mapping[K, V]] | None = None


class Gathered(Generic[K, V]):
    """Answers `get` by `load`, for up to `most` askers at a time; at most `at_once` loads run, each on a connection.

    A question is answered by a load that begins after it was asked, never by one that is under way: what `get` returns
    is not older than its call. Who asks alone is answered at once. An error of a load is raised to all who share it.
    """

    def __init__(
        self, load: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], at_once: int = AT_ONCE, most: int = MOST
    ) -> None:
        self._load, self._most = load, most
        self._places = asyncio.Semaphore(at_once)
        self._next: _Load[K, V] = _Load()

    async def get(self, key: K) -> V | None:
        """The value of a key; None when `load` found none. Raises what `load` raised."""
        if self._next.askers >= self._most:
            self._next = _Load()
        load = self._next
        load.keys[key] = None
        load.askers += 1
        if load.task is None:
            load.task = asyncio.create_task(self._run(load))
        # Who goes away takes nobody's answer with him.
        return (await asyncio.shield(load.task)).get(key)

    async def _run(self, load: _Load[K, V]) -> Mapping[K, V]:
        async with self._places:
            if self._next is load:
                self._next = _Load()
            return await self._load(list(load.keys))
