"""What is remembered about one home: the engines' password, ports and data, the services, which processes run."""

import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from signal import SIGINT, SIGTERM, Signals
from typing import Any

from infra.processes import Child, FileLock

# The order in which they are stopped, with the signal for a clean end. SIGINT is PostgreSQL's fast shutdown.
_ENGINES: tuple[tuple[str, Signals, float], ...] = (("valkey", SIGTERM, 10.0), ("postgres", SIGINT, 30.0))
_SERVICE_STOP_S = 30.0


@dataclass
class State:
    """The content of `engines.json`; private, because the password guards patients' data from other users."""

    home: Path
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    root: Path | None = None
    ports: dict[str, int] = field(default_factory=dict)
    children: dict[str, Child] = field(default_factory=dict)

    @classmethod
    def load(cls, home: Path) -> "State":
        """What an earlier start remembered, or a fresh state."""
        raw = read_private(home / "engines.json")
        if not raw:
            return cls(home)
        children = {name: Child(**child) for name, child in raw["children"].items()}
        return cls(home, raw["password"], Path(raw["root"]) if raw["root"] else None, raw["ports"], children)

    def save(self) -> None:
        """Remember it durably."""
        write_private(self.home / "engines.json", {**asdict(self), "home": None, "root": str(self.root or "")})

    def stop_all(self) -> None:
        """Stop what still runs: Valkey first, PostgreSQL last."""
        for name, signal, timeout in _ENGINES:
            if child := self.children.pop(name, None):
                child.stop(signal, timeout)
        self.save()


@dataclass(frozen=True)
class Services:
    """`services.json`: the gateway's address, and the processes in the order in which they are stopped."""

    url: str
    children: dict[str, Child]

    @classmethod
    def load(cls, home: Path) -> "Services | None":
        """The services that were started last, if any."""
        raw = read_private(home / "services.json")
        return cls(raw["url"], {name: Child(**child) for name, child in raw["children"].items()}) if raw else None

    def save(self, home: Path) -> None:
        """Remember them."""
        write_private(home / "services.json", asdict(self))

    def stop_all(self, home: Path) -> None:
        """Ask all to end; each is waited for in turn and killed when it does not."""
        for child in self.children.values():
            child.signal(SIGTERM)
        for child in self.children.values():
            child.stop(SIGTERM, _SERVICE_STOP_S)
        (home / "services.json").unlink(missing_ok=True)


def locks(home: Path) -> tuple[FileLock, FileLock]:
    """`changing`: held while engines are started or stopped; `users`: shared by everybody who uses them."""
    return FileLock(home / "changing.lock"), FileLock(home / "users.lock")


def services_lock(home: Path) -> FileLock:
    """Held by the one process that runs the services of a home."""
    return FileLock(home / "services.lock")


def stop_if_unused(home: Path, users: FileLock, patience: float = 0.0) -> bool:
    """Stop the engines unless somebody else uses them; call it while holding `changing`. Returns whether it did."""
    unused = users.exclusive(patience)
    if unused:
        State.load(home).stop_all()
    users.release()
    return unused


def stop_abandoned_services(home: Path, patience: float) -> None:
    """Stop services whose owner is gone; those of a living owner are left alone."""
    lock = services_lock(home)
    if lock.exclusive(patience):
        if services := Services.load(home):
            services.stop_all(home)
        lock.release()


def running_url(home: Path) -> str | None:
    """The gateway's address when somebody runs the services of this home now."""
    services = Services.load(home) if home.exists() else None
    if services is None:
        return None
    lock = services_lock(home)
    unowned = lock.exclusive(timeout=0)
    lock.release()
    return None if unowned else services.url


def write_private(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a file as a whole, readable by us alone."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # created with mode 0600
    with os.fdopen(handle, "w") as stream:
        json.dump(content, stream)
        stream.flush()
        os.fsync(handle)
    Path(name).replace(path)


def read_private(path: Path) -> dict[str, Any]:
    """What `write_private` wrote; empty when there is nothing."""
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    return content
