"""`thoracle runs` speaks HTTP: what it sends, what it shows while a run goes on, and its exit code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from cli.client import Client
from cli.commands import runs
from cli.main import app
from shared.settings import Settings

RUN: dict[str, Any] = {
    "id": "r1", "status": "queued", "sentence": "Waiting for a trainer.", "recipe": "cough/mlp", "mode": "sound",
    "seed": 7, "dataset": "north", "name": "n", "progress": None, "figures": None, "notes": [], "version": None,
    "error": None, "attempts": 0, "created_at": "2026-11-22T00:00:00Z", "finished_at": None, "curve": [],
}  # fmt: skip
POINT = {"epoch": 3, "loss": 0.412, "accuracy": 0.8}
RUNNING = {
    **RUN, "status": "running", "curve": [POINT],
    "progress": {"stage": "fold 1/2", "done": 3, "total": 9, "seconds_left": 90.0},
}  # fmt: skip
AREA = {"value": 0.81, "low": 0.7, "high": 0.9}
ENDED = {
    **RUN, "status": "succeeded", "sentence": "Published as a candidate; promote it to let it answer.",
    "figures": {"auroc": AREA}, "version": {"name": "n", "sha256": "ab12"},
}  # fmt: skip
FAILED = {
    **RUN,
    "status": "failed",
    "sentence": "Not published.",
    "error": {"code": "x", "detail": "It learnt nothing."},
}


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[httpx.Request]]:
    """Answers in order; returns the requests that came."""

    def answering(*answers: Any) -> list[httpx.Request]:
        asked: list[httpx.Request] = []

        def handle(request: httpx.Request) -> httpx.Response:
            asked.append(request)
            return httpx.Response(200, json=answers[min(len(asked), len(answers)) - 1])

        settings = Settings(_env_file=None, home=tmp_path)
        monkeypatch.setattr(runs, "Client", lambda _: Client(settings, httpx.MockTransport(handle)))
        monkeypatch.setattr(runs, "_EVERY_S", 0.0)
        return asked

    return answering


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["runs", *arguments])


def test_start_sends_what_was_asked_for_and_no_more(gateway: Any) -> None:
    asked = gateway(RUN)
    done = _run("start", "cough/mlp", "--data", "north", "--epochs", "4", "--json")
    assert json.loads(done.stdout) == RUN
    assert (asked[0].method, asked[0].url.path) == ("POST", "/v1/training-runs")
    body = {"recipe": "cough/mlp", "dataset": "north", "mode": "sound", "seed": 7, "epochs": 4}
    assert json.loads(asked[0].content) == body


def test_following_shows_each_stage_and_the_figures(gateway: Any) -> None:
    asked = gateway(RUN, RUNNING, RUNNING, ENDED)
    done = _run("start", "cough/mlp", "--data", "north", "--follow")
    assert done.exit_code == 0
    assert len(asked) == 4
    assert done.stderr.split("\n")[:2] == ["Waiting for a trainer.", "fold 1/2"]
    assert "0.81 (0.70 to 0.90)" in done.stdout
    assert "promote it" in done.stdout
    assert runs._left(RUNNING, RUNNING["progress"]) == "epoch 3, loss 0.412, accuracy 0.80, 1.5 min left"


def test_a_run_without_a_version_is_exit_code_1(gateway: Any) -> None:
    gateway(FAILED)
    done = _run("show", "r1")
    assert done.exit_code == 1
    assert "Not published. It learnt nothing." in done.stdout


@pytest.mark.parametrize(("command", "method", "path"), [("cancel", "DELETE", ""), ("retry", "POST", "/retry")])
def test_cancel_and_retry(gateway: Any, command: str, method: str, path: str) -> None:
    asked = gateway({**RUN, "status": "cancelled"})
    assert _run(command, "r1").exit_code == 0
    assert (asked[0].method, asked[0].url.path) == (method, f"/v1/training-runs/r1{path}")


def test_the_list_is_a_table(gateway: Any) -> None:
    gateway({"runs": [ENDED, RUNNING], "next": None})
    done = _run("list")
    for word in ("cough/mlp", "succeeded", "fold 1/2", "0.81 (0.70 to 0.90)"):
        assert word in done.stdout
