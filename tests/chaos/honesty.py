"""Whether the judge can be trusted: every planted bug is hunted by its own test, and the answers are counted."""

import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from tests.chaos.planted import BUGS
from tests.support.stack import ROOT

_TESTS = "tests/chaos/test_planted.py"


def caught() -> dict[str, bool]:
    """By bug: whether the run that holds it broke the invariant that it should break."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.xml"
        command = [sys.executable, "-m", "pytest", "-q", _TESTS, f"--junitxml={told}"]
        subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.DEVNULL)
        return _read(told.read_text(encoding="utf-8"))


def _read(told: str) -> dict[str, bool]:
    """A bug counts as caught where a test of its name ran and none of them failed."""
    cases = list(ElementTree.fromstring(told).iter("testcase"))
    found = {}
    for bug in BUGS:
        mine = [case for case in cases if bug in case.get("name", "").rpartition("[")[2].rstrip("]").split("-")]
        bad = [case for case in mine if {"failure", "error", "skipped"} & {part.tag for part in case}]
        found[bug] = bool(mine) and not bad
    return found
