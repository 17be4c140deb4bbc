"""Webhooks: written with what happened, sent at least once, signed, and never to where they may not go."""

import base64
import contextlib
import hmac
import json
import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.api.webhooks import signing
from services.api.webhooks.address import Addresses
from shared.db.engine import Database
from shared.db.statements import claims, turns
from shared.db.tables import Delivery, Webhook, Worker, new_id
from shared.schemas import Modality, Role
from shared.settings import Settings
from tests.integration.api.support import Api, serving, submitted
from tests.support.receiver import Receiver, receiver
from tests.support.stack import process, wait_for

DOCS = Path(__file__).parents[3] / "docs" / "api.md"


@pytest.fixture
def api(settings: Settings, database: Database, deployed: dict[Modality, str]) -> Iterator[Api]:
    """A gateway whose operator lets webhooks reach this machine."""
    with serving(local(settings), database) as running:
        yield running


@pytest.fixture
def admin(api: Api) -> httpx.Client:
    """The hospital's administrator."""
    return api.client(Role.ADMIN)


@pytest.fixture
def client(api: Api) -> httpx.Client:
    """A system that submits for the same hospital."""
    return api.client(Role.SUBMITTER)


@pytest.fixture
def hook() -> Iterator[Receiver]:
    """The hospital's system that is told."""
    with receiver() as running:
        yield running


@pytest.fixture(scope="module")
def verify() -> Callable[..., dict[str, Any]]:
    """The example of docs/api.md."""
    code = next(c for c in re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL) if "def verify" in c)
    names: dict[str, Any] = {}
    exec(code, names)
    return names["verify"]


def local(settings: Settings, **changes: Any) -> Settings:
    return settings.changed(webhook_http=True, webhook_networks="127.0.0.0/8", **changes)


def add(admin: httpx.Client, url: str, *events: str) -> dict[str, Any]:
    response = admin.post("/v1/webhooks", json={"url": url, "events": list(events or ("job.finished",))})
    assert response.status_code == 201, response.text
    return response.json()


def end_one(client: httpx.Client) -> str:
    job = submitted(client)
    assert client.delete(f"/v1/jobs/{job}").status_code == 200
    return job


def deliveries(admin: httpx.Client, hook_id: str, state: str = "") -> list[dict[str, Any]]:
    answer = admin.get(f"/v1/webhooks/{hook_id}/deliveries", params={"state": state} if state else {})
    assert answer.status_code == 200, answer.text
    return answer.json()["deliveries"]


def came(hook: Receiver, count: int = 1) -> None:
    wait_for(lambda: len(hook.messages) >= count, 60, f"{count} messages")


def due_now(api: Api) -> None:
    api.execute("UPDATE deliveries SET due_at = now() WHERE state = 'waiting'")
    api.execute("UPDATE webhooks SET paused_until = NULL")


def test_the_end_of_a_job_is_told(
    api: Api, admin: httpx.Client, client: httpx.Client, hook: Receiver, verify: Callable[..., Any]
) -> None:
    made = add(admin, hook.url)
    job = end_one(client)
    came(hook)
    message = hook.messages[0]
    told = verify(made["secret"], message.headers, message.body)
    assert told["type"] == "job.finished"
    assert told["data"] == {
        "job_id": job,
        "status": "cancelled",
        "links": {"self": f"{api.settings.base_url}/v1/jobs/{job}"},
    }
    assert message.headers["host"] == f"127.0.0.1:{hook.port}"
    sent = wait_for(lambda: deliveries(admin, made["id"], "sent"), 60, "it is settled")
    assert (sent[0]["webhook_id"], sent[0]["answer"]) == (message.headers["webhook-id"], "204")
    assert "secret" not in admin.get(f"/v1/webhooks/{made['id']}").json()


