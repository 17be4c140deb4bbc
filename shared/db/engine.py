"""Engines and sessions. The gateway is async, workers and tools are sync; both run the same statements."""

import time
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from shared.settings import Settings

# A lock that is held for long, or a statement that runs away, must not take the service with it.
_OPTIONS = (
    "-c lock_timeout=5000 -c statement_timeout=30000 -c idle_in_transaction_session_timeout=60000 -c timezone=UTC"
)
_FRESH_S = 1.0  # a connection that was used so lately is not asked whether it lives
_CONNECT = {"connect_timeout": 3, "options": _OPTIONS, "application_name": "thoracle"}


def sync_engine(settings: Settings, pool_size: int = 4) -> Engine:
    """Engine for workers, the trainer and the command line."""
    engine = create_engine(
        settings.database_url.get_secret_value(), pool_size=pool_size, pool_timeout=3, connect_args=_CONNECT
    )
    _ask_idle(engine)
    return engine


def async_engine(settings: Settings) -> AsyncEngine:
    """Engine for the gateway."""
    return _async_engine(settings, pool_size=16)


def single_engine(settings: Settings) -> AsyncEngine:
    """Engine for statements that are a transaction each: no BEGIN, no COMMIT, no way back."""
    return _async_engine(settings, pool_size=8, isolation_level="AUTOCOMMIT", skip_autocommit_rollback=True)


def _async_engine(settings: Settings, **options: Any) -> AsyncEngine:
    url = settings.database_url.get_secret_value()
    engine = create_async_engine(url, max_overflow=8, pool_timeout=3, connect_args=_CONNECT, **options)
    _ask_idle(engine.sync_engine)
    return engine


def _ask_idle(engine: Engine) -> None:
    """Ask a connection whether it still lives before it is used, unless it was used a moment ago.

    SQLAlchemy's own pre-ping asks every time, a round trip for each transaction. After a restart of the database the
    connections that were in use then fail once, as they would between a ping and their first statement.
    """

    @event.listens_for(engine, "checkin")
    def _(_: Any, record: ConnectionPoolEntry) -> None:
        record.info["used_at"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _(connection: Any, record: ConnectionPoolEntry, _: Any) -> None:
        used_at = record.info.get("used_at")
        if used_at is None or time.monotonic() - used_at < _FRESH_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error


class Database:
    """Sync sessions: `with database.begin() as session` commits at the end or rolls back."""

    def __init__(self, settings: Settings) -> None:
        self.engine = sync_engine(settings)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    def begin(self) -> AbstractContextManager[Session]:
        """One transaction."""
        return self._sessions.begin()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()
