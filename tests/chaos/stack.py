"""A real stack whose every process is ours: engines, gateway, two workers, a trainer, each behind its own proxies."""

import contextlib
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGINT
from typing import Any

import httpx
import redis
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from infra.accounts import data_root, engine_account
from infra.embedded import make_home
from infra.engines import Postgres, Valkey
from infra.ports import free_port
from shared.db import people
from shared.db.engine import Database
from shared.db.migrate import upgrade
from shared.deployments import open_deployment, publish
from shared.registry import store
from shared.schemas import Modality, Role
from shared.settings import Settings
from tests.chaos.disks import Disk, disk
from tests.chaos.identity import publish_echo
from tests.chaos.processes import Keeper, Kept, Launch, Life, life_of
from tests.chaos.proxy import Proxy, Wires
from tests.support.stack import ROOT, environment, wait_for
from tests.support.versions import tiny

SERVICES = {
    "gateway": "services.api",
    "worker-1": "services.worker",
    "worker-2": "services.worker",
    "trainer": "services.trainer",
}
ENGINES = ("postgres", "valkey")
HOSPITALS = ("north", "south", "west")
READERS = ("ada", "ben", "zoe")  # of each hospital
ECHOES = tuple(f"echo-{index}" for index in range(6))
QUICK = {"lease_s": 3.0, "heartbeat_s": 0.5, "idle_look_s": 0.3, "deployment_look_s": 0.3, "sandbox_seconds": 4.0}
"""Short times, so that a run of minutes sees many recoveries; without them the shipped ones hold."""
_REGISTERED = text("SELECT EXISTS (SELECT FROM workers WHERE pid = :pid AND stopped_at IS NULL)")
_STAGED = "tests.chaos.staged"