def test_every_end_is_told_in_its_own_transaction(
    api: Api, database: Database, admin: httpx.Client, client: httpx.Client, deployed: dict[Modality, str]
) -> None:
    made = add(admin, "http://127.0.0.1:9/")
    jobs = [submitted(client) for _ in range(3)]
    with database.begin() as session:
        worker = Worker(id=new_id(), host="test", pid=1, modalities=["chest_xray"], report={})
        session.add(worker)
        session.flush()
        rows = session.execute(turns.claim(worker.id, ["chest_xray"], 3, 60, 3600)).all()
    assert {str(row.id) for row in rows} == set(jobs)
    assert api.count(Delivery) == 0
    answer = {"job_id": jobs[0], "state": "rejected", "code": "x", "detail": "x"}
    with database.engine.connect() as connection:
        connection.execute(claims.finish(rows[0].claim_id, [answer]))
        connection.rollback()
    assert api.count(Delivery) == 0
    with database.begin() as session:
        session.execute(claims.finish(rows[0].claim_id, [answer]))
        session.execute(
            claims.give_back(rows[0].claim_id, [UUID(jobs[1])], cause="died", charged=True, most=1, code="decoder_died")
        )
    api.execute("UPDATE claims SET lease_until = now() - interval '1 second'")
    with database.begin() as session:
        session.execute(claims.reap(1, "lost"))
    told = {item["job_id"]: item["status"] for item in deliveries(admin, made["id"])}
    assert told == dict(zip(jobs, ("rejected", "dead", "dead"), strict=True))


def test_only_who_asked_is_told(api: Api, admin: httpx.Client, client: httpx.Client, hook: Receiver) -> None:
    other = api.client(Role.ADMIN, tenant="south")
    theirs = add(other, hook.url)
    disabled = add(admin, hook.url)
    admin.patch(f"/v1/webhooks/{disabled['id']}", json={"enabled": False})
    end_one(client)
    assert api.count(Delivery) == 0
    for method, path in (
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/secret"),
        ("POST", "/test"),
        ("GET", "/deliveries"),
        ("POST", "/replay"),
    ):
        json_ = {"events": ["job.finished"]} if method == "PATCH" else None
        assert admin.request(method, f"/v1/webhooks/{theirs['id']}{path}", json=json_).status_code == 404, (
            method,
            path,
        )
        assert client.request(method, f"/v1/webhooks/{disabled['id']}{path}", json=json_).status_code == 403
    assert [item["id"] for item in admin.get("/v1/webhooks").json()] == [disabled["id"]]
    assert {"webhook.add", "webhook.change"} <= set(api.actions())


def test_a_recall_is_told_to_every_hospital_that_listens(
    api: Api, admin: httpx.Client, hook: Receiver, deployed: dict[Modality, str]
) -> None:
    south = api.client(Role.ADMIN, tenant="south")
    for listener in (admin, south):
        add(listener, hook.url, "version.recalled")
    add(south, hook.url)  # of jobs alone
    version = deployed[Modality.CHEST_XRAY]
    assert admin.post(f"/v1/versions/{version}/recall", json={"reason": "flips"}).status_code == 200
    came(hook, 2)
    told = [json.loads(message.body) for message in hook.messages]
    assert [(one["type"], one["data"]["version"], one["use"]) for one in told] == [
        ("version.recalled", version, "research")
    ] * 2
    assert told[0]["data"]["links"]["jobs"].endswith(f"/v1/jobs?version={version}")
    assert api.count(Delivery) == 2


def test_a_failed_attempt_comes_again_under_the_same_id(
    api: Api, admin: httpx.Client, hook: Receiver, client: httpx.Client
) -> None:
    made = add(admin, hook.url)
    hook.status = 500
    end_one(client)
    came(hook)
    waiting = wait_for(lambda: [d for d in deliveries(admin, made["id"]) if d["answer"]], 60, "it is settled")
    assert (waiting[0]["state"], waiting[0]["answer"], waiting[0]["attempts"]) == ("waiting", "500", 1)
    shown = admin.get(f"/v1/webhooks/{made['id']}").json()
    assert shown["failures"] == 1
    hook.status = 200
    due_now(api)
    came(hook, 2)
    assert hook.messages[0].headers["webhook-id"] == hook.messages[1].headers["webhook-id"]
    assert hook.messages[0].body == hook.messages[1].body
    wait_for(lambda: admin.get(f"/v1/webhooks/{made['id']}").json()["failures"] == 0, 60, "it works again")


