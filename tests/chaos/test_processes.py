"""Keeping processes: what ends is started again, and who ended it is told apart from who just ended."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.settings import child_environment
from tests.chaos.processes import Keeper, Kept, Launch, Life, life_of
from tests.support.stack import ROOT, wait_for

_SLEEPS = "import time; time.sleep(60)"


def _launcher(code: str) -> Launch:
    def launch(changes: dict[str, str]) -> Life:
        popen = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=child_environment(**changes))
        return life_of(popen, changes)

    return launch


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    made = Keeper()
    made.start()
    yield made
    for kept in made.kept.values():
        kept.let_go()
    made.stop()


def _kept(keeper: Keeper, code: str = _SLEEPS) -> Kept:
    return keeper.add(Kept("one", _launcher(code)))


def test_who_is_killed_is_started_again(keeper: Keeper) -> None:
    kept = _kept(keeper)
    first = kept.start()
    kept.kill()
    wait_for(lambda: kept.life is not first and kept.life.alive, 60, "another life")
    assert [(kill.process, kill.pid, kill.how) for kill in kept.kills] == [("one", first.pid, "kill -9")]
    assert not kept.crashes


def test_an_end_that_nobody_brought_about_is_a_crash(keeper: Keeper) -> None:
    kept = _kept(keeper, "import sys, time; time.sleep(0.2); sys.exit(3)")
    kept.start()
    wait_for(lambda: kept.crashes[3] >= 2, 60, "two crashes")
    assert not kept.kills


def test_a_life_that_its_failpoint_killed_counts_as_killed(keeper: Keeper) -> None:
    code = "import os, time; os.environ.get('THORACLE_FAULT') and os.kill(os.getpid(), 9); time.sleep(60)"
    kept = _kept(keeper, code)
    first = kept.start(THORACLE_FAULT="blob.kept:kill9@1")
    wait_for(lambda: kept.life is not first and kept.life.alive, 60, "another life")
    assert [(kill.pid, kill.how) for kill in kept.kills] == [(first.pid, "blob.kept")]
    assert not kept.crashes
    assert kept.armed is None


def test_sigterm_is_remembered_with_its_exit(keeper: Keeper) -> None:
    kept = _kept(keeper)
    first = kept.start()
    stop = kept.terminate()
    assert (stop.name, stop.code) == ("one", -15)
    wait_for(lambda: kept.life is not first and kept.life.alive, 60, "another life")
    assert kept.stops == [stop]


def test_who_is_let_go_stays_away(keeper: Keeper, tmp_path: Path) -> None:
    kept = _kept(keeper)
    kept.start()
    kept.let_go()
    time.sleep(0.3)
    assert kept.life is not None
    assert not kept.life.alive