@dataclass
class Stack:
    """Running processes. `database` and `settings` go to the engines directly, past every proxy."""

    settings: Settings
    database: Database
    keeper: Keeper
    wires: Wires
    lines: dict[str, tuple[Proxy, Proxy]]
    engines: dict[str, Postgres | Valkey]
    ports: dict[str, int]
    disks: dict[str, Disk]
    keys: dict[str, str] = field(default_factory=dict)
    readers: dict[str, list[str]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Kept:
        return self.keeper.kept[name]

    @property
    def logs(self) -> list[Path]:
        """What all processes wrote."""
        return sorted((self.settings.home / "logs").glob("*.log"))

    def log(self, name: str) -> Path:
        """What one process wrote."""
        return self.settings.home / "logs" / f"{name}.log"

    def valkey(self, timeout: float = 2.0) -> redis.Redis:
        """A connection to Valkey, past every proxy."""
        return redis.Redis.from_url(self.settings.redis_url.get_secret_value(), socket_timeout=timeout, retry=None)

    def is_up(self, name: str) -> bool:
        """Whether an engine takes our password, the gateway is ready, a worker or the trainer has registered itself."""
        if name in self.engines:
            return self.engines[name].answers(self.ports[name])
        return _is_ready(self.settings.base_url) if name == "gateway" else self._is_registered(name)

    def await_up(self, seconds: float = 180) -> None:
        """Wait until everything is. Raises AssertionError."""
        for name in (*ENGINES, *SERVICES):
            wait_for(lambda name=name: self.is_up(name), seconds, f"{name} is up")

    def _is_registered(self, name: str) -> bool:
        life = self[name].life
        with contextlib.suppress(SQLAlchemyError), self.database.begin() as session:
            return life is not None and bool(session.scalar(_REGISTERED.bindparams(pid=life.pid)))
        return False


@contextlib.contextmanager
def stack(home: Path, changes: Mapping[str, Any]) -> Iterator[Stack]:
    """Start everything in `home`; `changes` are settings that differ."""
    make_home(home)
    with ExitStack() as undo:
        keeper = Keeper()
        settings, engines, ports = _settings(home, changes)
        disks = {name: undo.enter_context(disk(path)) for name, path in _folders(home, settings).items()}
        undo.callback(keeper.stop)
        for name, engine in engines.items():
            kept = keeper.add(Kept(name, _engine(engine, ports[name]), ending=SIGINT))
            undo.callback(kept.let_go)
            kept.start()
            wait_for(lambda engine=engine, name=name: engine.answers(ports[name]), 60, f"{name} answers")
        upgrade(settings)
        database = Database(settings)
        undo.callback(database.close)
        wires = undo.enter_context(Wires())
        made = Stack(settings, database, keeper, wires, {}, engines, ports, disks)
        _fill(made)
        for name, module in SERVICES.items():
            kept = keeper.add(Kept(name, _service(made, name, module)))
            undo.callback(kept.let_go)
            kept.start()
        keeper.start()
        made.await_up()
        yield made


def _settings(home: Path, changes: Mapping[str, Any]) -> tuple[Settings, dict[str, Postgres | Valkey], dict[str, int]]:
    account, logs, password = engine_account(), home / "logs", secrets.token_urlsafe(16)
    root = data_root(home, account)
    postgres = Postgres(root, logs / "postgres.log", password, account)
    valkey = Valkey(root, logs / "valkey.log", password, account)
    ports = {name: free_port() for name in (*ENGINES, "gateway")}
    settings = Settings(
        _env_file=None,
        home=home,
        port=ports["gateway"],
        database_url=SecretStr(postgres.url(ports["postgres"])),
        redis_url=SecretStr(valkey.url(ports["valkey"])),
        webhook_http=True,
        webhook_networks="127.0.0.0/8",
        max_waiting=400,
        trainer_threads=1,
        random_weights=True,
        promotion_gates="advise",  # a version that reads back what it was sent has no figures to judge
        drift_every_s=1.0,
        reuse_results=False,  # every answer is computed, so that a swapped one shows
    )
    return settings.changed(**changes), {"postgres": postgres, "valkey": valkey}, ports


def _folders(home: Path, settings: Settings) -> dict[str, Path]:
    """What lies on a disk of its own, where that can be had."""
    return {"blobs": settings.blob_dir, "valkey": data_root(home, engine_account()) / "valkey"}


def _engine(engine: Postgres | Valkey, port: int) -> Launch:
    def launch(_: dict[str, str]) -> Life:
        engine.prepare()
        child = engine.start(port)
        return Life(child.pid, child.created, lambda: None if child.alive() else -1)

    return launch


def _service(made: Stack, name: str, module: str) -> Launch:
    proxies = tuple(made.wires.proxy(made.ports[engine]) for engine in ENGINES)
    made.lines[name] = (proxies[0], proxies[1])
    own = environment(_through(made.settings, *proxies))
    command = [sys.executable, "-m", _STAGED, module]

    def launch(changes: dict[str, str]) -> Life:
        with made.log(name).open("ab") as output:
            popen = subprocess.Popen(
                command, cwd=ROOT, env={**own, **changes}, stdout=output, stderr=output, start_new_session=True
            )
        return life_of(popen, changes)

    return launch


def _through(settings: Settings, postgres: Proxy, valkey: Proxy) -> Settings:
    urls = {"database_url": postgres.port, "redis_url": valkey.port}
    changed = {
        name: SecretStr(
            make_url(getattr(settings, name).get_secret_value()).set(port=port).render_as_string(hide_password=False)
        )
        for name, port in urls.items()
    }
    return settings.changed(**changed)


def _fill(made: Stack) -> None:
    """Versions of every modality, hospitals with a key each, and a data set to train on."""
    for name in ECHOES:
        publish_echo(made.settings, made.database, name)
    for modality in (Modality.COUGH, Modality.LUNG_SOUND):
        artefact = store(tiny(made.settings.home / "tiny" / modality, modality), made.settings.versions_dir)
        with made.database.begin() as session:
            open_deployment(session, publish(session, artefact, "chaos"), "chaos")
    for hospital in HOSPITALS:
        with made.database.begin() as session:
            tenant = people.ensure_tenant(session, hospital)
            person = people.ensure_principal(session, tenant, f"{hospital} system", tuple(Role), "system")
            made.keys[hospital] = people.issue(session, person.id, "key")
            clinicians = [
                people.ensure_principal(session, tenant, f"{hospital} {name}", [Role.CLINICIAN]) for name in READERS
            ]
            made.readers[hospital] = [people.issue(session, one.id, "key") for one in clinicians]
    data = made.settings.datasets / "coughs"
    data.mkdir(parents=True)
    (data / "index.csv").touch()


def _is_ready(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{url}/health/ready", timeout=3, trust_env=False).status_code == httpx.codes.OK
    return False
