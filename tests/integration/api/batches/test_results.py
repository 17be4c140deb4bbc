"""What comes out of a batch: each outcome exactly once, while it runs and after a retry."""

import csv
import io

import httpx
from sqlalchemy import text

from tests.integration.api.batches.support import ids, packed, rows, send, sent, sounds
from tests.integration.api.support import WAV, Api


def test_results_come_once_each_while_it_runs(api: Api, client: httpx.Client) -> None:
    batch = sent(client, packed(sounds(4)))["id"]
    jobs = ids(api, batch)
    api.finish(jobs[1])
    first = rows(client, batch)
    assert [row["job_id"] for row in first] == [jobs[1]]
    api.finish(jobs[0])
    api.set_state(jobs[2], "rejected", code="input_unreadable", finished_at=text("now()"))
    more = rows(client, batch, first[-1]["cursor"])
    assert [row["job_id"] for row in more] == [jobs[0], jobs[2]]
    assert (more[0]["decision"], more[1]["error_code"]) == ("flagged", "input_unreadable")
    assert len(rows(client, batch)) == 3
    shown = client.get(f"/v1/batches/{batch}").json()
    assert shown["states"] == {"queued": 1, "succeeded": 2, "rejected": 1}
    assert (shown["readable"], shown["done"]) == (3, False)


def test_a_late_commit_is_not_lost_behind_the_cursor(api: Api, client: httpx.Client) -> None:
    batch = sent(client, packed(sounds(2)))["id"]
    jobs = ids(api, batch)
    with api.database.engine.connect() as slow, slow.begin():
        slow.execute(text("UPDATE jobs SET state = 'cancelled', finished_at = now() WHERE id = :j"), {"j": jobs[0]})
        api.finish(jobs[1])
        # It has committed, but an older transaction has not: handing it out would let that one slip behind the cursor.
        assert rows(client, batch) == []
        assert client.get(f"/v1/batches/{batch}").json()["done"] is False
    assert [row["job_id"] for row in rows(client, batch)] == [jobs[0], jobs[1]]
    assert client.get(f"/v1/batches/{batch}").json()["done"] is True


def test_csv_has_the_columns_and_no_formula(api: Api, client: httpx.Client) -> None:
    manifest = 'file,modality,client_ref,site,subject_id\na.wav,cough,=1+1,"@a, b",\uff1d1+1\n'
    batch = sent(client, packed({"a.wav": WAV}, manifest))["id"]
    api.finish(ids(api, batch)[0])
    response = client.get(f"/v1/batches/{batch}/results", headers={"Accept": "text/csv"})
    assert response.headers["content-type"].startswith("text/csv")
    found = list(csv.DictReader(io.StringIO(response.text)))
    assert [(row["client_ref"], row["probability"], row["item"]) for row in found] == [("'=1+1", "0.9", "a.wav")]
    assert [row["subject_id"] for row in found] == ["'\uff1d1+1"]


def test_what_is_referred_has_no_plain_answer(api: Api, client: httpx.Client) -> None:
    batch = sent(client, packed(sounds(3)))["id"]
    for job, decision in zip(ids(api, batch), ("flagged", "not_flagged", "refer"), strict=True):
        api.finish(job, decision=decision)
    found = {row["decision"]: row["label"] for row in rows(client, batch)}
    assert found["refer"] is None
    assert len(set(found.values())) == 3


def test_cancel_ends_what_waits_and_keeps_what_is_there(api: Api, client: httpx.Client) -> None:
    batch = sent(client, packed(sounds(3)))["id"]
    jobs = ids(api, batch)
    api.finish(jobs[0])
    api.start(jobs[1])
    shown = client.delete(f"/v1/batches/{batch}").json()
    assert shown["states"] == {"succeeded": 1, "cancelled": 2}
    assert client.delete(f"/v1/batches/{batch}").json()["cancelled_at"] == shown["cancelled_at"]
    assert send(client, packed(sounds(4))).json()["code"] == "batch_cancelled"
    api.set_state(jobs[1], "failed", code="deadline")
    refused = client.post(f"/v1/batches/{batch}/retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "batch_cancelled")


def test_retry_queues_what_failed_and_its_outcome_comes_again(api: Api, client: httpx.Client) -> None:
    batch = sent(client, packed(sounds(3)))["id"]
    jobs = ids(api, batch)
    api.set_state(jobs[0], "failed", code="deadline", finished_at=text("now()"))
    api.set_state(jobs[1], "dead", code="deadline", finished_at=text("now()"))
    api.finish(jobs[2])
    before = rows(client, batch)
    assert client.post(f"/v1/batches/{batch}/retry").json()["states"] == {"queued": 2, "succeeded": 1}
    assert [row["job_id"] for row in rows(client, batch)] == [jobs[2]]
    api.finish(jobs[0])
    assert [row["job_id"] for row in rows(client, batch, before[-1]["cursor"])] == [jobs[0]]
