"""Bytes nobody meant well: every answer is a problem without a stack or a path, none is a 5xx, memory stays flat."""

import random
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from uuid import uuid4

import httpx
import psutil
import pytest

from infra.ports import free_port
from services.api.envelope import HEADERS
from services.api.roles import ROLES
from shared.db.engine import Database
from shared.schemas import Modality, Role
from shared.settings import Settings
from tests.integration.api.support import PNG, Api, submit, submitted
from tests.support.stack import process, wait_for

_ADDRESSES = sorted(row for row in ROLES if row[1].startswith(("/v1/", "/health/", "/metrics")))
_LEAK = re.compile(rb"Traceback|/[a-z_]+/[a-z_]+/\S+\.py|site-packages|psycopg|sqlalchemy", re.IGNORECASE)


def test_strict_headers_everywhere(api: Api, client: httpx.Client) -> None:
    for path in ("/health/live", "/v1/me", "/v1/jobs", "/nowhere", f"/v1/jobs/{uuid4()}"):
        headers = client.get(path).headers
        for name in set(HEADERS) - {"Cache-Control"}:
            assert headers[name] == HEADERS[name], (path, name)
        assert "no-" in headers["Cache-Control"]
        assert "server" not in headers


def test_unknown_paths_and_methods(client: httpx.Client) -> None:
    assert client.get("/v1/nothing").json()["code"] == "not_found"
    wrong = client.patch("/v1/jobs")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert "POST" in wrong.headers["Allow"] or "GET" in wrong.headers["Allow"]


def test_a_large_body_where_none_belongs(api: Api) -> None:
    admin = api.client(Role.ADMIN)
    declared = admin.put("/v1/deployments/cough", content=bytes(200_000), headers={"If-Match": '"1"'})
    assert declared.status_code == 413
    chunked = admin.put(
        "/v1/deployments/cough", content=(bytes(50_000) for _ in range(20)), headers={"If-Match": '"1"'}
    )
    assert chunked.status_code in (400, 413)
    deep = admin.put("/v1/deployments/cough", content=b"[" * 60_000, headers={"Content-Type": "application/json"})
    assert deep.status_code in (400, 422)


@pytest.mark.parametrize("seed", range(6))
def test_fuzzed_uploads(api: Api, client: httpx.Client, seed: int) -> None:
    dice = random.Random(seed)
    good = _form(PNG, {"modality": "chest_xray", "client_ref": "R", "study_id": "S"})
    for _ in range(60):
        body = _mutated(dice, good)
        headers = {"Content-Type": dice.choice(_TYPES), "Idempotency-Key": dice.choice(["k", "", "é", "a" * 300])}
        if dice.random() < 0.7:
            headers = {"Content-Type": "multipart/form-data; boundary=b"}
        _harmless(client.post("/v1/jobs", content=body, headers={k: v.encode() for k, v in headers.items()}))


@pytest.mark.parametrize("seed", range(3))
def test_fuzzed_addresses_and_headers(api: Api, seed: int) -> None:
    dice = random.Random(seed)
    client = api.client(*Role)
    for _ in range(60):
        method, path = dice.choice(_ADDRESSES)
        for name in ("job_id", "study_id", "kind", "modality", "sha256"):
            path = path.replace("{" + name + "}", dice.choice(_WORDS))
        headers = {name: dice.choice(_VALUES) for name in dice.sample(_NAMES, 3)}
        params = {dice.choice(["limit", "cursor", "status", "version", "x"]): dice.choice([*_WORDS, "99999999999999"])}
        response = client.request(
            method, httpx.URL(path), params=params, headers=headers, content=b'{"version":"\\u0000"}'
        )
        _harmless(response)


