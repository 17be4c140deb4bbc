"""The sandbox: what a child may not do, and what becomes of inputs that hang or eat memory."""

import multiprocessing
import signal
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from services.worker.confine import allow_processor, confine


def _try_everything(pipe: Connection) -> None:
    import os
    import socket
    import threading

    filtered = confine(2 * 2**30)
    outcomes = {"filtered": str(filtered)}
    attempts = {
        "socket": lambda: socket.socket(),
        "program": lambda: os.execv("/bin/true", ["true"]),
        "fork": lambda: os.fork(),
        "write": lambda: Path("/dev/shm/thoracle-test").touch(),
        "delete": lambda: Path("/dev/null-of-no-one").unlink(),
        "kill": lambda: os.kill(os.getppid(), 0),
        "memory": lambda: bytearray(3 * 2**30),
        "read": lambda: Path("/etc/passwd").read_bytes(),
        "thread": lambda: threading.Thread(target=int).start(),
    }
    for name, attempt in attempts.items():
        try:
            attempt()
            outcomes[name] = "done"
        except (OSError, MemoryError) as error:
            outcomes[name] = type(error).__name__
    pipe.send(outcomes)


@pytest.fixture(scope="module")
def outcomes() -> dict[str, str]:
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe()
    process = context.Process(target=_try_everything, args=(theirs,))
    process.start()
    assert ours.poll(30)
    answer: dict[str, str] = ours.recv()
    process.join()
    return answer


@pytest.mark.parametrize("name", ["socket", "program", "fork", "write", "delete", "kill"])
def test_a_child_may_not(outcomes: dict[str, str], name: str) -> None:
    if outcomes["filtered"] != "True":
        pytest.skip("this kernel or processor offers no seccomp filter")
    assert outcomes[name] == "PermissionError"


def test_memory_is_limited(outcomes: dict[str, str]) -> None:
    assert outcomes["memory"] == "MemoryError"


@pytest.mark.parametrize("name", ["read", "thread"])
def test_a_child_may_still(outcomes: dict[str, str], name: str) -> None:
    assert outcomes[name] == "done"


def _compute_for_ever() -> None:
    confine(2 * 2**30)
    allow_processor(0.1)
    while True:
        pass


def test_an_input_without_an_end_ends_though_nobody_keeps_the_time() -> None:
    """A worker that is killed leaves no child behind that computes for ever."""
    process = multiprocessing.get_context("forkserver").Process(target=_compute_for_ever)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGXCPU
