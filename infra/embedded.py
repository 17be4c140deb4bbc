"""A real PostgreSQL and a real Valkey on this machine, without Docker or root, for as long as somebody uses them.

Everybody who uses the engines of one home holds a shared kernel lock. The first one starts them, later ones attach,
the last one to leave stops them. A lock of the kernel ends with its holder, so kill -9 leaves nothing stale; engines
that were left running are taken over, and a guardian stops them when an owner dies without a successor.
"""

import shutil
from functools import partial
from pathlib import Path
from signal import SIGINT
from types import TracebackType
from typing import Self

from infra.accounts import EngineFailed, data_root, engine_account
from infra.engines import Postgres, Valkey
from infra.guardian import Guardian
from infra.ports import free_port
from infra.processes import Child, wait_until
from infra.state import State, locks, stop_if_unused

_READY_S = 30.0
_ATTEMPTS = 3


class Engines:
    """The engines of one home. Use it as a context manager, or call `start` and `stop`.

    Under root the engines run as an account without privileges, which must be able to reach `home`; when it cannot,
    their data lies in a folder under /var/lib that the home remembers (`erase` removes it).
    """

    def __init__(self, home: Path) -> None:
        self.home = home.absolute()
        self.attached = False
        self._state = State(self.home)
        self._guardian: Guardian | None = None
        self._changing, self._users = locks(self.home)

    @property
    def database_url(self) -> str:
        """SQLAlchemy address of the running PostgreSQL."""
        return self._engines()[-1].url(self._state.ports["postgres"])

    @property
    def redis_url(self) -> str:
        """Address of the running Valkey."""
        return self._engines()[0].url(self._state.ports["valkey"])

    def start(self) -> Self:
        """Start the engines, or attach to those that run. About a second. Raises EngineFailed."""
        make_home(self.home)
        self._enter()
        try:
            self._users.shared(timeout=0)
            self._ensure()
            self._guardian = self._guardian or Guardian(self.home)
        except BaseException:
            stop_if_unused(self.home, self._users)
            raise
        finally:
            self._changing.release()
        return self

    def ensure(self) -> None:
        """Start again, on the same port, an engine that died. Raises EngineFailed."""
        self._enter()
        try:
            self._ensure()
        finally:
            self._changing.release()

    def alive(self) -> bool:
        """Whether the processes of both engines still run."""
        return all(child.alive() for child in self._state.children.values())

    def stop(self) -> None:
        """Leave; the last one stops Valkey, then PostgreSQL. Harmless when nothing was started."""
        if not self.home.exists():
            return
        self._enter()
        stop_if_unused(self.home, self._users)
        self._changing.release()
        if self._guardian:
            self._guardian.dismiss()
            self._guardian = None

    def erase(self) -> None:
        """Stop and delete the data of both engines. For tests and for a fresh start; there is no way back."""
        self.stop()
        root = State.load(self.home).root or self.home
        for folder in ("postgres", "valkey", "programs"):
            shutil.rmtree(root / folder, ignore_errors=True)
        if root != self.home:
            shutil.rmtree(root, ignore_errors=True)
        (self.home / "engines.json").unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def _enter(self) -> None:
        if not self._changing.exclusive(timeout=60):
            raise EngineFailed(
                detail=f"Another Thoracle process is starting or stopping the engines in {self.home}. Try again soon.",
            )

    def _ensure(self) -> None:
        self._state = State.load(self.home)
        self._state.root = self._state.root or data_root(self.home, engine_account())
        self._state.save()  # the password must be durable before data exists that needs it
        engines = self._engines()
        stopped = [engine for engine in reversed(engines) if not self._running(engine)]
        self.attached = not stopped
        for engine in stopped:
            engine.prepare()
            self._launch(engine)
        for engine in engines:
            self._await(engine)

    def _engines(self) -> tuple[Valkey | Postgres, ...]:
        """In the order in which they are stopped."""
        root = self._state.root or self.home
        account, logs, password = engine_account(), self.home / "logs", self._state.password
        return (
            Valkey(root, logs / "valkey.log", password, account),
            Postgres(root, logs / "postgres.log", password, account),
        )

    def _running(self, engine: Postgres | Valkey) -> bool:
        """Whether it runs and answers; one that runs and does not is stopped."""
        child, port = self._state.children.get(engine.name), self._state.ports.get(engine.name)
        if child is None or port is None or not child.alive():
            return False
        if wait_until(partial(_settled, engine, port, child), 10) and child.alive():
            return True
        child.stop(SIGINT, 10)
        return False

    def _launch(self, engine: Postgres | Valkey) -> None:
        # Addresses survive a restart, if they can.
        self._state.ports[engine.name] = free_port(self._state.ports.get(engine.name))
        self._state.children[engine.name] = engine.start(self._state.ports[engine.name])
        self._state.save()

    def _await(self, engine: Postgres | Valkey) -> None:
        """Wait until it answers. One that ended at once may have lost its port to somebody: it gets another."""
        for attempt in range(_ATTEMPTS):
            child, port = self._state.children[engine.name], self._state.ports[engine.name]
            settled = wait_until(partial(_settled, engine, port, child), _READY_S)
            if settled and child.alive():
                return
            if not settled or attempt == _ATTEMPTS - 1:
                break
            self._launch(engine)
        child.kill()
        raise EngineFailed(detail=f"The embedded {engine.name} does not start. Its log says why: {engine.log}.")


def make_home(home: Path) -> None:
    """Make the folder of one installation; what lies in it is for its owner alone."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("data", "logs"):
        (home / name).mkdir(mode=0o700, exist_ok=True)


def _settled(engine: Postgres | Valkey, port: int, child: Child) -> bool:
    return engine.answers(port) or not child.alive()