@pytest.mark.parametrize(
    "head",
    [
        b"GARBAGE\r\n\r\n",
        b"GET /v1/me HTTP/1.1\r\n\r\n",
        b"GET /v1/me HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET //evil.example/v1/me HTTP/1.1\r\nHost: a/?x=\r\n\r\n",
        b"GET /v1/jobs/%00 HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_raw_nonsense_on_the_socket(api: Api, head: bytes) -> None:
    with socket.create_connection(("127.0.0.1", api.settings.port), timeout=10) as connection:
        connection.sendall(head)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65536)
    assert answer.split()[1][:1] == b"4", answer
    assert b"application/problem+json" in answer
    assert api.anonymous().get("/health/live").status_code == 200


def _drip(connection: socket.socket, most_s: float) -> None:
    until = time.monotonic() + most_s
    while time.monotonic() < until:
        connection.sendall(b"G")
        time.sleep(0.1)


def test_a_head_that_never_ends(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api.protocol.HEAD_S", 1.0)
    connection = socket.create_connection(("127.0.0.1", api.settings.port), timeout=20)
    with connection, pytest.raises(OSError, match=r"reset|pipe"):
        _drip(connection, 60)


# --- memory ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def alone(
    settings: Settings, database: Database, deployed: dict[Modality, str], tmp_path: Path
) -> Iterator[tuple[Api, psutil.Process]]:
    """The gateway as a process of its own, as `python -m services.api` runs it."""
    own = settings.model_copy(update={"port": free_port()})
    api = Api(own, database)
    with process(own, "services.api", tmp_path / "api.log") as child:
        wait_for(lambda: _lives(api), 60, "the gateway answers")
        yield api, psutil.Process(child.popen.pid)
        api.close()
        assert child.terminate() == 0


def test_memory_does_not_grow_with_the_file(alone: tuple[Api, psutil.Process]) -> None:
    api, gateway = alone
    client = api.client(Role.SUBMITTER)
    for _ in range(3):
        submitted(client)
    before = gateway.memory_info().rss
    peak, body = before, PNG + bytes(60 * 2**20)
    for _ in range(2):
        submitted(client, body)
        peak = max(peak, gateway.memory_info().rss)
    assert peak - before < 30 * 2**20, f"{(peak - before) / 2**20:.1f} MB"
    refused = submit(client, bytes(65 * 2**20))
    assert refused.status_code == 413
    assert gateway.memory_info().rss - before < 30 * 2**20


def test_a_long_poll_does_not_keep_the_gateway_from_stopping(alone: tuple[Api, psutil.Process]) -> None:
    api, gateway = alone
    client = api.client(Role.SUBMITTER)
    job = submitted(client)
    Timer(0.5, gateway.terminate).start()
    response = client.get(f"/v1/jobs/{job}", headers={"Prefer": "wait=30"})
    assert response.json()["status"] == "queued"


def _lives(api: Api) -> bool:
    try:
        return api.anonymous().get("/health/live").status_code == 200
    except httpx.ConnectError:
        return False


def _harmless(response: httpx.Response) -> None:
    assert response.status_code < 500, (response.request.url, response.text)
    assert not _LEAK.search(response.content), response.text
    if response.status_code >= 400 and response.request.url.path.startswith("/v1/"):
        assert response.headers["Content-Type"] == "application/problem+json", response.text
        assert response.json()["code"]


def _form(file: bytes, fields: dict[str, str]) -> bytes:
    parts = [f'--b\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode() for n, v in fields.items()]
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="../../x\\r\\n.png"\r\n\r\n'
    return b"".join(parts) + head + file + b"\r\n--b--\r\n"


def _mutated(dice: random.Random, good: bytes) -> bytes:
    body = bytearray(good)
    for _ in range(dice.randint(1, 8)):
        at = dice.randrange(len(body))
        match dice.randint(0, 3):
            case 0:
                body[at] = dice.randrange(256)
            case 1:
                del body[at : at + dice.randint(1, 60)]
            case 2:
                body[at:at] = dice.choice([b"\r\n--b\r\n", b"\x00", b"--b--", b'name="', b"\xff\xfe", b"\r\n\r\n"])
            case _:
                body[at:at] = body[: dice.randint(1, 200)]
    return bytes(body)


_TYPES = [
    "",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/mixed; boundary=b",
    "text/plain",
    ";;;",
]
_WORDS = [
    "x",
    "chest_xray",
    "0" * 64,
    "..",
    "%2e%2e",
    "é",
    "😀",
    "-1",
    "'; DROP TABLE jobs",
    "00000000-0000-7000-8000-000000000000",
]
_NAMES = ["If-Match", "If-None-Match", "Prefer", "Idempotency-Key", "Accept", "Cookie", "Range", "Expect-X", "Origin"]
_VALUES = [
    "",
    "*",
    '"1"',
    "wait=-1",
    "wait=99999999",
    "wait=abc",
    "bytes=0-1",
    "text/html",
    "a" * 4000,
    "thoracle_session=1",
]
