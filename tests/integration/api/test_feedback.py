"""Verdicts on results: what may be said, by whom, what it does to the review, and what a withdrawal undoes."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

from shared.db import people
from shared.db.tables import Adjudication, Delivery, Feedback
from shared.schemas import Modality, Role
from tests.integration.api.support import WAV, Api, submit, submitted

Reader = Callable[..., httpx.Client]


@pytest.fixture
def reader(api: Api) -> Reader:
    """Makes clients of persons who judge."""

    def made(name: str, person: str | None = None, tenant: str = "north", kind: str = "person") -> httpx.Client:
        with api.database.begin() as session:
            owner = people.ensure_tenant(session, tenant)
            principal = people.ensure_principal(session, owner, name, [Role.CLINICIAN], kind, person)  # type: ignore[arg-type]
            return api.client(key=people.issue(session, principal.id, "key"))

    return made


def result(api: Api, client: httpx.Client, decision: str = "flagged", **fields: Any) -> str:
    """A job with a result."""
    job = submitted(client, **fields)
    api.finish(job, decision=decision)
    return job


def give(client: httpx.Client, job: str, verdict: str, **more: Any) -> httpx.Response:
    """POST a verdict; `key` is its Idempotency-Key."""
    key = more.pop("key", None)
    body = {"verdict": verdict, "basis": "impression", "saw_result_first": True, **more}
    return client.post(f"/v1/jobs/{job}/feedback", json=body, headers={"Idempotency-Key": key} if key else {})


def review(client: httpx.Client, job: str) -> tuple[str, str | None]:
    """State and label of a job's review."""
    found = client.get(f"/v1/jobs/{job}").json()["result"]["review"]
    return found["state"], found["label"]


def test_an_agreement_keeps_its_label(api: Api, client: httpx.Client, reader: Reader) -> None:
    job, ada = result(api, client), reader("ada")
    before = client.get(f"/v1/jobs/{job}")
    assert before.json()["result"]["review"] == {"state": "none", "label": None, "at": None}
    given = give(ada, job, "agree", basis="pcr", saw_result_first=False, comment="PCR of the same day")
    assert given.status_code == 201
    assert given.json()["label"] == "present"
    after = client.get(f"/v1/jobs/{job}", headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200  # the review is part of the job, so its validator changed
    assert after.json()["result"]["review"] == {"state": "agreed", "label": "present", "at": given.json()["created_at"]}
    (one,) = client.get(f"/v1/jobs/{job}/feedback").json()["feedback"]
    assert (one["reader"], one["basis"], one["comment"], one["yours"]) == ("ada", "pcr", "PCR of the same day", False)
    assert api.actions(one["id"]) == ["feedback.give"]


@pytest.mark.parametrize(
    ("decision", "verdict", "label", "code"),
    [
        ("flagged", "disagree", None, "label_required"),
        ("flagged", "disagree", "present", "label_contradicts"),
        ("not_flagged", "agree", "present", "label_contradicts"),
        ("not_flagged", "unsure", "absent", "label_of_unsure"),
        ("refer", "disagree", None, "label_required"),
    ],
)
def test_a_label_fits_its_verdict(
    api: Api, client: httpx.Client, reader: Reader, decision: str, verdict: str, label: str | None, code: str
) -> None:
    refused = give(reader("ada"), result(api, client, decision), verdict, label=label)
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert api.count(Feedback) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"label": "covid"},
        {"basis": None},
        {"basis": "rumour"},
        {"saw_result_first": None},
        {"comment": "\x00"},
        {"x": 1},
    ],
)
def test_what_no_verdict_can_hold_is_refused(
    api: Api, client: httpx.Client, reader: Reader, wrong: dict[str, Any]
) -> None:
    assert give(reader("ada"), result(api, client), "agree", **wrong).status_code == 422


def test_only_results_are_judged_also_recalled_ones(
    api: Api, client: httpx.Client, reader: Reader, deployed: dict[Modality, str]
) -> None:
    ada, waiting = reader("ada"), submitted(client)
    refused = give(ada, waiting, "agree")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_judgeable")
    assert give(ada, "01970000-0000-7000-8000-000000000000", "agree").status_code == 404
    job = result(api, client)
    address = f"/v1/versions/{deployed[Modality.CHEST_XRAY]}/recall"
    assert api.client(Role.ADMIN).post(address, json={"reason": "test"}).status_code == 200
    assert give(ada, job, "agree").status_code == 201


