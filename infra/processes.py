"""Processes and locks that outlive a crash: a process is known by pid and start time, a lock ends with its holder."""

import fcntl
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL, Signals
from typing import IO

import psutil

from infra.accounts import Account

# A Popen that is collected while its process runs warns; an engine may rightly outlive the object that started it.
_started: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Child:
    """A process that we started. The start time (seconds since the epoch) tells it from a later owner of its pid."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> "Child":
        """The process that has this pid now."""
        return cls(pid, psutil.Process(pid).create_time())

    def alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        return self._find() is not None

    def stop(self, signal: Signals, timeout: float) -> bool:
        """Ask it to end, then kill it. Returns whether it ended by itself within `timeout` seconds."""
        self.signal(signal)
        if wait_until(lambda: not self.alive(), timeout):
            return True
        self.kill()
        return False

    def signal(self, signal: Signals) -> None:
        """Send a signal; harmless when it is gone."""
        if process := self._find():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal)

    def kill(self) -> None:
        """End it at once, and wait until it is gone."""
        self.signal(SIGKILL)
        wait_until(lambda: not self.alive(), 5)

    def _find(self) -> psutil.Process | None:
        _reap()
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < 1.0
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def spawn(command: Sequence[str | Path], environment: dict[str, str], log: Path, account: Account | None) -> Child:
    """Start a process in its own session, so that Ctrl-C in our terminal does not reach it before we decide."""
    with log.open("ab") as stream:
        popen = subprocess.Popen(  # noqa: S603 - the command is ours
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env=environment,
            start_new_session=True,
            **(account.child_arguments() if account else {}),
        )
    _started.append(popen)
    return Child.of(popen.pid)


def wait_until(condition: Callable[[], bool], timeout: float, every: float = 0.02) -> bool:
    """Look until the condition holds or `timeout` seconds have passed; returns whether it held."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True


def _reap() -> None:
    _started[:] = [popen for popen in _started if popen.poll() is None]


@dataclass
class FileLock:
    """A kernel lock on a file. It ends with its holder, even by kill -9, so there is no stale lock to judge."""

    path: Path
    _file: IO[str] | None = field(default=None, repr=False)

    def shared(self, timeout: float) -> bool:
        """Hold it together with others."""
        return self._take(fcntl.LOCK_SH, timeout)

    def exclusive(self, timeout: float) -> bool:
        """Hold it alone."""
        return self._take(fcntl.LOCK_EX, timeout)

    def release(self) -> None:
        """Let go; harmless when it is not held."""
        if self._file:
            self._file.close()
            self._file = None

    def _take(self, kind: int, timeout: float) -> bool:
        if self._file is None:
            self.path.touch(mode=0o600)
            self._file = self.path.open("a")
        if wait_until(lambda: self._try(kind), timeout):
            return True
        self.release()
        return False

    def _try(self, kind: int) -> bool:
        assert self._file is not None
        try:
            fcntl.flock(self._file, kind | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
