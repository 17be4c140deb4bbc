"""TCP between a service and an engine that fails on demand: passes, cuts, delays, hangs, loses an answer.

Every service process has a proxy of its own in front of each engine, so that a fault strikes one of them. All run in
one thread; the methods may be called from any other.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

Struck = Callable[[], None]
_COMMIT, _POP, _REMEMBER = b"COMMIT\0", b"BRPOP", b"ZADD"


@dataclass(eq=False)
class _Line:
    """One connection through a proxy. `answerless`: its next answer is thrown away, and it ends."""

    client: asyncio.StreamWriter
    engine: asyncio.StreamWriter
    answerless: bool = False

    def cut(self) -> None:
        for side in (self.client, self.engine):
            with contextlib.suppress(RuntimeError):
                side.transport.abort()


@dataclass
class Proxy:
    """A port in front of one engine's. `delay` (seconds) holds up every piece, `refusing` ends new connections."""

    engine_port: int
    port: int
    _loop: asyncio.AbstractEventLoop = field(repr=False)
    delay: float = 0.0
    refusing: bool = False
    lost_answers: int = 0
    _lines: set[_Line] = field(repr=False, default_factory=set)
    _going: asyncio.Event = field(repr=False, default_factory=asyncio.Event)
    _commits: int = field(repr=False, default=0)
    _popped: bool = field(repr=False, default=False)
    _at_pop: Struck | None = field(repr=False, default=None)

    def cut(self) -> None:
        """End every connection at once; new ones are taken."""
        self._loop.call_soon_threadsafe(lambda: [line.cut() for line in list(self._lines)])

    def hang(self) -> None:
        """Let nothing pass until `heal`; connections stay open."""
        self._loop.call_soon_threadsafe(self._going.clear)

    def lose_commits(self, count: int) -> None:
        """Let the next COMMITs arrive and nobody hear of it."""
        self._commits = count

    def at_pop(self, struck: Struck) -> None:
        """Call `struck`, and cut, at the first ZADD behind a BRPOP: a message is taken and nobody remembers it."""
        self._popped, self._at_pop = False, struck

    def heal(self) -> None:
        """Pass everything."""
        self.delay, self.refusing, self._commits, self._at_pop = 0.0, False, 0, None
        self._loop.call_soon_threadsafe(self._going.set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        try:
            if self.refusing:
                raise ConnectionRefusedError
            answers, engine = await asyncio.open_connection("127.0.0.1", self.engine_port)
        except OSError:
            writer.transport.abort()
            return
        line = _Line(writer, engine)
        self._lines.add(line)
        ways = [asyncio.create_task(self._ask(line, reader)), asyncio.create_task(self._answer(line, answers))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._lines.discard(line)
            line.cut()
            await asyncio.wait(ways)

    async def _ask(self, line: _Line, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(1 << 16):
                await self._wait()
                if self._strikes(line, piece):
                    return
                line.engine.write(piece)
                await line.engine.drain()

    async def _answer(self, line: _Line, answers: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while piece := await answers.read(1 << 16):
                if line.answerless:
                    self.lost_answers += 1
                    return
                await self._wait()
                line.client.write(piece)
                await line.client.drain()

    def _strikes(self, line: _Line, piece: bytes) -> bool:
        if self._commits and _COMMIT in piece:
            self._commits -= 1
            line.answerless = True
        self._popped = self._popped or _POP in piece
        if self._at_pop is None or not self._popped or _REMEMBER not in piece:
            return False
        struck, self._at_pop = self._at_pop, None
        struck()
        return True

    async def _wait(self) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        await self._going.wait()


class Wires:
    """The thread that all proxies run in."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="wires", daemon=True)
        self._servers: list[asyncio.Server] = []
        self.proxies: list[Proxy] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)

    def proxy(self, engine_port: int) -> Proxy:
        """A new proxy in front of a port of this machine."""
        return asyncio.run_coroutine_threadsafe(self._listen(engine_port), self._loop).result(timeout=10)

    def heal(self) -> None:
        """Let everything pass again."""
        for proxy in self.proxies:
            proxy.heal()

    async def _listen(self, engine_port: int) -> Proxy:
        listener = socket.create_server(("127.0.0.1", 0))
        made = Proxy(engine_port, listener.getsockname()[1], self._loop)
        made.heal()
        self._servers.append(await asyncio.start_server(made.serve, sock=listener))
        self.proxies.append(made)
        return made

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        for proxy in self.proxies:
            proxy.heal()
            proxy.cut()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)
        await asyncio.sleep(0)  # aborted transports close their sockets in the loop's next round
