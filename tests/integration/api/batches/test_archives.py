"""Archives become jobs: once, pinned to the active version, each item judged on its own."""

import httpx

from shared.db.tables import Batch, Job, JobEvent, JobInput
from shared.schemas import Modality, Role
from tests.integration.api.batches.support import ZIP, ids, packed, send, sent, sounds
from tests.integration.api.support import PNG, WAV, Api


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


def test_a_key_and_a_known_format_are_needed(client: httpx.Client) -> None:
    bare = client.post("/v1/batches", content=packed(sounds(1)), headers={"Content-Type": ZIP})
    assert (bare.status_code, bare.json()["code"]) == (400, "batch_key_required")
    assert send(client, b"x", kind="application/x-tar").json()["code"] == "batch_format"


def test_batches_of_others_are_unknown(api: Api, client: httpx.Client) -> None:
    batch = sent(client, packed(sounds(1)))["id"]
    stranger = api.client(Role.SUBMITTER, tenant="south")
    for method, path in (("GET", ""), ("GET", "/results"), ("DELETE", ""), ("POST", "/retry")):
        assert stranger.request(method, f"/v1/batches/{batch}{path}").status_code == 404
    assert stranger.get("/v1/batches").json()["batches"] == []
    assert sent(stranger, packed(sounds(1)))["id"] != batch
    assert [one["id"] for one in client.get("/v1/batches").json()["batches"]] == [batch]


def test_a_key_with_other_fields_is_told(api: Api, client: httpx.Client) -> None:
    manifest = "file,modality,age_years\na.wav,cough,45\nb.wav,cough,\n"
    files = {"a.wav": WAV, "b.wav": WAV + b"b"}
    batch = sent(client, packed(files, manifest))["id"]
    api.set_state(ids(api, batch)[1], "queued", age_years=30)  # as a header fills what the caller left open
    other = sent(client, packed(files, manifest.replace("45", "46")))
    assert [(error["key"], error["code"]) for error in other["errors"]] == [("a.wav", "item_changed")]
    assert (other["made"], other["known"]) == (0, 1)
    assert client.get(f"/v1/batches/{batch}").json()["refused"] == 0
