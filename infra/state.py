"""What is remembered about the engines of one home: password, ports, where their data lies, which processes run."""

import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from signal import SIGINT, SIGTERM, Signals
from typing import Any

from infra.processes import Child, FileLock

# The order in which they are stopped, with the signal for a clean end. SIGINT is PostgreSQL's fast shutdown.
STOP_ORDER: tuple[tuple[str, Signals, float], ...] = (("valkey", SIGTERM, 10.0), ("postgres", SIGINT, 30.0))


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
        try:
            raw: dict[str, Any] = json.loads(_file(home).read_bytes())
        except FileNotFoundError:
            return cls(home)
        children = {name: Child(**child) for name, child in raw["children"].items()}
        return cls(home, raw["password"], Path(raw["root"]) if raw["root"] else None, raw["ports"], children)

    def save(self) -> None:
        """Replace the file as a whole, readable by us alone."""
        handle, name = tempfile.mkstemp(dir=self.home, prefix=".engines-")  # created with mode 0600
        with os.fdopen(handle, "w") as stream:
            json.dump({**asdict(self), "home": None, "root": str(self.root or "")}, stream)
        Path(name).replace(_file(self.home))

    def stop_all(self) -> None:
        """Stop what still runs: Valkey first, PostgreSQL last."""
        for name, signal, timeout in STOP_ORDER:
            if child := self.children.pop(name, None):
                child.stop(signal, timeout)
        self.save()


def locks(home: Path) -> tuple[FileLock, FileLock]:
    """`changing`: held while engines are started or stopped; `users`: shared by everybody who uses them."""
    return FileLock(home / "changing.lock"), FileLock(home / "users.lock")


def stop_if_unused(home: Path, users: FileLock) -> bool:
    """Stop the engines unless somebody else uses them; call it while holding `changing`. Returns whether it did."""
    unused = users.exclusive(timeout=0)
    if unused:
        State.load(home).stop_all()
    users.release()
    return unused


def _file(home: Path) -> Path:
    return home / "engines.json"
