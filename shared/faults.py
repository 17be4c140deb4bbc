"""Named points at which a process can be made to die, raise or hang, so that tests see every step interrupted.

`THORACLE_FAULT=NAME:kill9|raise|hang` arms one point, `@N` behind it only the Nth passing, once. Nothing is armed by
default; passing a point then costs one look at a global.
"""

import itertools
import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

HANG_S = 60.0
POINTS = frozenset(
    {
        # Accepting, in the gateway.
        "submit.received",  # the whole file is read, nothing is durable
        "blob.synced",  # its bytes are on the disk under no name yet
        "blob.kept",  # and under their sha256; no row knows them
        "submit.committed",  # after the commit, before the doorbell and the reply
        "submit.rung",  # before the reply
        "waker.sending",  # the doorbell's thread, before the message
        # Working, in a worker.
        "worker.rung",  # a message came, before the claim
        "worker.claimed",
        "worker.loaded",  # the claim's version is loaded and proven
        "worker.prepared",  # a group is decoded and transformed
        "worker.predicted",
        "worker.written",  # its results are written, before the commit
        "worker.committed",
        "worker.giving_back",
        "worker.given_back",
        "worker.beating",  # before the heartbeat
        "reaper.freed",  # lost claims are put back, before the commit
        "reaper.committed",
        # Pointers.
        "promote.moved",  # before the commit
        "promote.committed",  # before the reply
        # Many at once, in the gateway.
        "batch.filled",  # the rows of a slice are written, before the commit
        # What people say of results, in the gateway.
        "judge.written",  # verdict, second reading and review are written, before the commit
        # Counting what ended, in the gateway.
        "roll.counted",  # counted, the watermark moved, before the commit
        # What workers do while nothing waits.
        "shadow.taken",  # inputs are marked, nothing is computed
        "shadow.written",  # before the commit
        "explain.taken",  # its lease is ours
        "explain.written",  # picture stored, answer written, before the commit
        # Telling others.
        "webhook.taken",  # the delivery's lease is ours, nothing is sent
        "webhook.sent",  # the receiver answered, nothing is recorded
        "webhook.recorded",
        # Training.
        "trainer.claimed",
        "trainer.kept",  # a checkpoint is on the disk
        "trainer.stored",  # the version's files are stored, no row knows them
        "trainer.publishing",  # the version and the run's end are written, before the commit
        "trainer.published",
    }
)
_SPELLING = re.compile(r"(?P<name>[a-z_.]+):(?P<action>kill9|raise|hang)(@(?P<passing>[1-9][0-9]*))?")


class FaultRaised(RuntimeError):
    """What an armed point raises: an error that no code expects."""


@dataclass(frozen=True)
class _Armed:
    name: str
    action: str
    passing: int | None
    passed: Iterator[int] = field(default_factory=lambda: itertools.count(1))  # one step is atomic across threads


_armed: _Armed | None = None


def arm(fault: str) -> None:
    """Arm what a setting says; empty arms nothing. Raises ValueError for an unknown point or a wrong spelling."""
    global _armed
    if not fault:
        _armed = None
        return
    found = _SPELLING.fullmatch(fault)
    if found is None or found["name"] not in POINTS:
        raise ValueError(f"THORACLE_FAULT: {fault!r} is not NAME:kill9|raise|hang with a known name")
    _armed = _Armed(found["name"], found["action"], int(found["passing"]) if found["passing"] else None)


def fault(name: str) -> None:
    """Pass a point. Raises FaultRaised, hangs for HANG_S seconds or dies when it is armed; else nothing happens."""
    if _armed is not None and _armed.name == name and _armed.passing in (None, next(_armed.passed)):
        _strike(_armed)


def _strike(armed: _Armed) -> None:
    os.write(2, f"fault {armed.name}\n".encode())  # for whoever armed it; no logger, for the process may be gone next
    if armed.action == "kill9":
        os.kill(os.getpid(), signal.SIGKILL)
    if armed.action == "hang":
        time.sleep(HANG_S)
        return
    raise FaultRaised(armed.name)
