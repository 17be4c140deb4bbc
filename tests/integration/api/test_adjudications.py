"""Second readings: who opens one, who may close it, that exactly one does, and what it does to the labels."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from shared.db.tables import Adjudication, Delivery
from shared.schemas import Role
from tests.integration.api.support import WAV, Api
from tests.integration.api.test_feedback import Reader, _hook, give, reader, result, review

__all__ = ["reader"]


def waiting(client: httpx.Client, **chosen: Any) -> list[dict[str, Any]]:
    """The worklist."""
    answer = client.get("/v1/adjudications", params=chosen)
    assert answer.status_code == 200, answer.text
    return answer.json()["adjudications"]


def read(client: httpx.Client, one: str, label: str, **more: Any) -> httpx.Response:
    """POST the second reader's verdict; `key` is its Idempotency-Key."""
    key = more.pop("key", None)
    body = {"label": label, "basis": "radiologist", **more}
    return client.post(f"/v1/adjudications/{one}/verdict", json=body, headers={"Idempotency-Key": key} if key else {})


def contested(api: Api, client: httpx.Client, ada: httpx.Client) -> tuple[str, str]:
    """A job that ada disagrees with, and its second reading."""
    job = result(api, client)
    assert give(ada, job, "disagree", label="absent", comment="cardiac").status_code == 201
    return job, waiting(ada, job_id=job)[0]["id"]


def test_a_disagreement_is_settled_by_another_person(api: Api, client: httpx.Client, reader: Reader) -> None:
    ada, ben, carl = reader("ada"), reader("ben"), reader("carl")
    job, one = contested(api, client, ada)
    assert review(client, job) == ("in_adjudication", None)
    for own in (ada, reader("ada's laptop", person="Ada", kind="system")):
        refused = read(own, one, "absent")
        assert (refused.status_code, refused.json()["code"]) == (403, "second_reader")
    assert read(reader("robot", kind="system"), one, "absent").json()["code"] == "reader_unnamed"
    assert read(client, one, "absent").status_code == 403
    closed = read(ben, one, "present", comment="seen on the lateral too")
    assert (closed.status_code, closed.json()["state"], closed.json()["label"]) == (200, "adjudicated", "present")
    assert closed.json()["reader"] == "ben"
    assert review(client, job) == ("adjudicated", "present")
    late = read(carl, one, "absent")
    assert (late.status_code, late.json()["code"]) == (409, "adjudication_over")
    assert waiting(carl) == []
    (weighed,) = client.get(f"/v1/jobs/{job}/feedback").json()["feedback"]
    assert weighed["adjudication"] == one
    assert api.actions(one)[-1] == "adjudication.close"


def test_it_is_blind_until_it_is_closed(api: Api, client: httpx.Client, reader: Reader) -> None:
    ada, ben = reader("ada"), reader("ben")
    job, one = contested(api, client, ada)
    shown = ben.get(f"/v1/adjudications/{one}")
    for word in ("flagged", "ada", "absent", "present", "cardiac", "probability", "tiny-1"):
        assert word not in shown.text
    assert (shown.json()["open_to_you"], shown.json()["finding"]) == (True, "covid_pattern")
    assert "job" not in shown.json()["links"]
    assert ada.get(f"/v1/adjudications/{one}").json()["open_to_you"] is False
    read(ben, one, "absent", saw_result_first=True)
    after = ben.get(f"/v1/adjudications/{one}").json()
    assert [(said["reader"], said["label"]) for said in after["verdicts"]] == [("ada", "absent")]
    assert (after["saw_result_first"], after["links"]["job"]) == (True, f"{api.settings.base_url}/v1/jobs/{job}")


def test_what_was_referred_comes_first_then_the_oldest(api: Api, client: httpx.Client, reader: Reader) -> None:
    ada, ben = reader("ada"), reader("ben")
    older, _ = contested(api, client, ada)
    newer, _ = contested(api, client, ada)
    referred = result(api, client, "refer", body=WAV, modality="cough")
    assert [one["job_id"] for one in waiting(ben)] == [referred, older, newer]
    page = ben.get("/v1/adjudications", params={"limit": 1}).json()
    rest = ben.get("/v1/adjudications", params={"limit": 1, "cursor": page["next"]}).json()
    assert [one["job_id"] for one in rest["adjudications"]] == [older]
    assert [one["job_id"] for one in waiting(ben, cursor=rest["next"])] == [newer]
    assert [one["job_id"] for one in waiting(ben, modality="cough")] == [referred]
    assert [one["job_id"] for one in waiting(ben, reason="disagreement")] == [older, newer]
    assert ben.get("/v1/adjudications", params={"cursor": "x"}).status_code == 400
    admin = api.client(Role.ADMIN)
    assert [one["about"] for one in waiting(admin)] == [None, None, None]
    assert not any(one["open_to_you"] for one in waiting(admin))


def test_a_referred_result_needs_one_reader_only(api: Api, client: httpx.Client, reader: Reader) -> None:
    job = result(api, client, "refer")
    (one,) = waiting(reader("ada"))
    assert read(reader("ada"), one["id"], "absent").status_code == 200
    assert review(client, job) == ("adjudicated", "absent")


