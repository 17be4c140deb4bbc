"""`thoracle system`, `audit`, `keys --http`, `versions history`: what they ask the gateway, and what they show."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from cli.client import Client
from cli.commands import keys, pointers, system, webhooks
from cli.main import app
from shared.settings import Settings

NAMED = {"sha256": "ab" * 32, "name": "cough/mlp tiny-1"}
SYSTEM = {
    "engines": {"database": True, "storage": True, "queue": False},
    "queues": [{"modality": "cough", "priority": "stat", "waiting": 7, "oldest_s": 12.3}],
    "workers": [
        {
            "name": "ward-1:17",
            "kind": "worker",
            "alive": False,
            "modalities": ["cough"],
            "loaded": [NAMED],
            "refused": [{**NAMED, "why": "altered"}],
        }
    ],
    "throughput": [{"modality": "cough", "ended": 99, "failed": 1, "per_minute": 1.65}],
    "dead": [{"modality": "cough", "jobs": 3, "code": "worker_lost"}],
}
VERSION = {"recipe": "cough/mlp", "name": "tiny-1", "sha256": "ab" * 32}
MOVE = {"at": "2026-05-01T00:00:00Z", "action": "promote", "before": None, "after": VERSION, "actor": "north/ada",
        "reason": "better"}  # fmt: skip
PEOPLE = {
    "tenant": "north",
    "people": [
        {
            "name": "ward 7",
            "kind": "system",
            "keys": [
                {"id": "k1", "kind": "key", "hint": "thk_abcd", "roles": ["submitter"], "created_at": "2026",
                 "expires_at": None, "revoked_at": None},
                {"id": "k2", "kind": "link", "hint": "thl_abcd", "roles": ["submitter"]},
            ],
        }
    ],
}  # fmt: skip


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], list[httpx.Request]]:
    """Answers everything with this; returns the requests that came."""

    def answering(answer: Any) -> list[httpx.Request]:
        asked: list[httpx.Request] = []

        def handle(request: httpx.Request) -> httpx.Response:
            asked.append(request)
            return httpx.Response(200, json=answer)

        settings = Settings(_env_file=None, home=tmp_path)
        for module in (keys, pointers, system, webhooks):
            monkeypatch.setattr(module, "Client", lambda _: Client(settings, httpx.MockTransport(handle)))
        return asked

    return answering


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_the_state_of_the_service_is_told(gateway: Any) -> None:
    gateway(SYSTEM)
    shown = _run("system").stdout
    for word in ("ward-1:17", "NO", "12 s", "1.65", "tiny-1: altered", "3 cough jobs were given up: worker_lost"):
        assert word in shown
    assert json.loads(_run("system", "--json").stdout) == SYSTEM


def test_the_log_is_filtered(gateway: Any) -> None:
    asked = gateway({"events": [], "next": None})
    done = _run("audit", "--action", "job.", "--actor", "ada", "--since", "2026-05-03", "--json")
    assert done.exit_code == 0
    since = "2026-05-03T00:00:00+00:00"
    assert dict(asked[0].url.params) == {"action": "job.", "actor": "ada", "since": since, "limit": "50"}


def test_keys_over_http(gateway: Any) -> None:
    asked = gateway({"secret": "thk_x", "holder": "system"})
    made = json.loads(
        _run("keys", "create", "ward 7", "--role", "submitter", "--hours", "2", "--http", "--json").stdout
    )
    assert (made["key"], made["kind"]) == ("thk_x", "system")
    body = {"name": "ward 7", "roles": ["submitter"], "what": "key", "hours": 2.0}
    assert (asked[0].method, asked[0].url.path, json.loads(asked[0].content)) == ("POST", "/v1/keys", body)
    gateway(PEOPLE)
    (listed,) = json.loads(_run("keys", "list", "--http", "--json").stdout)["keys"]
    assert (listed["id"], listed["name"], listed["tenant"]) == ("k1", "ward 7", "north")
    revoked = gateway({})
    _run("keys", "revoke", "01890000-0000-7000-8000-000000000000", "--http")
    assert revoked[0].method == "DELETE"


def test_which_version_answered_then(gateway: Any) -> None:
    then = {"at": "2026-05-03T00:00:00Z", "active": VERSION, "by": MOVE}
    asked = gateway({"moves": [MOVE], "next": None, "then": then})
    shown = _run("versions", "history", "cough", "--at", "2026-05-03").stdout
    assert "tiny-1 (abababababab) answered, since 2026-05-01T00:00:00Z by north/ada: better" in shown
    assert asked[0].url.params["at"] == "2026-05-03T00:00:00+00:00"


@pytest.mark.parametrize(("command", "enabled"), [("pause", False), ("resume", True)])
def test_a_webhook_is_paused_and_resumed(gateway: Any, command: str, enabled: bool) -> None:
    asked = gateway({})
    assert _run("webhooks", command, "w1").exit_code == 0
    assert (asked[0].method, json.loads(asked[0].content)) == ("PATCH", {"enabled": enabled})
