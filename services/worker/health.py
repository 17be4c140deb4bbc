"""`python -m services.worker.health`: exit 0 when a worker of this host wrote its row lately. For container probes."""

import socket
import sys

from sqlalchemy import func, select, text

from shared.db.engine import Database
from shared.db.tables import Worker
from shared.settings import Settings


def main() -> int:
    """0 when alive, 1 when not. Progress is asked for, not a ping: the row is written by the heartbeat."""
    settings = Settings()
    fresh = func.now() - text(f"interval '{3 * settings.heartbeat_s + 10} seconds'")
    query = select(Worker.id).where(
        Worker.host == socket.gethostname(), Worker.stopped_at.is_(None), Worker.seen_at > fresh
    )
    with Database(settings).begin() as session:
        return 0 if session.execute(query).first() else 1


if __name__ == "__main__":
    sys.exit(main())
