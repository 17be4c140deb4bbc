"""A whole service for a measurement: engines of its own (fsync on), a migrated database, gateway and workers."""

import contextlib
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import SecretStr

from infra.embedded import Engines
from infra.ports import free_port
from shared.db import people
from shared.db.engine import Database
from shared.db.migrate import upgrade
from shared.schemas import Role
from shared.settings import Settings
from tests.support.stack import Process, process, wait_for, worker

_PACED_S = 300.0  # a large version is timed with every engine, group size and number of threads


@dataclass
class Bench:
    """A running service. Processes that are started end with it."""

    settings: Settings
    database: Database
    engines: Engines
    _exit: ExitStack

    def start(self, module: str, **changes: str) -> Process:
        """`python -m module` with these settings and changes of the environment."""
        log = self.settings.home / f"{module}.log"
        return self._exit.enter_context(process(self.settings, module, log, **changes))

    def gateway(self, **changes: str) -> Process:
        """A gateway that answers."""
        child = self.start("services.api", **changes)
        wait_for(lambda: _answers(self.settings.base_url), 60, "the gateway answers")
        return child

    def worker(self, **changes: str) -> Process:
        """A worker that has registered itself: its versions are loaded, their pace on this machine is known."""
        log = self.settings.home / "services.worker.log"
        return self._exit.enter_context(worker(self.settings, self.database, log, within=_PACED_S, **changes))

    def key(self, *roles: Role, tenant: str = "north") -> str:
        """A key of a new principal with these roles; all of them when none are named."""
        with self.database.begin() as session:
            owner = people.ensure_tenant(session, tenant)
            person = people.ensure_principal(session, owner, f"bench {tenant}", roles or tuple(Role), "system", "bench")
            return people.issue(session, person.id, "key")

    def client(self, tenant: str = "north") -> httpx.Client:
        """An HTTP client that may do everything."""
        headers = {"Authorization": f"Bearer {self.key(tenant=tenant)}"}
        return httpx.Client(base_url=self.settings.base_url, headers=headers, timeout=120, trust_env=False)


@contextlib.contextmanager
def bench(**changes: object) -> Iterator[Bench]:
    """Engines and a migrated, empty database in a temporary home; nothing else runs yet."""
    with tempfile.TemporaryDirectory(prefix="thoracle-bench-") as folder, Engines(Path(folder) / "home") as engines:
        settings = Settings(
            home=Path(folder),
            port=free_port(),
            database_url=SecretStr(engines.database_url),
            redis_url=SecretStr(engines.redis_url),
            reuse_results=False,
        ).changed(**changes)
        upgrade(settings)
        database = Database(settings)
        with ExitStack() as children:
            children.callback(database.close)
            yield Bench(settings, database, engines, children)


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{url}/health/live", timeout=2, trust_env=False).status_code == httpx.codes.OK
    return False
