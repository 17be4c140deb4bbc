"""`thoracle explain` waits until it is made, shows it with its check, and writes the heat map."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from cli.client import Client
from cli.commands import explain
from cli.main import app
from shared.settings import Settings

CHECK = {
    "deletion": -1.0, "insertion": 0.5, "random_mean": -0.2, "random_low": -0.4, "random_high": 0.1, "orders": 8,
    "beats_random": True,
}  # fmt: skip
MADE: dict[str, Any] = {
    "method": "occlusion", "score": 1.0, "empty_score": 0.2, "check": CHECK, "caution": "Not where a disease is.",
    "said": "Blurred.", "checked": "Checked.", "lungs": "No lung field.", "contributions": None,
    "version": {"recipe": "chest_xray/cnn", "name": "n", "sha256": "ab12"},
    "heat_map": {"values": [[0.0, 0.1], [0.9, 0.0]], "box": [0.0, 0.5, 1.0, 1.0], "seconds": None, "hertz": None},
    "links": {"heat": "h"},
}  # fmt: skip
TABULAR = {
    **MADE, "method": "shapley", "heat_map": None, "links": {},
    "contributions": [{"label": "Loudness (RMS)", "value": -0.25}],
}  # fmt: skip


def run(monkeypatch: pytest.MonkeyPatch, home: Path, answers: list[httpx.Response], *arguments: str) -> Any:
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return answers[min(len(asked), len(answers)) - 1]

    settings = Settings(_env_file=None, home=home)
    monkeypatch.setattr(explain, "Client", lambda _: Client(settings, httpx.MockTransport(handle)))
    monkeypatch.setattr(explain, "_PAUSE_S", 0.0)
    return CliRunner().invoke(app, ["explain", "j1", *arguments]), asked


def test_it_waits_shows_and_writes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers = [httpx.Response(202, json={"status": "waiting"}), httpx.Response(200, json=MADE)]
    png = httpx.Response(200, content=b"\x89PNG")
    found, asked = run(monkeypatch, tmp_path, [*answers, png], "--png", str(tmp_path / "heat.png"))
    assert found.exit_code == 0, found.output
    assert found.stdout.startswith("Not where a disease is.")
    assert "+0.900 at 62 % from the left and 75 % from the top" in found.stdout
    assert (tmp_path / "heat.png").read_bytes() == b"\x89PNG"
    assert asked[-1] == "/v1/jobs/j1/renditions/heat"


def test_features_have_no_heat_map(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers = [httpx.Response(200, json=TABULAR)]
    found, _ = run(monkeypatch, tmp_path, answers, "--json")
    assert json.loads(found.stdout) == TABULAR
    assert "-0.250" in run(monkeypatch, tmp_path, answers)[0].stdout
    refused, _ = run(monkeypatch, tmp_path, answers, "--png", str(tmp_path / "heat.png"))
    assert refused.exit_code == 1
    assert "no heat map" in refused.output


def test_what_is_not_made_in_time_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    waiting = [httpx.Response(202, json={"status": "waiting"})]
    found, _ = run(monkeypatch, tmp_path, waiting, "--wait", "0")
    assert found.exit_code == 1
    assert "not made yet" in found.output
