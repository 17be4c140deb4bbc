"""How much may wait: bounds of jobs and bytes, per hospital and in all, checked before a body is read.

Nothing is counted on the request path. A task counts once a second, and what this gateway let in since is added; see
ADR `admission`. Who is refused is told after how many seconds there should be room.
"""

import math
import secrets
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db.statements import waiting
from shared.errors import Overloaded, TooMany
from shared.settings import Settings

SHARE = 0.05  # counting takes at most this share of the time, however much waits
_STALE_S = 30.0
_ROOM = 0.02  # who is refused comes back to so much room, not to a single place
_FIRST_S, _LAST_S, _UNKNOWN_S = 1, 300, 60
_BULK = 0.9  # batches leave the rest to single studies


@dataclass(frozen=True)
class Load:
    """Jobs and bytes of their inputs."""

    jobs: float = 0
    size_bytes: float = 0

    def __add__(self, other: "Load") -> "Load":
        return Load(self.jobs + other.jobs, self.size_bytes + other.size_bytes)

    def __sub__(self, other: "Load") -> "Load":
        return Load(self.jobs - other.jobs, self.size_bytes - other.size_bytes)

    def within(self, most: "Load") -> bool:
        """Whether it fits."""
        return self.jobs <= most.jobs and self.size_bytes <= most.size_bytes

    def times(self, factor: float) -> "Load":
        """A share of it."""
        return Load(self.jobs * factor, self.size_bytes * factor)


Loads = Mapping[UUID, Load]


@dataclass(frozen=True)
class Counted:
    """One look at the queue: what waits and what ends per second, by hospital."""

    waiting: Loads = field(default_factory=dict)
    rates: Loads = field(default_factory=dict)
    at: float = -math.inf

    @cached_property
    def whole(self) -> Load:
        """What waits in all."""
        return _sum(self.waiting)

    @cached_property
    def rate(self) -> Load:
        """What ends per second in all."""
        return _sum(self.rates)


class Admission:
    """The bounds of one gateway. Before the first look, and while none succeeds, everybody is let in."""

    def __init__(self, settings: Settings, engine: AsyncEngine) -> None:
        self._engine = engine
        self._own = Load(settings.max_waiting, settings.max_waiting_mb * 2**20)
        self._all = Load(settings.max_waiting_all, settings.max_waiting_all_mb * 2**20)
        self._counted = Counted()
        self._since: defaultdict[UUID, Load] = defaultdict(Load)  # let in since that look
        self._open: defaultdict[UUID, Load] = defaultdict(Load)  # being received

    @contextmanager
    def room(self, tenant: UUID, size_bytes: int, jobs: int = 1, *, bulk: bool = False) -> Iterator[None]:
        """Hold room while something is received and committed. Raises TooMany or Overloaded when there is none."""
        asked = Load(jobs, size_bytes)
        self._check(tenant, asked, _BULK if bulk else 1.0)
        self._open[tenant] += asked
        try:
            yield
            self.add(tenant, jobs, size_bytes)
        finally:
            self._open[tenant] -= asked

    def has_room(self, tenant: UUID, size_bytes: int) -> bool:
        """Whether one more job would be let in now."""
        try:
            self._check(tenant, Load(1, size_bytes), 1.0)
        except (TooMany, Overloaded):
            return False
        return True

    def add(self, tenant: UUID, jobs: int, size_bytes: int) -> None:
        """Remember what was let in, until the next look sees it."""
        self._since[tenant] += Load(jobs, size_bytes)

    async def look(self) -> None:
        """Count what waits. What is committed meanwhile may be counted twice until the next look, never missed."""
        committed = dict(self._since)  # the count will hold these, so they leave the sum when it is there
        async with self._engine.begin() as connection:
            await connection.execute(waiting.by_index())
            queued = _loads((await connection.execute(waiting.waiting(int(self._all.jobs) + 1))).all())
            drained = _loads((await connection.execute(waiting.drained())).all())
        for tenant, load in committed.items():
            self._since[tenant] -= load
        rates = {tenant: load.times(1 / waiting.WINDOW_S) for tenant, load in drained.items()}
        self._counted = Counted(queued, rates, time.monotonic())

    def _check(self, tenant: UUID, asked: Load, share: float) -> None:
        counted = self._counted
        if time.monotonic() - counted.at > _STALE_S:
            return  # the database is away, and says so itself
        whole = counted.whole + _sum(self._since) + _sum(self._open) + asked
        if not whole.within(self._all.times(share)):
            raise Overloaded(_seconds(whole, self._all.times(share), counted.rate))
        nothing = Load()
        own = counted.waiting.get(tenant, nothing) + self._since[tenant] + self._open[tenant] + asked
        if not own.within(self._own.times(share)):
            rate = counted.rates.get(tenant, nothing)
            raise TooMany("queue_full", _seconds(own, self._own.times(share), rate))


def _seconds(load: Load, most: Load, rate: Load) -> int:
    """After how long there should be room, at the rate at which work ended lately; spread, so that not all come."""
    over = load - most.times(1 - _ROOM)
    pairs = ((over.jobs, rate.jobs), (over.size_bytes, rate.size_bytes))
    times = [amount / speed if speed > 0 else _UNKNOWN_S for amount, speed in pairs if amount > 0]
    seconds = min(max(math.ceil(max(times, default=_FIRST_S)), _FIRST_S), _LAST_S)
    return seconds + secrets.randbelow(seconds // 4 + 1)


def _sum(loads: Loads) -> Load:
    return sum(loads.values(), Load())


def _loads(rows: Iterable[Row[Any]]) -> dict[UUID, Load]:
    return {row.tenant_id: Load(row.jobs, row.size_bytes) for row in rows}
