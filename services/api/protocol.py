"""The server's protocol with deadlines for heads, a bound per address, and problems for what is not HTTP."""

import asyncio
from collections import Counter
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from services.api.envelope import HEADERS
from services.api.problems import MEDIA_TYPE
from shared.schemas import Problem
from shared.sentences import say
from shared.settings import Settings

HEAD_S = 20.0


class Protocol(H11Protocol):
    """uvicorn waits for ever for a head that arrives a byte at a time; here the connection is closed after a while."""

    _deadline: asyncio.TimerHandle | None = None
    _address = ""
    _connected: ClassVar[Counter[str]] = Counter()  # open connections of this process, by address

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected; its first request's head is due."""
        super().connection_made(transport)
        self._address = str(self.client[0]) if self.client else ""
        self._connected[self._address] += 1
        settings: Settings = self.config.app.state.gateway.settings  # type: ignore[union-attr]
        if self._connected[self._address] > settings.max_connections_per_address:
            transport.close()
            return
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Bytes arrived: a head's beginning, its end, or a part of a body."""
        before = self.cycle
        if self._deadline is None and (before is None or before.response_complete):
            self._await_head()
        super().data_received(data)
        if self.cycle is not before:
            self._forget()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._forget()
        self._connected[self._address] -= 1
        if self._connected[self._address] <= 0:
            del self._connected[self._address]
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the parser's words stay in the log
        """Answer what is not HTTP, unless an answer is under way already."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        problem = Problem(title="Bad Request", status=400, detail=say("request_invalid"), code="request_invalid")
        body = problem.model_dump_json(exclude_none=True).encode()
        head = {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body)), "Connection": "close", **HEADERS}
        for event in (
            h11.Response(status_code=400, headers=list(head.items()), reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_S, self.transport.close)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
