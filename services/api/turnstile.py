"""Lets a few requests begin in each turn of the event loop, in the order in which they came.

Two hundred clients that ask at once would otherwise all be served within one turn, and whoever comes next, liveness
too, would wait for all of them.
"""

import asyncio
from collections import deque

_A_TURN = 1


class Turnstile:
    """For one event loop. Who comes while nobody waits goes through at once."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._begun = 0
        self._turning = False

    async def enter(self) -> None:
        """Wait for a place in this turn of the loop or a later one."""
        self._turn_soon()
        if self._begun < _A_TURN and not self._waiting:
            self._begun += 1
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        await place

    def _turn_soon(self) -> None:
        if not self._turning:
            self._turning = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._turning, self._begun = False, 0
        while self._waiting and self._begun < _A_TURN:
            place = self._waiting.popleft()
            if not place.done():  # else its client has left
                place.set_result(None)
                self._begun += 1
        if self._waiting:
            self._turn_soon()
