"""Everything on one machine: engines, schema, starter versions, gateway and worker, started and stopped in order."""

import importlib.util
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
from pydantic import SecretStr

from infra.accounts import EngineFailed
from infra.embedded import Engines, make_home
from infra.guardian import Guardian
from infra.processes import Child, spawn, wait_until
from infra.state import Services, running_url, services_lock
from shared.db.engine import Database
from shared.db.migrate import upgrade
from shared.deployments import install_starters
from shared.settings import Settings, child_environment

_MODULES = {"gateway": "services.api", "worker": "services.worker"}  # in the order in which they are stopped
_TRAINER = {"trainer": "services.trainer"}
_READY_S = 90.0
_QUICK_S, _QUICK_DEATHS = 10.0, 3

Say = Callable[[str], None]


@contextmanager
def open_engines(settings: Settings) -> Iterator[tuple[Settings, Engines | None]]:
    """The engines that the settings name, or the embedded ones of this home; the settings then name those."""
    make_home(settings.home)
    if settings.given("database_url") and settings.given("redis_url"):
        yield settings, None
        return
    with Engines(settings.home) as engines:
        changes: dict[str, SecretStr] = {}
        if not settings.given("database_url"):
            changes["database_url"] = SecretStr(engines.database_url)
        if not settings.given("redis_url"):
            changes["redis_url"] = SecretStr(engines.redis_url)
        yield settings.changed(**changes), engines


class Stack:
    """Gateway, worker and perhaps a trainer as our children. A context manager; `watch` keeps them running."""

    def __init__(self, settings: Settings, say: Say, *, trainer: bool = False) -> None:
        self.settings = settings.changed(home=settings.home.absolute())
        self._modules = {**_MODULES, **(_TRAINER if trainer else {})}
        self._say = say
        self._exit = ExitStack()
        self._engines: Engines | None = None
        self._children: dict[str, Child] = {}
        self._deaths: dict[str, list[float]] = {}

    def __enter__(self) -> "Stack":
        """Start everything and wait until the gateway is ready. Raises EngineFailed."""
        if "trainer" in self._modules and importlib.util.find_spec("torch") is None:
            raise EngineFailed(detail="A trainer needs torch. Run: pip install 'thoracle[trainer]'")
        with ExitStack() as undo:
            undo.push(self._exit)
            self._own()
            self._say("Starting PostgreSQL and Valkey ...")
            self.settings, self._engines = self._exit.enter_context(open_engines(self.settings))
            if self._engines is None:  # embedded engines have a guardian, which stops the services too
                self._exit.callback(Guardian(self.settings.home).dismiss)
            self._prepare()
            self._say("Starting the gateway and a worker ...")
            self._exit.callback(self._stop_services)
            for name in self._modules:
                self._launch(name)
            self._await_ready()
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the gateway and the worker, then Valkey, PostgreSQL last."""
        self._exit.close()

    def watch(self, stopped: Callable[[float], bool]) -> None:
        """Until `stopped(seconds)` says so: start again what died. Raises EngineFailed when that does not help."""
        while not stopped(0.5):
            if self._engines and not self._engines.alive():
                self._say("An engine ended unexpectedly and is started again.")
                self._engines.ensure()
            for name in [name for name, child in self._children.items() if not child.alive()]:
                self._count_death(name)
                self._say(f"The {name} ended unexpectedly and is started again.")
                self._launch(name)

    def log(self, name: str) -> Path:
        """Where a child writes its log."""
        return self.settings.home / "logs" / f"{name}.log"

    def _own(self) -> None:
        home = self.settings.home
        make_home(home)
        lock = services_lock(home)
        if not lock.exclusive(timeout=0):
            where = running_url(home)
            raise EngineFailed(
                "already_running",
                detail=f"Thoracle runs already in {home}"
                + (f" at {where}" if where else "")
                + ". Use that one, stop it "
                "with Ctrl-C in its terminal, or set THORACLE_HOME and THORACLE_PORT for a second one.",
            )
        self._exit.callback(lock.release)
        if left := Services.load(home):
            left.stop_all(home)
        self._choose_port()

    def _choose_port(self) -> None:
        host, port = self.settings.host, self.settings.port
        if _is_free(host, port):
            return
        if self.settings.given("port"):
            raise EngineFailed(detail=f"Port {port} is used by another program. Set THORACLE_PORT to a free one.")
        with socket.create_server((host, 0)) as probe:
            self.settings = self.settings.changed(port=probe.getsockname()[1])
        self._say(f"Port {port} is used by another program; taking {self.settings.port}.")

    def _prepare(self) -> None:
        upgrade(self.settings)
        database = Database(self.settings)
        try:
            install_starters(self.settings, database)
        finally:
            database.close()

    def _launch(self, name: str) -> None:
        settings = self.settings
        environment = child_environment(
            DATABASE_URL=settings.database_url.get_secret_value(),
            REDIS_URL=settings.redis_url.get_secret_value(),
            THORACLE_HOME=str(settings.home),
            THORACLE_HOST=settings.host,
            THORACLE_PORT=str(settings.port),
        )
        command = [sys.executable, "-m", self._modules[name]]
        self._children[name] = spawn(command, environment, self.log(name), account=None)
        Services(settings.base_url, self._children).save(settings.home)

    def _await_ready(self) -> None:
        url = f"http://{self.settings.host}:{self.settings.port}/health/ready"
        ended = wait_until(lambda: _is_ready(url) or bool(self._dead()), _READY_S, every=0.1)
        if dead := self._dead():
            raise EngineFailed(
                detail=f"The {dead[0]} ended while it was starting. Its log says why: {self.log(dead[0])}."
            )
        if not ended:
            raise EngineFailed(detail=f"The gateway does not get ready. Its log says why: {self.log('gateway')}.")

    def _dead(self) -> list[str]:
        return [name for name, child in self._children.items() if not child.alive()]

    def _count_death(self, name: str) -> None:
        now = time.monotonic()
        self._deaths[name] = [at for at in self._deaths.get(name, []) if now - at < _QUICK_S] + [now]
        if len(self._deaths[name]) >= _QUICK_DEATHS:
            raise EngineFailed(detail=f"The {name} ends again and again. Its log says why: {self.log(name)}.")

    def _stop_services(self) -> None:
        self._say("Stopping ...")
        Services(self.settings.base_url, self._children).stop_all(self.settings.home)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _is_free(host: str, port: int) -> bool:
    try:
        with socket.create_server((host, port)):
            return True
    except OSError:
        return False
