"""The sandbox: what a child may not do, and what becomes of inputs that hang or eat memory."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from services.worker.children import Task
from services.worker.confine import allow_processor, confine
from services.worker.sandbox import Order, Sandbox
from shared.db.tables import PRIORITY_RANK
from shared.settings import Settings


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


@pytest.fixture
def sandbox(settings: Settings) -> Iterator[Sandbox]:
    """One child that holds three inputs at most, frozen: it begins when it is woken."""
    sandbox = Sandbox(settings.changed(sandbox_children=1, group_size=2, sandbox_seconds=2))
    sandbox.start()
    _signal(sandbox, signal.SIGSTOP)
    yield sandbox
    sandbox.close()


def _signal(sandbox: Sandbox, number: signal.Signals) -> None:
    pid = sandbox._children[0]._process.pid
    assert pid is not None
    os.kill(pid, number)


def _put(sandbox: Sandbox, count: int, priority: str, path: str = "/nothing") -> list[Task]:
    """A file that is not there is an input like any other: the child answers that its bytes are not the right ones."""
    order = Order(path, "0" * 64, "audio/wav", [])
    return sandbox.put([order] * count, rank=PRIORITY_RANK[priority])


def _answered(sandbox: Sandbox, tasks: list[Task]) -> list[Task]:
    """The tasks in the order in which they were answered."""
    _signal(sandbox, signal.SIGCONT)
    answered: list[Task] = []
    while len(answered) < len(tasks):
        sandbox._collect(0.1)
        answered += [task for task in tasks if task.done and task not in answered]
        sandbox._assign()
    return answered


def test_what_is_more_urgent_goes_before_what_a_child_holds(sandbox: Sandbox) -> None:
    bulk = _put(sandbox, 6, "bulk")
    stat = _put(sandbox, 1, "stat")
    routine = _put(sandbox, 1, "routine")
    assert list(sandbox._children[0].tasks) == [*bulk[:3], *stat], "a place is kept for what is more urgent"
    assert list(sandbox._todo) == [*routine, *bulk[3:]]
    order = _answered(sandbox, [*bulk, *stat, *routine])
    assert order[0] is stat[0]
    assert [task for task in order if task in bulk] == bulk


def test_whose_turn_it_was_is_known_when_a_child_must_be_killed(sandbox: Sandbox, tmp_path: Path) -> None:
    """A pipe that nobody writes to never ends: the input that was taken out of turn is to blame, and no other."""
    os.mkfifo(tmp_path / "endless")
    bulk = _put(sandbox, 3, "bulk")
    (endless,) = _put(sandbox, 1, "stat", str(tmp_path / "endless"))
    assert _answered(sandbox, [*bulk, endless])[0] is endless
    assert endless.outcome.code == "input_too_slow"
    assert {task.outcome.code for task in bulk} == {"integrity"}