def test_persons_judge_and_nobody_else(api: Api, client: httpx.Client, reader: Reader) -> None:
    job = result(api, client)
    for other in (client, api.client(Role.ADMIN), api.client(Role.AUDITOR)):
        assert give(other, job, "agree").status_code == 403
    unnamed = give(reader("robot", kind="system"), job, "agree")
    assert (unnamed.status_code, unnamed.json()["code"]) == (403, "reader_unnamed")
    assert give(reader("laboratory", person="Ada", kind="system"), job, "agree", basis="pcr").status_code == 201


def test_the_next_verdict_of_a_person_takes_the_place_of_the_last(
    api: Api, client: httpx.Client, reader: Reader
) -> None:
    job, ada, laptop = result(api, client), reader("ada"), reader("ada's laptop", person="ADA", kind="system")
    give(ada, job, "agree")
    give(laptop, job, "unsure", comment="looked again")
    newest, first = client.get(f"/v1/jobs/{job}/feedback").json()["feedback"]
    assert (newest["verdict"], newest["stands"]) == ("unsure", True)
    assert (first["verdict"], first["stands"], first["withdrawn_at"]) == ("agree", False, None)
    assert first["replaced_at"] == newest["created_at"]
    assert review(client, job) == ("none", None)
    assert ada.delete(f"/v1/feedback/{first['id']}").json()["code"] == "feedback_over"
    assert ada.delete(f"/v1/feedback/{newest['id']}").status_code == 200
    assert api.count(Feedback, Feedback.withdrawn_at.is_(None), Feedback.replaced_at.is_(None)) == 0


def test_withdrawing_is_for_the_reader_or_an_administrator(api: Api, client: httpx.Client, reader: Reader) -> None:
    job, ada, ben = result(api, client), reader("ada"), reader("ben")
    one = give(ada, job, "agree").json()["id"]
    refused = ben.delete(f"/v1/feedback/{one}")
    assert (refused.status_code, refused.json()["code"]) == (403, "feedback_not_yours")
    assert client.delete(f"/v1/feedback/{one}").status_code == 403
    gone = api.client(Role.ADMIN).delete(f"/v1/feedback/{one}")
    assert gone.json()["stands"] is False
    assert gone.json()["review"]["state"] == "none"
    assert api.actions(one) == ["feedback.give", "feedback.withdraw"]
    assert ada.delete(f"/v1/feedback/{one}").status_code == 409
    assert api.count(Feedback) == 1


def test_a_repeated_request_is_one_verdict(api: Api, client: httpx.Client, reader: Reader) -> None:
    job, ada = result(api, client), reader("ada")
    first = give(ada, job, "agree", key="k1")
    give(ada, job, "agree", key="k2")
    again = give(ada, job, "agree", key="k1")
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert again.json()["id"] == first.json()["id"]
    assert api.count(Feedback) == 2
    assert give(ada, job, "unsure", key="k1").json()["code"] == "idempotency_mismatch"


def test_another_hospital_sees_and_says_nothing(api: Api, client: httpx.Client, reader: Reader) -> None:
    job, stranger = result(api, client), reader("eve", tenant="south")
    one = give(reader("ada"), job, "disagree", label="absent").json()["id"]
    (adjudication,) = reader("ben").get("/v1/adjudications").json()["adjudications"]
    assert give(stranger, job, "agree").status_code == 404
    assert stranger.get(f"/v1/jobs/{job}/feedback").status_code == 404
    assert stranger.delete(f"/v1/feedback/{one}").status_code == 404
    assert api.client(Role.ADMIN, tenant="south").delete(f"/v1/feedback/{one}").status_code == 404
    assert stranger.get("/v1/feedback").json()["feedback"] == []
    assert stranger.get("/v1/adjudications").json()["adjudications"] == []
    path = f"/v1/adjudications/{adjudication['id']}"
    assert stranger.get(path).status_code == 404
    assert stranger.post(f"{path}/verdict", json={"label": "absent", "basis": "pcr"}).status_code == 404


