"""Webhooks: never to where they may not go."""

import contextlib
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.api.webhooks.address import Addresses
from shared.db.engine import Database
from shared.schemas import Role
from shared.settings import Settings
from tests.integration.api.support import Api, serving
from tests.integration.api.webhooks.support import add, deliveries
from tests.support.receiver import Receiver
from tests.support.stack import wait_for

REFUSED = [
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://0/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::10.0.0.1]/",
    "https://[64:ff9b:1::1]/",
    "https://[fec0::1]/",
    "https://[::127.0.0.1]/",
    "https://[::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://169.254.169.254/",
    "https://100.64.0.1/",
    "https://[fe80::1]/",
    "https://[fc00::1]/",
    "https://224.0.0.1/",
    "https://[ff02::1]/",
    "https://255.255.255.255/",
    "https://localhost/",
    "https://no-such-host.invalid/",
    "http://93.184.216.34/",
    "https://user@93.184.216.34/",
    "https://user:pass@93.184.216.34/",
    "https://93.184.216.34/#x",
    "ftp://93.184.216.34/",
    "file:///etc/passwd",
    "//93.184.216.34/",
    "nonsense",
    "https:///x",
    "https://\u2460\u2461\u2466.0.0.1/",
]


@pytest.mark.parametrize("url", REFUSED)
def test_addresses_that_are_refused(strict: httpx.Client, url: str) -> None:
    answer = strict.post("/v1/webhooks", json={"url": url})
    assert (answer.status_code, answer.json()["code"][:8]) == (422, "webhook_"), answer.text


@pytest.fixture
def strict(settings: Settings, database: Database) -> Iterator[httpx.Client]:
    """An administrator where the operator allows nothing special."""
    with serving(settings, database) as api:
        yield api.client(Role.ADMIN)


def test_a_name_is_judged_by_all_its_addresses_when_it_is_sent(
    api: Api, admin: httpx.Client, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {"both.example": ["127.0.0.1", "10.0.0.1"], "fine.example": ["127.0.0.1"], "moves.example": ["127.0.0.1"]}
    real = socket.getaddrinfo

    def looked_up(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        if host not in answers:
            return real(host, port, *args, **options)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers[host]]

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    both = admin.post("/v1/webhooks", json={"url": f"http://both.example:{hook.port}/"})
    assert (both.status_code, both.json()["code"]) == (422, "webhook_address")
    fine, moves = (add(admin, f"http://{name}.example:{hook.port}/") for name in ("fine", "moves"))
    answers["moves.example"] = ["10.0.0.1"]
    for made in (fine, moves):
        admin.post(f"/v1/webhooks/{made['id']}/test")
    wait_for(lambda: [d for d in deliveries(admin, moves["id"]) if d["answer"] == "webhook_address"], 60, "refused")
    wait_for(lambda: deliveries(admin, fine["id"], "sent"), 60, "the other arrives")
    assert [message.headers["host"] for message in hook.messages] == [f"fine.example:{hook.port}"]


def test_the_name_is_what_tls_asks_for_and_certificates_are_checked(
    api: Api, admin: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=tls.example"]
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    asked: list[str | None] = []
    context.sni_callback = lambda _, name, __: asked.append(name)
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *a, **o: found if "tls" in str(host) else real(host, *a, **o)
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made = add(admin, f"https://tls.example:{listening.getsockname()[1]}/")
        admin.post(f"/v1/webhooks/{made['id']}/test")
        connection, _ = listening.accept()
        with connection, contextlib.suppress(OSError):
            context.wrap_socket(connection, server_side=True).close()
    wait_for(lambda: [d for d in deliveries(admin, made["id"]) if d["answer"] == "unreachable"], 60, "not trusted")
    assert asked == ["tls.example"]


def test_an_operator_allows_networks(settings: Settings) -> None:
    strict, open_ = Addresses(settings), Addresses(settings.changed(webhook_networks="10.1.0.0/16, fd00::/8"))
    for address in ("10.1.2.3", "fd00::1", "::ffff:10.1.2.3"):
        assert not strict.allows(address)
        assert open_.allows(address)
    for address in ("10.2.0.1", "127.0.0.1", "fe80::1"):
        assert not open_.allows(address)
    for address in ("93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"):
        assert strict.allows(address)
