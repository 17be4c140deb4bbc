"""Canary and shadow over HTTP: set with a generation and a reason, ended, refused where they would be a promotion."""

from typing import Any

import httpx

from shared.schemas import Modality, Role
from tests.integration.api.support import Api

HERE = "/v1/deployments/chest_xray"


def put(client: httpx.Client, pointer: str, generation: int | None, **body: Any) -> httpx.Response:
    """Set a pointer."""
    headers = {} if generation is None else {"If-Match": f'"{generation}"'}
    return client.put(f"{HERE}/{pointer}", json={"reason": "to see", **body}, headers=headers)


def end(client: httpx.Client, pointer: str, generation: int) -> httpx.Response:
    """Clear a pointer."""
    return client.delete(f"{HERE}/{pointer}", params={"reason": "seen"}, headers={"If-Match": f'"{generation}"'})


def test_a_canary_is_set_seen_and_ended(api: Api, second: str) -> None:
    admin = api.client(Role.ADMIN)
    done = put(admin, "canary", 1, version="tiny-2", share=0.1)
    assert (done.status_code, done.headers["ETag"]) == (200, '"2"')
    assert (done.json()["canary"]["sha256"], done.json()["canary_share"]) == (second, 0.1)
    assert end(admin, "canary", 2).json()["canary"] is None
    moves = admin.get(f"{HERE}/history").json()["moves"]
    assert [move["action"] for move in moves] == ["canary_end", "canary", "install"]
    assert (moves[1]["after"]["sha256"], moves[1]["evidence"]["share"]) == (second, 0.1)
    assert {"deployment.canary", "deployment.canary_end"} <= set(api.actions("chest_xray"))


def test_what_cannot_be_tried_is_refused(api: Api, second: str, deployed: dict[Modality, str]) -> None:
    admin = api.client(Role.ADMIN)
    assert put(admin, "canary", None, version=second, share=0.1).status_code == 428
    assert put(admin, "canary", 7, version=second, share=0.1).status_code == 412
    for share in (0, 0.6, 1):
        assert put(admin, "canary", 1, version=second, share=share).status_code == 422
    active = put(admin, "shadow", 1, version=deployed[Modality.CHEST_XRAY])
    assert (active.status_code, active.json()["code"]) == (409, "already_active")
    assert end(admin, "shadow", 1).json()["code"] == "nothing_tried"
    assert put(api.client(Role.CLINICIAN), "canary", 1, version=second, share=0.1).status_code == 403


def test_workers_have_it_ready_first(api: Api, second: str) -> None:
    admin = api.client(Role.ADMIN)
    api.execute(
        "INSERT INTO workers (id, host, pid, modalities, report) "
        "VALUES (gen_random_uuid(), 'h', 1, '{chest_xray}', '{}')"
    )
    waiting = put(admin, "canary", 1, version=second, share=0.1)
    assert (waiting.status_code, waiting.json()["code"]) == (409, "not_prepared")
    told = admin.get(HERE).json()
    assert (told["preparing"]["sha256"], told["canary"], told["generation"]) == (second, None, 1)