def test_verdicts_are_listed_by_what_they_are(
    api: Api, client: httpx.Client, reader: Reader, deployed: dict[Modality, str]
) -> None:
    ada, ben = reader("ada"), reader("ben")
    picture, sound = result(api, client), result(api, client, body=WAV, modality="cough")
    agreed = give(ada, picture, "agree", basis="pcr").json()["id"]
    differs = give(ben, picture, "disagree", label="absent").json()["id"]
    heard = give(ada, sound, "agree", comment="Jane").json()["id"]

    def listed(**chosen: Any) -> list[str]:
        answer = ada.get("/v1/feedback", params=chosen)
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["feedback"]]

    assert listed() == [heard, differs, agreed]
    assert listed(verdict="disagree") == [differs]
    assert listed(basis="pcr") == [agreed]
    assert listed(modality="cough") == [heard]
    assert listed(version=deployed[Modality.COUGH]) == [heard]
    ada.delete(f"/v1/feedback/{agreed}")
    assert listed(stands=True) == [heard, differs]
    page = ada.get("/v1/feedback", params={"limit": 2}).json()
    assert listed(cursor=page["next"]) == [agreed]
    (shown, *_) = api.client(Role.ADMIN).get("/v1/feedback").json()["feedback"]
    assert shown["comment"] is None  # an administrator sees no words of a reader
    assert ada.get("/v1/feedback", params={"verdict": "maybe"}).status_code == 422


def test_the_review_stands_in_lists_and_exports(api: Api, client: httpx.Client, reader: Reader) -> None:
    job = client.post(
        "/v1/batches", content=_line(client), headers={"Content-Type": "application/x-ndjson", "Idempotency-Key": "b"}
    ).json()
    (one,) = client.get("/v1/jobs", params={"limit": 1}).json()["jobs"]
    api.finish(one["id"])
    give(reader("ada"), one["id"], "agree")
    (listed,) = client.get("/v1/jobs", params={"limit": 1}).json()["jobs"]
    assert listed["result"]["review"]["state"] == "agreed"
    rows = client.get(f"/v1/batches/{job['id']}/results").text.splitlines()
    assert '"review": "agreed"' in rows[0]
    assert '"review_label": "present"' in rows[0]
    header, line = client.get(f"/v1/batches/{job['id']}/results", params={"format": "csv"}).text.splitlines()
    cells = dict(zip(header.split(","), line.split(","), strict=False))
    assert cells["review"] == "agreed"


def _line(client: httpx.Client) -> bytes:
    stored = submit(client).json()["input"]["sha256"]
    return b'{"sha256": "%s", "key": "a"}\n' % stored.encode()


def test_a_changed_review_is_told_once(api: Api, client: httpx.Client, reader: Reader) -> None:
    _hook(api, "result.reviewed")
    job, ada, ben = result(api, client), reader("ada"), reader("ben")
    told = lambda: [row.status for row in _deliveries(api)]  # noqa: E731
    assert told() == []
    one = give(ada, job, "agree").json()["id"]
    give(ben, job, "agree")  # changes nothing of the review
    assert give(ada, job, "disagree").status_code == 422
    assert told() == ["agreed"]
    ben.delete(f"/v1/feedback/{one}")  # refused
    ada.delete(f"/v1/feedback/{one}")
    assert told() == ["agreed"]
    give(ben, job, "disagree", label="absent")
    assert told() == ["agreed", "in_adjudication"]
    assert {(row.event, str(row.job_id)) for row in _deliveries(api)} == {("result.reviewed", job)}


def test_a_result_that_is_referred_is_not_told_as_reviewed(api: Api, client: httpx.Client) -> None:
    _hook(api, "result.reviewed")
    job = result(api, client, "refer")
    assert review(client, job) == ("in_adjudication", None)
    assert api.count(Adjudication, Adjudication.job_id == UUID(job), Adjudication.rank == 0) == 1
    assert _deliveries(api) == []


def _hook(api: Api, event: str) -> None:
    api.execute(
        """INSERT INTO webhooks (id, tenant_id, principal_id, url, events, secret, paused_until)
           SELECT gen_random_uuid(), tenant_id, id, 'http://127.0.0.1:9/', ARRAY[:event], 'x', now() + interval '1 day'
           FROM principals LIMIT 1""",
        event=event,
    )


def _deliveries(api: Api) -> list[Delivery]:
    with api.database.begin() as session:
        found = session.query(Delivery).order_by(Delivery.created_at).all()
        session.expunge_all()
        return found
