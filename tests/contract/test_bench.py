"""The bench page is what the results say, and `make bench` knows every measurement."""

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the page is drawn with the trainer's figures")

from bench import page
from bench.record import RESULTS, at_least, at_most


def test_every_measurement_is_a_module_with_a_title() -> None:
    """What `make bench` runs is there, and what is there is run."""
    files = Path(page.__file__).parent.glob("*.py")
    modules = {path.stem for path in files if re.search(rf'(write|tell)\("{path.stem}"', path.read_text())}
    assert modules
    assert {path.stem for path in RESULTS.glob("*.json")} <= set(page.TITLES)
    assert modules <= set(page.TITLES)


def test_the_page_tells_what_the_results_tell(tmp_path: Path) -> None:
    """The committed page is the one that the committed results make."""
    page.write_page(docs=tmp_path)
    assert (tmp_path / "bench.md").read_text() == (page.DOCS / "bench.md").read_text()


def test_a_miss_is_shown_as_one_with_its_reason(tmp_path: Path) -> None:
    """A claim that misses its limit reads **no**, and its note says why."""
    claims = [
        at_least("a share", [0.6, 0.5, 0.7], "of the limit", 0.75, "the gateway takes it"),
        at_most("b", [3], "s", 5),
    ]
    body = {
        "at": "today",
        "machine": {"cores": 2, "processor": "x", "python": "3"},
        "claims": [vars(c) for c in claims],
    }
    (tmp_path / "latency.json").write_text(json.dumps(body))
    text = page.write_page(tmp_path, tmp_path).read_text()
    assert "1 of 2 limits hold" in text
    assert "| a share | 0.6 (0.5 to 0.7) of the limit | ≥ 0.75 | **no** |" in text
    assert "*a share*: the gateway takes it" in text
