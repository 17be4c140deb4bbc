"""Engines and sessions. The gateway is async, workers and tools are sync; both run the same statements."""

from contextlib import AbstractContextManager

from sqlalchemy import Engine, create_engine
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import Session, sessionmaker

from shared.settings import Settings

# A lock that is held for long, or a statement that runs away, must not take the service with it.
_OPTIONS = (
    "-c lock_timeout=5000 -c statement_timeout=30000 -c idle_in_transaction_session_timeout=60000 -c timezone=UTC"
)
_CONNECT = {"connect_timeout": 3, "options": _OPTIONS, "application_name": "thoracle"}


def sync_engine(settings: Settings, pool_size: int = 4) -> Engine:
    """Engine for workers, the trainer and the command line."""
    return create_engine(
        settings.database_url.get_secret_value(),
        pool_size=pool_size,
        pool_pre_ping=True,
        pool_timeout=3,
        connect_args=_CONNECT,
    )


def async_engine(settings: Settings) -> AsyncEngine:
    """Engine for the gateway."""
    return create_async_engine(
        settings.database_url.get_secret_value(),
        pool_size=16,
        max_overflow=8,
        pool_pre_ping=True,
        pool_timeout=3,
        connect_args=_CONNECT,
    )


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
