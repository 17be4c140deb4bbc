"""The one place where a worker is put together."""

import contextlib
import threading
import time

import psutil
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.worker.claims import Claims
from services.worker.deployed import Deployed
from services.worker.engine import Engine
from services.worker.explain.maker import Explanations
from services.worker.lease import Pulse
from services.worker.renditions import Renditions
from services.worker.reuse import Reuse
from services.worker.sandbox import Sandbox
from services.worker.shadow import Shadow
from shared.db.engine import Database
from shared.db.tables import new_id
from shared.settings import Settings
from shared.storage import BlobStore

_log = structlog.get_logger()


class Parts:
    """A worker's parts, started and stopped together."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.worker_id = new_id()
        self.database = Database(settings)
        self.store = BlobStore(settings.blob_dir)
        self.sandbox = Sandbox(settings)
        self.deployed = Deployed(settings, self.database)
        claims = Claims(settings, self.database, self.worker_id)
        renditions = Renditions(self.database, self.sandbox, self.store)
        reuse = Reuse(settings, self.database)
        self.shadow = Shadow(settings, self.database, self.deployed, self.sandbox, self.store)
        self.explanations = Explanations(settings, self.database, self.sandbox, self.store, self.deployed)
        # Somebody waits for the first two; nobody for the last.
        spare = (renditions.make_one, self.explanations.step, self.shadow.step)
        self.engine = Engine(claims, reuse, self.deployed, self.sandbox, spare, self.store, self.shadow)
        self.pulse = Pulse(settings, self.database, self.worker_id, self.engine, self.deployed)

    def start(self) -> None:
        """Load what the pointers name while the children start, then begin to look for work."""
        began = time.monotonic()
        children = threading.Thread(target=self.sandbox.start)
        children.start()
        # A database that is still starting is no reason to fail: the first claim loads what it needs.
        with contextlib.suppress(DBAPIError, PoolTimeout):
            self.deployed.follow()
        children.join()
        self.pulse.start()
        resident = round(psutil.Process().memory_info().rss / 2**20, 1)
        _log.info("worker_ready", seconds=round(time.monotonic() - began, 2), resident_mb=resident)

    def close(self) -> None:
        """Take no new claim, commit what is being predicted, give back the rest, leave nothing running."""
        self.engine.close(self._settings.lease_s)
        self.explanations.close()
        self.pulse.stop()
        with contextlib.suppress(DBAPIError, PoolTimeout):
            self.shadow.close()
        self.sandbox.close()
        self.database.close()
