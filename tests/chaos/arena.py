"""Where faults happen: the running stack and its load, and a list of what was done to them."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.chaos.load import Load
from tests.chaos.processes import Kill
from tests.chaos.stack import Stack

MISSED = "not reached"


@dataclass(frozen=True)
class Done:
    """One fault: what, to whom, when (seconds since the run began), for how long, and what came of it."""

    fault: str
    victim: str
    at: float
    seconds: float
    outcome: str


@dataclass
class Arena:
    """One run's. Acts rest through it, so that all of them end when the run does."""

    stack: Stack
    load: Load
    stopping: threading.Event = field(default_factory=threading.Event)
    done: list[Done] = field(default_factory=list)
    children: list[Kill] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def rest(self, seconds: float) -> None:
        """Do nothing for a while."""
        self.stopping.wait(seconds)

    def until(self, holds: Callable[[], bool], seconds: float, every: float = 0.05) -> bool:
        """Wait until something holds; False when it does not in time, or at the end of the run."""
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end or self.stopping.wait(every):
                return holds()
        return True

    def up(self, victim: str, seconds: float) -> bool:
        """Wait until a process works, so that what is done to it meets work; False when it does not in time."""
        return self.until(lambda: self.stack.is_up(victim), seconds, every=0.3)

    def perform(self, act: "Act", chance: random.Random) -> None:
        """Do it and remember it. An act that fails itself is remembered as well: it is a defect of ours."""
        began = time.monotonic()
        try:
            outcome = act.run(self, chance)
        except Exception as error:  # noqa: BLE001 - one fault's defect must not end the others
            outcome = f"error: {type(error).__name__}"
        self.done.append(Done(act.fault, act.victim, began - self.began, time.monotonic() - began, outcome))


Run = Callable[[Arena, random.Random], str]


@dataclass(frozen=True)
class Act:
    """One kind of fault and its victim. `run` returns a word on what came of it."""

    fault: str
    victim: str
    run: Run
