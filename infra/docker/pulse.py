"""`python -m infra.docker.pulse`: exit 0 while this container's worker writes its heartbeat.

Runs every half minute beside a worker that needs its cores, so it does without SQLAlchemy.
"""

import socket
import sys

import psycopg

from shared.settings import Settings

_QUERY = """
    SELECT EXISTS (
        SELECT FROM workers
        WHERE host = %s AND stopped_at IS NULL AND seen_at > clock_timestamp() - make_interval(secs => %s)
    )
"""


def beats(settings: Settings, host: str) -> bool:
    """Whether a worker of this host was seen within a lease's time."""
    address = settings.database_url.get_secret_value().replace("postgresql+psycopg://", "postgresql://", 1)
    with psycopg.connect(address, connect_timeout=3) as connection:
        row = connection.execute(_QUERY, [host, settings.lease_s]).fetchone()
    return row is not None and bool(row[0])


if __name__ == "__main__":
    sys.exit(0 if beats(Settings(), socket.gethostname()) else 1)
