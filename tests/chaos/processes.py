"""A process that is kept: started again whenever it ends, with what ended it remembered."""

import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from signal import SIGCONT, SIGKILL, SIGTERM, Signals

import psutil

from tests.chaos.traces import GRACE_S, Stop

_FEW_S = 0.05


@dataclass(frozen=True)
class Life:
    """One process, from its start until it ends. `began` is seconds since the epoch."""

    pid: int
    began: float
    poll: Callable[[], int | None]
    changes: dict[str, str] = field(default_factory=dict)

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.poll() is None

    def family(self) -> list[psutil.Process]:
        """Its descendants, not itself."""
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.pid).children(recursive=True)
        return []

    def signal(self, signal: Signals, *, family: bool = False) -> None:
        """Send a signal, to the descendants too; harmless when it is gone."""
        others = self.family() if family else []
        if self.alive:
            with suppress(psutil.NoSuchProcess):
                psutil.Process(self.pid).send_signal(signal)
        for other in others:
            with suppress(psutil.NoSuchProcess):
                other.send_signal(signal)


@dataclass(frozen=True)
class Kill:
    """A kill -9: of what, how, and when (seconds since the epoch)."""

    process: str
    pid: int
    how: str
    at: float


Launch = Callable[[dict[str, str]], Life]


class Kept:
    """Keeps one process running until it is `let_go`. `launch` starts it with changes of its environment."""

    def __init__(self, name: str, launch: Launch, ending: Signals = SIGTERM) -> None:
        self.name, self._launch, self._ending = name, launch, ending
        self._lock = threading.RLock()
        self._keeping = False
        self.life: Life | None = None
        self.kills: list[Kill] = []
        self.stops: list[Stop] = []
        self.crashes: Counter[int] = Counter()  # exit codes of ends that nobody here brought about
        self._wanted: set[int] = set()

    def start(self, **changes: str) -> Life:
        """Start it now (what runs is killed first), and keep it. The changes hold for this one life."""
        with self._lock:
            if self.life is not None and self.life.alive:
                self.kill("restart")
            self._keeping = True
            self.life = self._launch(changes)
            return self.life

    @property
    def armed(self) -> str | None:
        """The failpoint of the life that runs."""
        return self.life.changes.get("THORACLE_FAULT") if self.life is not None else None

    def kill(self, how: str = "kill -9", *, family: bool = False) -> None:
        """End it at once; whoever keeps it starts it again."""
        with self._lock:
            life = self.life
            if life is None or not life.alive:
                return
            self.strike(life, how, family=family)
            self._await_end(life, 10)

    def strike(self, life: Life, how: str, *, family: bool = False) -> None:
        """kill -9 of one life, without waiting for its end."""
        self._wanted.add(life.pid)
        self.kills.append(Kill(self.name, life.pid, how, time.time()))
        life.signal(SIGKILL, family=family)

    def terminate(self) -> Stop:
        """Tell it to end, and how it took that. After twice the time it may take it is killed."""
        with self._lock:
            life = self.life
            assert life is not None
            began = time.monotonic()
            self._wanted.add(life.pid)
            life.signal(self._ending)
        self._await_end(life, 2 * GRACE_S)
        stop = Stop(self.name, life.poll(), time.monotonic() - began)
        if life.alive:
            life.signal(SIGKILL, family=True)
        if all(kill.pid != life.pid for kill in self.kills):  # else something else ended it meanwhile
            self.stops.append(stop)
        return stop

    def disarm(self) -> None:
        """The failpoint of the life that runs has struck, and will not again."""
        with self._lock:
            if self.life is not None:
                self.life.changes.pop("THORACLE_FAULT", None)

    def edit(self, change: Callable[[], None], how: str) -> None:
        """Kill it, change what lies on its disk, and start it again."""
        with self._lock:
            self.kill(how, family=True)
            change()
            self.start()

    def look(self) -> None:
        """Start it again when it has ended."""
        if not self._lock.acquire(blocking=False):
            return  # somebody is just starting or killing it
        try:
            if self._keeping and self.life is not None and not self.life.alive:
                self._note_end(self.life)
                self.life = self._launch({})
        finally:
            self._lock.release()

    def let_go(self) -> None:
        """Keep it no longer, thaw it, and end it as an operator would; -9 when it does not end."""
        with self._lock:
            self._keeping = False
            life = self.life
        if life is not None and life.alive:
            life.signal(SIGCONT, family=True)
            self.terminate()

    def _note_end(self, life: Life) -> None:
        code, armed = life.poll(), life.changes.get("THORACLE_FAULT", "")
        if life.pid in self._wanted or code is None:
            return
        if code == -SIGKILL and ":kill9" in armed:
            self.kills.append(Kill(self.name, life.pid, armed.partition(":")[0], time.time()))
        else:
            self.crashes[code] += 1

    def _await_end(self, life: Life, seconds: float) -> None:
        end = time.monotonic() + seconds
        while life.alive and time.monotonic() < end:
            time.sleep(_FEW_S)


def life_of(popen: subprocess.Popen[bytes], changes: dict[str, str]) -> Life:
    """The life of a child of ours."""
    return Life(popen.pid, time.time(), popen.poll, changes)


class Keeper:
    """Looks after all of them, in a thread of its own."""

    def __init__(self) -> None:
        self.kept: dict[str, Kept] = {}
        self.failed: list[str] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="keeper", daemon=True)

    def add(self, kept: Kept) -> Kept:
        """Take one more into care."""
        self.kept[kept.name] = kept
        return kept

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Look no longer."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(0.1):
            for kept in list(self.kept.values()):
                try:
                    kept.look()
                except Exception as error:  # noqa: BLE001 - one that cannot be started now is tried again
                    self.failed.append(f"{kept.name}: {type(error).__name__}")
