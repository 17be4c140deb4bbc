"""Batches over HTTP on real engines: what comes in once, what is refused, what goes out exactly once."""

import csv
import io
import json
import tracemalloc
import warnings
import zipfile
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select, text

from services.api.bulk import manifest
from shared.db.tables import Batch, Delivery, Job, JobEvent, JobInput
from shared.errors import Unprocessable
from shared.schemas import Modality, Role
from tests.integration.api.support import PNG, WAV, Api, serving, submitted
from tests.support.stack import wait_for

ZIP, NDJSON = "application/zip", "application/x-ndjson"


def packed(files: dict[str, bytes], manifest: str | None = None) -> bytes:
    """A zip; without a manifest every file is a cough."""
    lines = manifest if manifest is not None else "file,modality\n" + "".join(f"{name},cough\n" for name in files)
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr("manifest.csv", lines)
    return body.getvalue()


def sounds(count: int, start: int = 0) -> dict[str, bytes]:
    return {f"c/{at}.wav": WAV + at.to_bytes(4, "big") for at in range(start, start + count)}


def send(client: httpx.Client, body: bytes, key: str = "k1", kind: str = ZIP) -> httpx.Response:
    return client.post("/v1/batches", content=body, headers={"Content-Type": kind, "Idempotency-Key": key})


def sent(client: httpx.Client, body: bytes, key: str = "k1", kind: str = ZIP) -> dict[str, Any]:
    response = send(client, body, key, kind)
    assert response.status_code == 202, response.text
    receipt: dict[str, Any] = response.json()
    return receipt


def rows(client: httpx.Client, batch: str, after: str | None = None) -> list[dict[str, Any]]:
    params = {"after": after} if after else {}
    response = client.get(f"/v1/batches/{batch}/results", params=params)
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.text.splitlines()]


def ids(api: Api, batch: str) -> list[str]:
    with api.database.begin() as session:
        found = session.execute(text("SELECT id FROM jobs WHERE batch_id = :b ORDER BY id"), {"b": UUID(batch)})
        return [str(row.id) for row in found]


def test_archive_becomes_jobs_pinned_to_the_active_version(
    api: Api, client: httpx.Client, deployed: dict[Modality, str]
) -> None:
    receipt = sent(client, packed(sounds(3)))
    assert (receipt["made"], receipt["known"], receipt["errors"]) == (3, 0, [])
    assert receipt["states"] == {"queued": 3}
    assert receipt["versions"]["cough"]["sha256"] == deployed[Modality.COUGH]
    job = client.get(f"/v1/jobs/{ids(api, receipt['id'])[0]}").json()
    assert (job["priority"], job["batch"], job["requested_version"]["sha256"]) == (
        "bulk",
        receipt["id"],
        deployed[Modality.COUGH],
    )
    assert client.get(f"/v1/jobs/{job['id']}/input").content in sounds(3).values()
    assert api.count(JobEvent) == api.count(JobInput) == 3
    assert api.actions(receipt["id"]) == ["batch.submit"]


def test_fields_of_the_manifest_reach_the_job(api: Api, client: httpx.Client) -> None:
    manifest = "file,modality,client_ref,study_id,age_years,sex,priority\n a.wav ,cough,r1,s1,45,F,\n"
    receipt = sent(client, packed({"a.wav": WAV}, manifest))
    job = client.get(f"/v1/jobs/{ids(api, receipt['id'])[0]}").json()
    assert (job["client_ref"], job["study_id"], job["age_years"], job["sex"]) == ("r1", "s1", 45, "F")


def test_sending_again_makes_nothing_twice_and_more_may_follow(api: Api, client: httpx.Client) -> None:
    first = sent(client, packed(sounds(3)))
    again = sent(client, packed(sounds(5)))
    assert again["id"] == first["id"]
    assert (again["made"], again["known"], again["jobs"]) == (2, 3, 5)
    assert api.count(Job) == 5
    assert api.count(Batch) == 1
    other = sent(client, packed({"c/0.wav": WAV + b"other"}))
    assert [error["code"] for error in other["errors"]] == ["item_changed"]
    assert api.count(Job) == 5


