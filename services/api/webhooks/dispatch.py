"""Sending deliveries: a loop in every gateway takes those that are due under a lease, and sends them side by side.

At least once: a gateway that dies meanwhile is followed by another when the lease is over, under the same webhook-id.
"""

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import structlog
from sqlalchemy import Row, TextClause
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.webhooks import signing
from services.api.webhooks.address import Addresses
from shared.db.statements import webhooks as statements
from shared.errors import ThoracleError
from shared.faults import fault
from shared.settings import Settings

_LOOK_S = 0.5
_LEASE_S = 60.0
_EACH, _MOST = 8, 64  # sent at the same time: to one webhook, in all
_log = structlog.get_logger()


@dataclass(frozen=True)
class Attempt:
    """What became of one attempt: `answer` is the status, or a word for what went wrong."""

    answer: str
    arrived: bool = False
    gone: bool = False  # the receiver says that it wants no more


class Dispatcher:
    """The loop of one gateway."""

    def __init__(self, settings: Settings, engine: AsyncEngine) -> None:
        self._settings, self._engine = settings, engine
        self._addresses = Addresses(settings)
        assert self._addresses.networks is not None  # a setting that is wrong shows now, not with the first message
        self._sending: dict[asyncio.Task[None], UUID] = {}
        self._freed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._repeat(), name="webhooks")

    async def stop(self) -> None:
        """Stop; what is under way is sent again by whoever finds it after its lease."""
        tasks = [task for task in (self._task, *self._sending) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _repeat(self) -> None:
        # No proxy of the environment, no redirect, no connection kept: the next one's address is judged anew.
        limits = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(timeout=None, limits=limits, trust_env=False, follow_redirects=False) as client:  # noqa: S113
            while True:
                self._freed.clear()
                for row in await self._due():
                    task = asyncio.create_task(self._deliver(client, row))
                    self._sending[task] = row.webhook_id
                    task.add_done_callback(self._done)
                # `asyncio.wait_for` would take a cancellation for an end when a delivery ends at that moment.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await self._freed.wait()

    async def _due(self) -> list[Row[Any]]:
        busy, room = set(self._sending.values()), _MOST - len(self._sending)
        if room <= 0:
            return []
        try:
            async with self._engine.begin() as connection:
                return list(await connection.execute(statements.due(list(busy), _EACH, room, _LEASE_S)))
        except (SQLAlchemyError, OSError) as error:
            _log.warning("webhooks_not_looked_for", error=type(error).__name__)
            return []

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._sending[task]
        self._freed.set()

    async def _deliver(self, client: httpx.AsyncClient, row: Row[Any]) -> None:
        try:
            fault("webhook.taken")
            attempt = await self._attempt(client, row)
            fault("webhook.sent")
            most = self._settings.webhook_attempts
            if attempt.arrived:
                await self._settle(statements.sent(row.id, attempt.answer))
            else:
                await self._settle(statements.failed(row.id, attempt.answer, most, gone=attempt.gone))
            fault("webhook.recorded")
        except Exception as error:  # noqa: BLE001 - one delivery's defect ends no other; the lease brings it back
            _log.warning("delivery_not_settled", delivery=str(row.id), error=type(error).__name__)

    async def _settle(self, statement: TextClause) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(statement)

    async def _attempt(self, client: httpx.AsyncClient, row: Row[Any]) -> Attempt:
        try:
            async with asyncio.timeout(self._settings.webhook_seconds):
                status = await self._send(client, row)
        except TimeoutError:
            return Attempt("timeout")
        except ThoracleError as error:
            return Attempt(error.code)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            _log.info("delivery_failed", delivery=str(row.id), error=type(error).__name__)
            return Attempt("unreachable")
        return Attempt(str(status), 200 <= status < 300, status == httpx.codes.GONE)

    async def _send(self, client: httpx.AsyncClient, row: Row[Any]) -> int:
        """The status of the answer; nothing else of it is read."""
        url = self._addresses.parse(row.url)
        address = await self._addresses.resolve(url)
        body = self._body(row)
        keys = [bytes(key) for key in (row.secret, row.old_secret) if key is not None]
        request = client.build_request(
            "POST",
            url.copy_with(host=address),
            content=body,
            headers={
                "Host": url.netloc.decode(),
                "Content-Type": "application/json",
                "User-Agent": "Thoracle",
                **signing.headers(f"msg_{row.id}", int(time.time()), body, keys),
            },
            extensions={"sni_hostname": url.raw_host.decode()},
        )
        response = await client.send(request, stream=True)
        await response.aclose()
        return response.status_code

    def _body(self, row: Row[Any]) -> bytes:
        """The same at every attempt, and nothing about a patient: ids, a state, a link that needs a key."""
        base, data = self._settings.base_url, {}
        if row.job_id is not None:
            links = {"self": f"{base}/v1/jobs/{row.job_id}"}
            says = "review" if row.event == "result.reviewed" else "status"
            data = {"job_id": str(row.job_id), says: row.status, "links": links}
        elif row.batch_id is not None:
            here = f"{base}/v1/batches/{row.batch_id}"
            data = {"batch_id": str(row.batch_id), "links": {"self": here, "results": f"{here}/results"}}
        elif row.alert_id is not None:
            links = {"alerts": f"{base}/v1/alerts", "board": f"{base}/v1/drift"}
            data = {"alert_id": str(row.alert_id), "status": row.status, "links": links}
        elif row.version is not None:
            here = f"{base}/v1/versions/{row.version}"
            links = {"version": here, "jobs": f"{base}/v1/jobs?version={row.version}", "rerun": f"{here}/rerun"}
            data = {"version": row.version, "links": links}
        told = {"type": row.event, "timestamp": row.created_at.isoformat(), "data": data, "use": "research"}
        return json.dumps(told).encode()