def test_delays_grow_and_deliveries_die_and_are_replayed(
    settings: Settings, database: Database, deployed: dict[Modality, str], hook: Receiver
) -> None:
    with serving(local(settings, webhook_attempts=3), database) as api:
        admin, client = api.client(Role.ADMIN), api.client(Role.SUBMITTER)
        made, delays = add(admin, hook.url), []
        hook.status = 503
        end_one(client)
        for attempt in (1, 2, 3):
            came(hook, attempt)
            wait_for(partial(_settled, api, attempt), 60, "settled")
            with database.begin() as session:
                row = session.query(Delivery).one()
                delays.append((row.due_at - row.created_at).total_seconds())
            if attempt < 3:
                due_now(api)
        assert delays[0] < delays[1]
        dead = deliveries(admin, made["id"], "dead")
        assert (dead[0]["attempts"], dead[0]["answer"]) == (3, "503")
        hook.status = 200
        assert admin.post(f"/v1/webhooks/{made['id']}/replay").json() == {"replayed": 1}
        came(hook, 4)
        assert len({message.headers["webhook-id"] for message in hook.messages}) == 1
        wait_for(lambda: deliveries(admin, made["id"], "sent"), 60, "it arrived at last")
        assert admin.post(f"/v1/webhooks/{made['id']}/replay").json() == {"replayed": 0}


def test_a_receiver_that_hangs_delays_nobody(
    settings: Settings, database: Database, deployed: dict[Modality, str], hook: Receiver
) -> None:
    with serving(local(settings, webhook_seconds=2.0), database) as api, receiver() as dead:
        dead.hang = threading.Event()
        admin, client = api.client(Role.ADMIN), api.client(Role.SUBMITTER)
        hanging, fine = add(admin, dead.url), add(admin, hook.url)
        for _ in range(30):
            end_one(client)
        wait_for(lambda: len(deliveries(admin, fine["id"], "sent")) == 30, 60, "the other one knows everything")
        wait_for(lambda: any(d["answer"] == "timeout" for d in deliveries(admin, hanging["id"])), 60, "a timeout")
        assert len(dead.messages) <= 10
        assert admin.get(f"/v1/webhooks/{hanging['id']}").json()["failures"] <= 2


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(admin: httpx.Client, client: httpx.Client, hook: Receiver, status: int) -> None:
    with receiver() as elsewhere:
        hook.status, hook.location = status, elsewhere.url
        made = add(admin, hook.url)
        end_one(client)
        wait_for(lambda: [d for d in deliveries(admin, made["id"]) if d["answer"] == str(status)], 60, "it failed")
        assert elsewhere.messages == []


def test_a_receiver_that_is_gone_is_told_no_more(admin: httpx.Client, client: httpx.Client, hook: Receiver) -> None:
    hook.status = 410
    made = add(admin, hook.url)
    end_one(client)
    wait_for(lambda: deliveries(admin, made["id"], "dead"), 60, "the delivery is given up")
    assert admin.get(f"/v1/webhooks/{made['id']}").json()["enabled"] is False
    end_one(client)
    assert len(deliveries(admin, made["id"])) == 1


def test_an_endless_answer_is_not_read(admin: httpx.Client, client: httpx.Client, hook: Receiver) -> None:
    hook.status, hook.body = 200, bytes(50 * 2**20)
    made = add(admin, hook.url)
    end_one(client)
    wait_for(lambda: deliveries(admin, made["id"], "sent"), 60, "the status was enough")