def test_bad_items_are_told_and_the_others_go_on(api: Api, client: httpx.Client) -> None:
    files = {"a.wav": WAV, "b.wav": b"", "c.txt": b"hello", "d.png": PNG, "e.wav": WAV}
    manifest = (
        "file,modality,age_years,version\na.wav,cough,,\nb.wav,cough,,\nc.txt,cough,,\nd.png,cough,,\n"
        "e.wav,cough,old,\nmissing.wav,cough,,\na.wav,cough,,\ne.wav,cough,1\n"
    )
    receipt = sent(client, packed(files, manifest))
    assert receipt["made"] == 1
    assert [(error["line"], error["code"]) for error in receipt["errors"]] == [
        (3, "input_empty"),
        (4, "input_type_unknown"),
        (5, "modality_mismatch"),
        (6, "field_invalid"),
        (7, "item_file_missing"),
        (8, "item_repeated"),
        (9, "manifest_broken"),
    ]
    assert client.get(f"/v1/batches/{receipt['id']}").json()["refused"] == 7
    fixed = sent(client, packed({"b.wav": WAV + b"1"}))
    assert (fixed["made"], fixed["refused"]) == (1, 6)
    assert len(api.blobs()) == 2


def _hostile() -> dict[str, bytes]:
    link = zipfile.ZipInfo("manifest2.csv")
    link.external_attr = 0o120777 << 16
    made: dict[str, bytes] = {"not_a_zip": b"PK nothing", "no_manifest": _zip([("a.wav", WAV)])}
    made["link"] = _zip([(link, b"/etc/passwd"), ("manifest.csv", b"file\n")])
    for name in ("../a.wav", "/a.wav", "a/../../b", "c:\\a.wav", "a\\b.wav"):
        made[name] = _zip([(name, WAV), ("manifest.csv", b"file\n")])
    made["bomb"] = _zip([("a.wav", bytes(8 << 20)), ("manifest.csv", b"file\na.wav\n")])
    made["twice"] = _zip([("a.wav", WAV), ("a.wav", WAV), ("manifest.csv", b"file\na.wav\n")])
    good = packed({"a.wav": WAV})
    made["encrypted"] = good.replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00", 1)
    made["cut"] = good[:-30]
    made["overlapping"] = _overlapping()
    made["empty"] = packed({}, "file,modality\n")
    return made


def _zip(entries: list[tuple[Any, bytes]]) -> bytes:
    body = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # a name twice is what we want
        for name, content in entries:
            archive.writestr(name, content)
    return body.getvalue()


def _overlapping() -> bytes:
    """Two names for the same bytes of the file, as in a quoted-overlap bomb."""
    body = bytearray(_zip([("a.wav", WAV), ("b.wav", WAV), ("manifest.csv", b"file\na.wav\n")]))
    second = body.find(b"PK\x01\x02", body.find(b"PK\x01\x02") + 1)
    body[second + 42 : second + 46] = (0).to_bytes(4, "little")
    return bytes(body)


@pytest.mark.parametrize("name", list(_hostile()))
def test_hostile_archives_leave_nothing(api: Api, client: httpx.Client, name: str) -> None:
    response = send(client, _hostile()[name])
    assert response.status_code == 422, response.text
    assert api.count(Job) == api.count(Batch) == 0
    assert api.blobs() == []


def test_forged_size_refuses_the_item_alone(api: Api, client: httpx.Client) -> None:
    body = bytearray(packed({"a.wav": WAV, "b.wav": WAV + b"2"}))
    at = body.find(b"PK\x01\x02")
    body[at + 24 : at + 28] = (100).to_bytes(4, "little")
    receipt = sent(client, bytes(body))
    assert receipt["made"] == 1
    assert [error["code"] for error in receipt["errors"]] == ["item_damaged"]
    assert len(api.blobs()) == 1


