"""The client: safe repeats, long polls, problems as sentences, and whose key goes where."""

import io
import json
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from cli.client import Client, ServerProblem
from cli.outcomes import Format, Outcomes
from shared.settings import Settings

Handler = Callable[[httpx.Request], httpx.Response]


def _client(tmp_path: Path, handler: Handler, **settings: object) -> Client:
    return Client(Settings(_env_file=None, home=tmp_path).changed(**settings), httpx.MockTransport(handler))


def test_a_busy_gateway_is_asked_again_with_the_same_idempotency_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    file = tmp_path / "chest.png"
    file.write_bytes(b"bytes of the file")
    keys, bodies = set(), []

    def handler(request: httpx.Request) -> httpx.Response:
        keys.add(request.headers["Idempotency-Key"])
        bodies.append(request.read())
        if len(bodies) < 3:
            return httpx.Response(503, headers={"Retry-After": "1"}, json={"code": "unavailable", "detail": "Busy."})
        return httpx.Response(202, json={"id": "1", "status": "queued"})

    with _client(tmp_path, handler) as client:
        assert client.submit(file, {"priority": "stat"})["status"] == "queued"
    assert len(keys) == 1
    assert all(b"bytes of the file" in body for body in bodies)


def test_it_waits_until_the_job_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    answers = iter(["queued", "running", "succeeded"])
    preferred = []

    def handler(request: httpx.Request) -> httpx.Response:
        preferred.append(request.headers["Prefer"])
        return httpx.Response(200, json={"status": next(answers)})

    with _client(tmp_path, handler) as client:
        assert client.finished("1", time.monotonic() + 60)["status"] == "succeeded"
    assert preferred == ["wait=20"] * 3


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (415, {"code": "input_type_unknown", "detail": "Not a picture."}, "Not a picture."),
        (422, {"code": "x", "detail": "Wrong.", "errors": [{"field": "sex", "detail": "unknown"}]}, "sex: unknown"),
        (401, {"code": "unauthenticated", "detail": "?"}, "THORACLE_KEY"),
        (502, "a proxy's page", "502"),
        (500, ["odd"], "500"),
    ],
)
def test_a_problem_becomes_a_sentence(tmp_path: Path, status: int, body: object, said: str) -> None:
    with (
        _client(tmp_path, lambda _: httpx.Response(status, json=body)) as client,
        pytest.raises(ServerProblem) as found,
    ):
        client.get("/v1/jobs")
    assert said in found.value.detail


def test_nobody_there_says_what_to_do(tmp_path: Path) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with _client(tmp_path, handler) as client, pytest.raises(ServerProblem, match="thoracle up"):
        client.get("/v1/jobs")


@pytest.mark.parametrize(
    ("settings", "sent"),
    [
        ({}, "Bearer thk_of_this_machine"),
        ({"key": SecretStr("thk_given")}, "Bearer thk_given"),
        ({"url": "https://elsewhere.example"}, None),
        ({"url": "https://elsewhere.example", "key": SecretStr("thk_given")}, "Bearer thk_given"),
    ],
)
def test_this_machines_key_goes_to_this_machine_only(
    tmp_path: Path, settings: dict[str, object], sent: str | None
) -> None:
    (tmp_path / "key").write_text("thk_of_this_machine\n")
    seen = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("Authorization"))
        return httpx.Response(200, json={})

    with _client(tmp_path, handler, **settings) as client:
        client.get("/v1/jobs")
    assert seen == [sent]


@pytest.mark.parametrize("format_", Format)
def test_outcomes_are_written_once_under_one_header(tmp_path: Path, format_: Format) -> None:
    """Also when nothing had ended at the first look."""
    ended: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        after = request.url.params.get("after")
        rows = ended[ended.index(after) + 1 :] if after else ended
        if format_ is Format.CSV:
            return httpx.Response(200, text="".join(f"{row}\r\n" for row in ["cursor", *rows]))
        return httpx.Response(200, text="".join(json.dumps({"cursor": row}) + "\n" for row in rows))

    out = io.StringIO()
    with _client(tmp_path, handler) as client:
        outcomes = Outcomes(client, "1", format_)
        for more in ([], ["a", "b"], [], ["c"]):
            ended += more
            outcomes.write(out)
    heads = ["cursor"] if format_ is Format.CSV else []
    rows = [line if heads else json.loads(line)["cursor"] for line in out.getvalue().splitlines()]
    assert rows == [*heads, "a", "b", "c"]