def test_a_test_message_and_removal(api: Api, admin: httpx.Client, hook: Receiver) -> None:
    made = add(admin, hook.url)
    path = f"/v1/webhooks/{made['id']}"
    assert admin.post(f"{path}/test").status_code == 202
    came(hook)
    assert json.loads(hook.messages[0].body)["type"] == "webhook.test"
    assert admin.delete(path).status_code == 204
    assert admin.get(path).status_code == 404
    assert admin.delete(path).status_code == 404


def test_both_secrets_sign_during_a_rotation(
    api: Api, admin: httpx.Client, hook: Receiver, verify: Callable[..., Any]
) -> None:
    made = add(admin, hook.url)
    path = f"/v1/webhooks/{made['id']}"
    fresh = admin.post(f"{path}/secret").json()["secret"]
    admin.post(f"{path}/test")
    came(hook)
    for secret in (made["secret"], fresh):
        assert verify(secret, hook.messages[0].headers, hook.messages[0].body)
    api.execute("UPDATE webhooks SET old_until = now()")
    admin.post(f"{path}/test")
    came(hook, 2)
    assert verify(fresh, hook.messages[1].headers, hook.messages[1].body)
    with pytest.raises(ValueError, match="signature"):
        verify(made["secret"], hook.messages[1].headers, hook.messages[1].body)


def test_a_gateway_that_dies_while_sending_is_followed(
    api: Api, database: Database, admin: httpx.Client, client: httpx.Client, hook: Receiver
) -> None:
    made = add(admin, hook.url)
    hook.hang = threading.Event()
    end_one(client)
    came(hook)
    api.execute("UPDATE deliveries SET due_at = now()")  # the lease of one that died is over
    log = api.settings.home / "second.log"
    with process(api.settings.changed(port=_free_port()), "services.api", log):
        came(hook, 2)
        hook.hang.set()
        assert hook.messages[0].headers["webhook-id"] == hook.messages[1].headers["webhook-id"]
        wait_for(lambda: deliveries(admin, made["id"], "sent"), 60, "settled once")
    assert api.count(Delivery) == 1


def test_the_vector_of_the_standard() -> None:
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signing.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [secret])
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_is_tampered_with_or_old_is_not_believed(verify: Callable[..., Any]) -> None:
    secret, body, now = signing.new_secret(), b'{"type":"x"}', int(time.time())
    shown, good = signing.shown(secret), signing.headers("msg_1", now, body, [secret])
    assert verify(shown, good, body) == {"type": "x"}
    old = signing.headers("msg_1", now - 301, body, [secret])
    early = signing.headers("msg_1", now + 301, body, [secret])
    for headers, sent in (
        (good, b'{"type":"y"}'),
        ({**good, "webhook-id": "msg_2"}, body),
        ({**good, "webhook-timestamp": str(now + 1)}, body),
        ({**good, "webhook-signature": ""}, body),
        ({**good, "webhook-signature": good["webhook-signature"].replace("v1,", "v2,")}, body),
        (signing.headers("msg_1", now, body, [signing.new_secret()]), body),
        (old, body),
        (early, body),
    ):
        with pytest.raises(ValueError, match=r"signature|old"):
            verify(shown, headers, sent)
    assert hmac.compare_digest(shown[:6], "whsec_")


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


def test_there_is_a_bound_of_webhooks(api: Api, admin: httpx.Client, hook: Receiver) -> None:
    for _ in range(20):
        add(admin, hook.url)
    assert admin.post("/v1/webhooks", json={"url": hook.url}).json()["code"] == "webhooks_full"
    assert api.count(Webhook) == 20
    assert admin.post("/v1/webhooks", json={"url": hook.url, "events": ["job.started"]}).status_code == 422


def _settled(api: Api, attempts: int) -> bool:
    with api.database.begin() as session:
        row = session.query(Delivery).one()
        return row.attempts == attempts and row.answer == "503" and (row.state == "dead" or _later(api))


def _later(api: Api) -> bool:
    with api.database.begin() as session:
        return session.query(Webhook).one().paused_until is not None


def _free_port() -> int:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return int(probe.getsockname()[1])