def test_a_key_and_a_known_format_are_needed(client: httpx.Client) -> None:
    bare = client.post("/v1/batches", content=packed(sounds(1)), headers={"Content-Type": ZIP})
    assert (bare.status_code, bare.json()["code"]) == (400, "batch_key_required")
    assert send(client, b"x", kind="application/x-tar").json()["code"] == "batch_format"


def test_what_is_no_text_is_told_and_the_others_go_on(api: Api, client: httpx.Client) -> None:
    sha256 = client.get(f"/v1/jobs/{submitted(client, WAV, modality='cough')}").json()["input"]["sha256"]
    bad = [
        '{"sha256": "\\ud800", "key": "a"}',
        '{"sha256": "x", "key": "\\udfff"}',
        '{"sha256": "x", "\\ud800": "b"}',
        '{"sha256": "a\\u0000b", "key": "c"}',
    ]
    lines = [*bad, json.dumps({"sha256": sha256, "modality": "cough"})]
    receipt = sent(client, "\n".join(lines).encode(), kind=NDJSON)
    assert (receipt["made"], [error["line"] for error in receipt["errors"]]) == (1, [1, 2, 3, 4])


def test_lines_are_counted_before_they_are_kept() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(Unprocessable):
            manifest.from_ndjson([b"1\n" * (4 << 20)], 10_000)
        assert tracemalloc.get_traced_memory()[1] < 100 << 20  # eight million lines at once are 800 MB
    finally:
        tracemalloc.stop()


def test_stored_inputs_are_taken_by_address(api: Api, client: httpx.Client) -> None:
    job = client.get(f"/v1/jobs/{submitted(client, WAV, modality='cough')}").json()
    address = job["input"]["sha256"]
    lines = [{"sha256": address, "modality": "cough", "age_years": 3}, {"sha256": "0" * 64, "modality": "cough"}]
    body = "\n".join(json.dumps(line) for line in lines).encode() + b"\n[1]\n"
    receipt = sent(client, body, kind=NDJSON)
    assert receipt["made"] == 1
    assert [error["code"] for error in receipt["errors"]] == ["input_unknown", "manifest_broken"]
    stranger = api.client(Role.SUBMITTER, tenant="south")
    theirs = sent(stranger, body, kind=NDJSON)
    assert (theirs["made"], theirs["errors"][0]["code"]) == (0, "input_unknown")


def test_stored_inputs_run_again_with_another_version(
    api: Api, client: httpx.Client, deployed: dict[Modality, str]
) -> None:
    for at in range(3):
        submitted(client, WAV + bytes([at]), modality="cough", client_ref=f"r{at}")
    submitted(client, WAV, modality="lung_sound")
    body = json.dumps({"from": {"modality": "cough"}, "version": deployed[Modality.COUGH]}).encode()
    receipt = sent(client, body, kind="application/json")
    again = sent(client, body, kind="application/json")
    assert (receipt["made"], again["made"], again["known"]) == (3, 0, 3)
    refs = {client.get(f"/v1/jobs/{job}").json()["client_ref"] for job in ids(api, receipt["id"])}
    assert refs == {"r0", "r1", "r2"}
    wrong = json.dumps({"from": {"modality": "cough"}, "version": "none such"}).encode()
    refused = sent(client, wrong, key="k2", kind="application/json")
    assert {error["code"] for error in refused["errors"]} == {"version_unknown"}


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


def test_batches_of_others_are_unknown(api: Api, client: httpx.Client) -> None:
    batch = sent(client, packed(sounds(1)))["id"]
    stranger = api.client(Role.SUBMITTER, tenant="south")
    for method, path in (("GET", ""), ("GET", "/results"), ("DELETE", ""), ("POST", "/retry")):
        assert stranger.request(method, f"/v1/batches/{batch}{path}").status_code == 404
    assert stranger.get("/v1/batches").json()["batches"] == []
    assert sent(stranger, packed(sounds(1)))["id"] != batch
    assert [one["id"] for one in client.get("/v1/batches").json()["batches"]] == [batch]


