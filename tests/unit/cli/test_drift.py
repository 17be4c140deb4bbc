"""`thoracle drift`, `thoracle alerts`: what they ask the gateway, and what they show."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from cli.client import Client
from cli.commands import drift
from cli.main import app
from shared.settings import Settings

VERSION = {"recipe": "cough/mlp", "name": "tiny-1", "sha256": "ab" * 32}
RATE = {"value": 0.125, "low": 0.1, "high": 0.15}
MEASURE = {"name": "centroid", "results": 400, "psi": 1.456, "noise": 0.07, "ks": None, "standing": "drifted"}
ALERT = {"id": "a-1", "state": "raised", "version": VERSION, "site": "ward 7", "device": None, "measure": "centroid",
         "psi": 0.5, "worst_psi": 1.25, "raised_at": "2026-05-03T00:00:00Z", "detail": "It left.",
         "acknowledged_by": "ada"}  # fmt: skip
TOLD = {"judged": 40, "agreement": RATE, "sensitivity": RATE, "specificity": None, "note": "Verification bias: …"}
BOARD = {
    "versions": [{"modality": "cough", "version": VERSION, "jobs": 800, "rates": {"refer": RATE}, "referred": 60,
                  "complete": False, "measures": [MEASURE], "feedback": TOLD}],
    "alerts": [ALERT],
}  # fmt: skip
POINT = {"since": "2026-05-03", "jobs": 9, "psi": {"probability": 0.04, "edge": 2.0}}
WEEK = {"until": "2026-05-03", "present": 24, "absent": 6, "sensitivity": RATE, "specificity": None, "detail": None}
SERIES = {
    "lines": [{"modality": "cough", "version": VERSION, "points": [POINT], "judged": [WEEK]}],
    "note": "Verification bias: …",
}


def run(monkeypatch: pytest.MonkeyPatch, home: Path, answer: Any, *words: str) -> tuple[str, httpx.Request]:
    """What a command prints when the gateway answers this, and what it asked."""
    asked: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=answer)

    settings = Settings(_env_file=None, home=home)
    monkeypatch.setattr(drift, "Client", lambda _: Client(settings, httpx.MockTransport(handle)))
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done.output, asked[0]


def test_the_board_tells_measures_verdicts_and_alerts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = ("drift", "--modality", "cough", "--site", "ward 7", "--days", "3")
    told, asked = run(monkeypatch, tmp_path, BOARD, *words)
    assert dict(asked.url.params) == {"modality": "cough", "site": "ward 7", "days": "3"}
    for word in ("refer 12.5%", "the first 60 results, not whole yet", "1.456", "drifted", "a-1", "ward 7", "1.25"):
        assert word in told
    assert "40 judged" in told
    assert "specificity unknown" in told
    assert "Verification bias" in told


def test_an_empty_board_and_a_series(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told, _ = run(monkeypatch, tmp_path, {"versions": [], "alerts": []}, "drift")
    assert "No version has answered" in told
    told, asked = run(monkeypatch, tmp_path, SERIES, "drift", "--series")
    assert asked.url.path == "/v1/drift/series"
    assert "0.040" in told
    assert "edge" in told
    assert "0.12 (0.10 to 0.15)" in told
    assert "too few labels" in told
    assert "Verification bias" in told


def test_alerts_are_listed_and_acknowledged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told, asked = run(monkeypatch, tmp_path, {"alerts": [ALERT]}, "alerts", "list", "--state", "open")
    assert dict(asked.url.params) == {"state": "open"}
    assert "centroid" in told
    told, asked = run(monkeypatch, tmp_path, ALERT, "alerts", "acknowledge", "a-1", "--note", "new recorder")
    assert (asked.method, asked.url.path) == ("POST", "/v1/alerts/a-1/acknowledge")
    assert "Acknowledged by ada" in told
