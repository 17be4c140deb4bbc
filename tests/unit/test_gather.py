"""Gathered questions: few loads, nothing older than the question, no waiter hurt by another."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest

from services.api.gather import Gathered


class Source:
    """Loads that end when they are let, and what they were asked for."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.open = asyncio.Event()
        self.running = self.most = 0

    async def load(self, keys: Sequence[int]) -> dict[int, int]:
        """Squares; of odd numbers alone."""
        self.asked.append(list(keys))
        self.running += 1
        self.most = max(self.most, self.running)
        await self.open.wait()
        self.running -= 1
        if 13 in keys:
            raise OSError("away")
        return {key: key * key for key in keys if key % 2}


def run(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scene, 20))


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_what_is_asked_meanwhile_goes_together() -> None:
    async def scene() -> None:
        source = Source()
        gathered = Gathered(source.load, at_once=1)
        first = asyncio.create_task(gathered.get(1))
        await settle()
        later = [asyncio.create_task(gathered.get(key)) for key in (1, 2, 3, 3)]
        await settle()
        source.open.set()
        assert [await first, *(await asyncio.gather(*later))] == [1, 1, None, 9, 9]
        assert source.asked == [[1], [1, 2, 3]]  # 1 again: its answer may not be older than the question

    run(scene())


def test_loads_are_bounded_in_size_and_number() -> None:
    async def scene() -> None:
        source = Source()
        gathered = Gathered(source.load, at_once=2, most=10)
        asks = [asyncio.create_task(gathered.get(key)) for key in range(101, 301, 2)]
        await settle()
        source.open.set()
        assert await asyncio.gather(*asks) == [key * key for key in range(101, 301, 2)]
        assert source.most == 2
        assert max(map(len, source.asked)) == 10
        assert len(source.asked) == 10

    run(scene())


def test_askers_are_bounded_even_where_all_ask_the_same() -> None:
    async def scene() -> None:
        source = Source()
        gathered = Gathered(source.load, at_once=1, most=4)
        asks = [asyncio.create_task(gathered.get(7)) for _ in range(12)]
        await settle()
        source.open.set()
        assert await asyncio.gather(*asks) == [49] * 12
        assert source.asked == [[7]] * 3

    run(scene())


def test_who_asks_alone_does_not_wait_for_others() -> None:
    async def scene() -> None:
        source = Source()
        gathered = Gathered(source.load, at_once=2)
        asks = []
        for key in (1, 3):
            asks.append(asyncio.create_task(gathered.get(key)))
            await settle()
        assert source.asked == [[1], [3]]
        source.open.set()
        assert await asyncio.gather(*asks) == [1, 9]

    run(scene())


def test_an_error_meets_those_who_share_it_and_nobody_after() -> None:
    async def scene() -> None:
        source = Source()
        source.open.set()
        gathered = Gathered(source.load, at_once=1)
        both = await asyncio.gather(gathered.get(13), gathered.get(5), return_exceptions=True)
        assert all(isinstance(answer, OSError) for answer in both)
        assert await gathered.get(5) == 25

    run(scene())


def test_who_goes_away_takes_nothing_with_him() -> None:
    async def scene() -> None:
        source = Source()
        gathered = Gathered(source.load, at_once=1)
        gone, stays = asyncio.create_task(gathered.get(1)), asyncio.create_task(gathered.get(3))
        await settle()
        gone.cancel()
        await settle()
        source.open.set()
        assert await stays == 9
        with pytest.raises(asyncio.CancelledError):
            await gone

    run(scene())