def test_a_cut_upload_accepts_nothing_and_is_sent_again(api: Api, client: httpx.Client) -> None:
    body = packed(sounds(3))

    def cut() -> Any:
        yield body[: len(body) // 2]
        raise ConnectionError

    headers = {"Content-Type": ZIP, "Idempotency-Key": "k1", "Content-Length": str(len(body))}
    with pytest.raises(ConnectionError):
        client.post("/v1/batches", content=cut(), headers=headers)
    assert api.count(Job) == 0
    assert sent(client, body)["made"] == 3
    assert api.count(Job) == 3


def formed(lines: list[dict[str, Any]], files: list[tuple[str, bytes]]) -> list[tuple[str, Any]]:
    """The parts of a form: the manifest, then files."""
    manifest = "".join(json.dumps(line) + "\n" for line in lines)
    return [("manifest", (None, manifest)), *(("file", (name, body)) for name, body in files)]


def test_a_form_brings_its_manifest_and_files(api: Api, client: httpx.Client) -> None:
    stored = client.get(f"/v1/jobs/{submitted(client, WAV, modality='cough')}").json()["input"]["sha256"]
    lines = [
        {"file": "a/ü 1.wav", "modality": "cough", "age_years": 45},
        {"file": "b.wav", "modality": "cough", "key": "second"},
        {"file": "text.txt", "modality": "cough"},
        {"file": "missing.wav", "modality": "cough"},
        {"sha256": stored, "modality": "cough"},
        {"file": "old.wav", "modality": "cough", "age_years": "old"},
    ]
    files = [("b.wav", WAV + b"b"), ("unnamed.wav", WAV + b"u"), ("a/ü 1.wav", WAV + b"a"), ("text.txt", b"text")]
    files += [("b.wav", WAV + b"again"), ("old.wav", WAV + b"o")]
    response = client.post("/v1/batches", files=formed(lines, files), headers={"Idempotency-Key": "k1"})
    receipt = response.json()
    assert (response.status_code, receipt["made"]) == (202, 3)
    assert [(error["line"], error["code"]) for error in receipt["errors"]] == [
        (3, "input_type_unknown"),
        (4, "item_file_missing"),
        (6, "field_invalid"),
    ]
    assert len(api.blobs()) == 3
    again = client.post("/v1/batches", files=formed(lines, files), headers={"Idempotency-Key": "k1"}).json()
    assert (again["made"], again["known"]) == (0, 3)


def test_a_form_larger_than_one_transaction_comes_whole(api: Api, client: httpx.Client) -> None:
    files = [(name, body) for name, body in sounds(1100).items()]
    lines = [{"file": name, "modality": "cough"} for name, _ in files]
    receipt = client.post("/v1/batches", files=formed(lines, files), headers={"Idempotency-Key": "k1"}).json()
    assert (receipt["made"], receipt["errors"]) == (1100, [])
    assert len(api.blobs()) == 1100


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([("file", ("a.wav", WAV)), ("manifest", (None, '{"file": "a.wav"}'))], "manifest_first"),
        ([*formed([{"file": "a.wav"}], []), ("other", (None, "x"))], "form_broken"),
        (formed([], []), "batch_empty"),
    ],
)
def test_a_form_that_is_none_leaves_nothing(
    api: Api, client: httpx.Client, parts: list[tuple[str, Any]], code: str
) -> None:
    response = client.post("/v1/batches", files=parts, headers={"Idempotency-Key": "k1"})
    assert response.json()["code"] == code
    assert api.count(Job) == 0
    assert api.blobs() == []


