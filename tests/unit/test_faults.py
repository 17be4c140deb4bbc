"""Failpoints: every name is passed somewhere, a wrong one is refused, an armed one strikes, an unarmed one does not."""

import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import faults
from shared.faults import POINTS, FaultRaised, arm, fault

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    arm("")


def test_every_name_is_passed_and_every_point_has_a_name() -> None:
    sources = [file for folder in ("shared", "services") for file in (ROOT / folder).rglob("*.py")]
    passed = Counter(name for file in sources for name in re.findall(r'\bfault\("([^"]+)"\)', file.read_text()))
    assert set(passed) == POINTS


def test_nothing_happens_unarmed_or_at_another_point() -> None:
    for name in POINTS:
        fault(name)
    arm("blob.kept:raise")
    for name in POINTS - {"blob.kept"}:
        fault(name)


@pytest.mark.parametrize("wrong", ["nowhere:raise", "blob.kept", "blob.kept:explode", "blob.kept:raise@0", " "])
def test_what_is_not_known_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="THORACLE_FAULT"):
        arm(wrong)


@pytest.mark.parametrize("module", ["services.api", "services.worker", "services.trainer"])
def test_a_service_does_not_start_with_an_unknown_name(module: str) -> None:
    environment = {"THORACLE_FAULT": "nowhere:raise", "PATH": "", "HOME": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-m", module], cwd=ROOT, env=environment, capture_output=True, check=False, timeout=120
    )
    assert ended.returncode == 1
    assert b"THORACLE_FAULT: 'nowhere:raise'" in ended.stderr


def test_raise_is_an_error_that_nobody_expects_every_time() -> None:
    arm("promote.moved:raise")
    for _ in range(2):
        with pytest.raises(FaultRaised):
            fault("promote.moved")


def test_only_the_nth_passing_strikes() -> None:
    arm("promote.moved:raise@3")
    fault("promote.moved")
    fault("promote.moved")
    with pytest.raises(FaultRaised):
        fault("promote.moved")
    fault("promote.moved")


def test_hang_goes_on_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = list[float]()
    monkeypatch.setattr(faults.time, "sleep", slept.append)
    arm("promote.moved:hang")
    fault("promote.moved")
    assert slept == [faults.HANG_S]


def test_kill9_leaves_no_time_for_a_tidy_end() -> None:
    code = (
        "from shared.faults import arm, fault\narm('blob.kept:kill9@2')\n"
        "try:\n fault('blob.kept'); print('once', flush=True); fault('blob.kept')\nfinally:\n print('tidy')"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGKILL, b"once\n", b"fault blob.kept\n")