def test_who_judged_a_referred_result_does_not_read_it_again(api: Api, client: httpx.Client, reader: Reader) -> None:
    ada, job = reader("ada"), result(api, client, "refer")
    give(ada, job, "disagree", label="present")
    (one,) = waiting(ada)
    assert (one["reason"], one["open_to_you"]) == ("refer", False)
    assert read(ada, one["id"], "present").json()["code"] == "second_reader"
    ada.delete(f"/v1/feedback/{client.get(f'/v1/jobs/{job}/feedback').json()['feedback'][0]['id']}")
    assert waiting(ada)[0]["id"] == one["id"]  # it was referred whatever anybody said
    assert read(ada, one["id"], "present").json()["code"] == "second_reader"  # a withdrawn opinion is one


def test_a_withdrawn_disagreement_needs_no_second_reading(api: Api, client: httpx.Client, reader: Reader) -> None:
    ada, ben = reader("ada"), reader("ben")
    job, one = contested(api, client, ada)
    give(ben, job, "disagree", label="absent")
    first, second = (said["id"] for said in client.get(f"/v1/jobs/{job}/feedback").json()["feedback"])
    ben.delete(f"/v1/feedback/{first}")
    assert waiting(ben)[0]["id"] == one  # ada still disagrees
    ada.delete(f"/v1/feedback/{second}")
    assert waiting(ben) == []
    assert ben.get(f"/v1/adjudications/{one}").json()["state"] == "withdrawn"
    assert review(client, job) == ("none", None)
    assert read(reader("carl"), one, "absent").json()["code"] == "adjudication_over"
    give(ada, job, "disagree", label="absent")
    (again,) = waiting(ben)
    assert again["id"] != one
    give(ada, job, "agree")  # a change of mind ends it as a withdrawal does
    assert waiting(ben) == []
    assert review(client, job) == ("agreed", "present")


def test_who_cannot_tell_leaves_the_disagreement(api: Api, client: httpx.Client, reader: Reader) -> None:
    ada, ben, carl = reader("ada"), reader("ben"), reader("carl")
    job, one = contested(api, client, ada)
    assert read(ben, one, "undetermined").json()["state"] == "undetermined"
    assert review(client, job) == ("disagreed", "absent")
    assert waiting(carl) == []
    give(carl, job, "agree")
    assert waiting(ben) == []  # nothing new is contested


def test_a_label_that_was_settled_can_be_contested_once_more(api: Api, client: httpx.Client, reader: Reader) -> None:
    ada, ben, carl, dora = (reader(name) for name in ("ada", "ben", "carl", "dora"))
    job, one = contested(api, client, ada)
    read(ben, one, "absent")
    assert give(carl, job, "disagree", label="absent").json()["review"]["state"] == "adjudicated"
    assert give(carl, job, "agree", basis="pcr").json()["review"]["state"] == "in_adjudication"
    (again,) = waiting(dora)
    assert read(ben, again["id"], "present").json()["code"] == "second_reader"  # he settled it the first time
    assert read(dora, again["id"], "present").status_code == 200
    assert review(client, job) == ("adjudicated", "present")
    assert dora.get(f"/v1/adjudications/{one}").json()["state"] == "replaced"
    assert api.count(Adjudication, Adjudication.state == "adjudicated") == 1


def test_of_two_readers_at_once_one_closes_it(api: Api, client: httpx.Client, reader: Reader) -> None:
    _hook(api, "result.reviewed")
    ada, readers = reader("ada"), [reader(f"reader {number}") for number in range(4)]
    for _ in range(5):
        job, one = contested(api, client, ada)
        at_once = threading.Barrier(len(readers))

        def race(client: httpx.Client, one: str = one, at_once: threading.Barrier = at_once) -> httpx.Response:
            at_once.wait()
            return read(client, one, "present")

        with ThreadPoolExecutor(len(readers)) as pool:
            answers = list(pool.map(race, readers))
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
        told = (Delivery.status == "adjudicated") & (Delivery.job_id == job)
        assert api.count(Delivery, told) == 1


def test_a_second_verdict_races_the_second_reading(api: Api, client: httpx.Client, reader: Reader) -> None:
    """Whichever is first: the reading is closed once, as adjudicated or as withdrawn, and the review says which."""
    ada, ben = reader("ada"), reader("ben")
    for _ in range(5):
        job, one = contested(api, client, ada)
        with ThreadPoolExecutor(2) as pool:
            closing = pool.submit(read, ben, one, "absent")
            changing = pool.submit(give, ada, job, "agree")
        assert changing.result().status_code == 201
        state = ben.get(f"/v1/adjudications/{one}").json()["state"]
        if closing.result().status_code == 200:
            # ada's change of mind came after it and contests the settled label, or was weighed before.
            assert state in ("adjudicated", "replaced")
        else:
            assert (closing.result().json()["code"], state) == ("adjudication_over", "withdrawn")
            assert review(client, job) == ("agreed", "present")


def test_a_repeated_verdict_is_one(api: Api, client: httpx.Client, reader: Reader) -> None:
    _, one = contested(api, client, reader("ada"))
    ben = reader("ben")
    assert read(ben, one, "absent", key="k").status_code == 200
    again = read(ben, one, "absent", key="k")
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert read(ben, one, "absent").status_code == 409
    assert read(ben, one, "present", key="k").json()["code"] == "idempotency_mismatch"