def test_a_key_with_other_fields_is_told(api: Api, client: httpx.Client) -> None:
    manifest = "file,modality,age_years\na.wav,cough,45\nb.wav,cough,\n"
    files = {"a.wav": WAV, "b.wav": WAV + b"b"}
    batch = sent(client, packed(files, manifest))["id"]
    api.set_state(ids(api, batch)[1], "queued", age_years=30)  # as a header fills what the caller left open
    other = sent(client, packed(files, manifest.replace("45", "46")))
    assert [(error["key"], error["code"]) for error in other["errors"]] == [("a.wav", "item_changed")]
    assert (other["made"], other["known"]) == (0, 1)
    assert client.get(f"/v1/batches/{batch}").json()["refused"] == 0


def test_too_many_stored_inputs_are_refused_before_any_job_is_made(api: Api, client: httpx.Client) -> None:
    for at in range(3):
        submitted(client, WAV + bytes([at]), modality="cough")
    body = json.dumps({"from": {"modality": "cough"}}).encode()
    with serving(api.settings.changed(max_batch_items=2), api.database) as small:
        refused = send(small.client(), body, kind="application/json")
    assert refused.json()["code"] == "batch_too_large"
    assert api.count(Batch) == 0


def test_the_end_of_a_batch_is_told_once(api: Api, client: httpx.Client) -> None:
    """Not before its last job has ended, not while a request adds to it, and not again when one is tried again."""
    hook(api)
    batch = send(client, packed(sounds(3))).json()["id"]
    jobs = [job["id"] for job in client.get("/v1/jobs").json()["jobs"]]
    for job in jobs[:2]:
        api.finish(job)
    looked(api, batch)
    assert told(api) == []
    send(client, packed(sounds(1, start=3)))
    client.delete(f"/v1/jobs/{jobs[2]}")
    looked(api, batch)
    assert told(api) == []
    (last,) = client.get("/v1/jobs", params={"status": "queued"}).json()["jobs"]
    api.set_state(last["id"], "dead", finished_at=func.now(), code="x")
    wait_for(lambda: told(api), 60, "the batch is told")
    assert told(api) == [("batch.finished", UUID(batch), None)]
    assert client.post(f"/v1/batches/{batch}/retry").status_code == 202
    client.delete(f"/v1/batches/{batch}")
    looked(api, batch)
    assert len(told(api)) == 1


def test_a_batch_that_is_being_filled_has_not_ended(api: Api, client: httpx.Client) -> None:
    hook(api)
    batch = send(client, packed(sounds(1))).json()["id"]
    api.execute("UPDATE batches SET look_at = now() + interval '1 hour'")  # as a request does that goes on
    (job,) = client.get("/v1/jobs").json()["jobs"]
    api.finish(job["id"])
    wait_for(lambda: client.get(f"/v1/batches/{batch}").json()["done"], 60, "it can be read")
    assert told(api) == []
    looked(api, batch)
    wait_for(lambda: told(api), 60, "the batch is told")


def hook(api: Api) -> None:
    """A webhook of the hospital that sends nothing for now."""
    api.execute(
        """INSERT INTO webhooks (id, tenant_id, principal_id, url, events, secret, paused_until)
           SELECT gen_random_uuid(), tenant_id, id, 'http://127.0.0.1:9/', ARRAY['batch.finished'], 'x',
                  now() + interval '1 day' FROM principals LIMIT 1"""
    )


def looked(api: Api, batch: str) -> None:
    """Somebody has looked at this batch now, or it needs no look any more."""
    api.execute("UPDATE batches SET look_at = now() - interval '1 second' WHERE id = :b", b=batch)
    after = (Batch.look_at > func.now()) | Batch.finished_at.is_not(None)
    wait_for(lambda: api.count(Batch, Batch.id == UUID(batch), after), 60, "a look")


def told(api: Api) -> list[tuple[str, UUID | None, UUID | None]]:
    with api.database.begin() as session:
        return [(row.event, row.batch_id, row.job_id) for row in session.scalars(select(Delivery))]
