"""The worker's pulse: heartbeat for what it holds, the reaper for what others lost, and looks without Redis.

Two threads, because the second one works jobs off itself and must not hold up the first.
"""

import os
import socket
import threading
from collections.abc import Callable
from uuid import UUID

import psutil
import structlog
from sqlalchemy import Update, func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.worker.claims import LATE, WORKER_LOST
from services.worker.deployed import Deployed
from services.worker.engine import Engine
from shared.db.engine import Database
from shared.db.statements import claims as statements
from shared.db.tables import Worker
from shared.faults import fault
from shared.settings import Settings
from shared.telemetry import LEASES_LOST

_log = structlog.get_logger()


class Pulse:
    """Keeps the lease, reaps, looks, follows the pointers; every beat survives a database that is away."""

    def __init__(
        self, settings: Settings, database: Database, worker_id: UUID, engine: Engine, deployed: Deployed
    ) -> None:
        self._settings, self._database, self._worker_id = settings, database, worker_id
        self._engine, self._deployed = engine, deployed
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._repeat, args=(settings.heartbeat_s, self._beat), name="heartbeat", daemon=True
            ),
            threading.Thread(
                target=self._repeat, args=(settings.idle_look_s, engine.drain), name="looker", daemon=True
            ),
            threading.Thread(
                target=self._repeat, args=(settings.deployment_look_s, self._follow), name="follower", daemon=True
            ),
        ]

    def start(self) -> None:
        """Register the worker, as soon as there is a database, and begin."""
        while not self._registered():
            self._stopped.wait(self._settings.heartbeat_s)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop the threads and say that this worker is gone."""
        self._stopped.set()
        for thread in [thread for thread in self._threads if thread.is_alive()]:
            thread.join(timeout=self._settings.lease_s)
        try:
            with self._database.begin() as session:
                session.execute(update(Worker).where(Worker.id == self._worker_id).values(stopped_at=func.now()))
        except (DBAPIError, PoolTimeout):
            _log.warning("farewell_not_written")

    def _registered(self) -> bool:
        """Claims name their worker, so nothing may be claimed before this; a second try finds the first one's row."""
        own = {"id": self._worker_id, "host": socket.gethostname(), "pid": os.getpid()}
        row = insert(Worker).values(**own, modalities=list(self._settings.served), report=self._report())
        try:
            with self._database.begin() as session:
                session.execute(row.on_conflict_do_nothing())
        except (DBAPIError, PoolTimeout) as error:
            _log.warning("not_registered", error=type(error).__name__)
            return False
        return True

    def _repeat(self, seconds: float, action: Callable[[], None]) -> None:
        while not self._stopped.is_set():
            try:
                action()
            except (DBAPIError, PoolTimeout, OSError) as error:
                _log.warning("beat_failed", beat=action.__name__, error=type(error).__name__)
            except Exception:  # noqa: BLE001 — see below
                # A pulse that stops is a worker that looks alive and is not: say so and beat on.
                _log.exception("beat_broken", beat=action.__name__)
            self._stopped.wait(seconds)

    def _beat(self) -> None:
        fault("worker.beating")
        with self._database.begin() as session:
            for held in list(self._engine.holding.values()):
                if session.execute(statements.heartbeat(held.id, self._settings.lease_s)).first() is None:
                    held.lost.set()
            session.execute(self._told())
        self._reap()

    def _follow(self) -> None:
        """Tell at once what came of it: somebody may wait to promote a version until it is warm here."""
        if self._deployed.follow():
            with self._database.begin() as session:
                session.execute(self._told())

    def _reap(self) -> None:
        with self._database.begin() as session:
            freed = session.execute(statements.reap(self._settings.max_attempts, WORKER_LOST)).all()
            session.execute(statements.expire(LATE))
            if freed:
                fault("reaper.freed")
        if freed:
            fault("reaper.committed")
            LEASES_LOST.inc()
            _log.warning("lease_reaped", jobs=len(freed))

    def _told(self) -> Update:
        return update(Worker).where(Worker.id == self._worker_id).values(seen_at=func.now(), report=self._report())

    def _report(self) -> dict[str, object]:
        resident = psutil.Process().memory_info().rss
        return {"resident_mb": round(resident / 2**20, 1), **self._deployed.report()}
