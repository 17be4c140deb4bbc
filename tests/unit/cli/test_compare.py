"""`thoracle compare A B --studies FILTER`: what is asked, until when it waits, what it shows."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from cli.client import Client
from cli.commands import compare
from cli.main import app
from shared.agreement import Answer, Tally
from shared.settings import Settings

REF = {"recipe": "cough/mlp", "name": "a", "sha256": "ab" * 32}


def comparison(waiting: int) -> dict[str, Any]:
    tally = Tally()
    tally.add(Answer("not_flagged", 0.2), Answer("flagged", 0.9), "s1")
    tally.add(Answer("flagged", 0.8), Answer("flagged", 0.8), "s2", present=True)
    sides = {"first": {"job": "j2", "decision": "not_flagged", "probability": 0.2},
             "second": {"job": "j3", "decision": "flagged", "probability": 0.9}}  # fmt: skip
    return {
        "id": "c1", "first": REF, "second": {**REF, "name": "b"}, "recalled": [], "inputs": 3, "waiting": waiting,
        "done": not waiting, "caution": "Both may be wrong.", "agreement": tally.agreement().model_dump(mode="json"),
        "cases": [{"job": "j1", "client_ref": "north-7", **sides, "flipped": True, "present": None}],
    }  # fmt: skip


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    """The requests that came; the second look finds everything answered."""
    requests: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json=comparison(1 if len(requests) < 3 else 0))

    settings = Settings(_env_file=None, home=tmp_path)
    monkeypatch.setattr(compare, "Client", lambda _: Client(settings, httpx.MockTransport(handle)))
    monkeypatch.setattr(compare, "_LOOK_S", 0.0)
    return requests


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["compare", *arguments])


def test_two_versions_on_studies(asked: list[httpx.Request]) -> None:
    found = run("a", "b", "--studies", "modality=cough&status=succeeded&status=failed&created_after=2026-11-01T00:00Z")
    assert found.exit_code == 0, found.output
    assert json.loads(asked[0].content) == {
        "first": "a",
        "second": "b",
        "from": {"modality": "cough", "status": ["succeeded", "failed"], "created_after": "2026-11-01T00:00Z"},
    }
    assert len(asked) == 3, "it looks until nothing waits"
    assert found.stdout.startswith("Both may be wrong.")
    for text in ("2 of 3 (2 subjects)", "0.350", "north-7", "1: both right 1"):
        assert text in found.stdout


def test_not_waited_for_as_json(asked: list[httpx.Request]) -> None:
    found = run("a", "b", "--no-wait", "--json")
    assert json.loads(found.stdout)["waiting"] == 1
    assert len(asked) == 1
    assert json.loads(asked[0].content)["from"] == {}


@pytest.mark.parametrize("arguments", [("a",), ("a", "b", "c"), ("a", "b", "--studies", "modality")])
def test_what_is_neither_form_is_said(asked: list[httpx.Request], arguments: tuple[str, ...]) -> None:
    found = run(*arguments)
    assert found.exit_code == 1
    assert not asked
    assert "modality=cough" in found.output or "Name two versions" in found.output
