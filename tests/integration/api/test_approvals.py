"""Gates hold a promotion until a person overrides them; where two persons are asked for, nobody is both of them."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from shared import judging
from shared.db import people
from shared.db.tables import Adjudication
from shared.schemas import Basis, Label, Modality, Role, Verdict
from tests.integration.api.support import Api, serving, submitted

OVERRIDE = "read by the department"


@pytest.fixture
def careful(api: Api) -> Iterator[Api]:
    """A gateway that asks for two persons."""
    with serving(api.settings.changed(two_persons=True), api.database) as running:
        yield running


def administrator(api: Api, name: str, kind: str = "person", person: str | None = None) -> httpx.Client:
    """Somebody who may move pointers."""
    with api.database.begin() as session:
        tenant = people.ensure_tenant(session, "north")
        principal = people.ensure_principal(session, tenant, name, [Role.ADMIN], kind, person)  # type: ignore[arg-type]
        secret = people.issue(session, principal.id, "key")
    return api.client(key=secret)


def promoted(client: httpx.Client, version: str, override: str | None = None, generation: int = 1) -> httpx.Response:
    """PUT the pointer."""
    body = {"version": version, "reason": "better", "override": override}
    return client.put("/v1/deployments/chest_xray", json=body, headers={"If-Match": f'"{generation}"'})


def approved(client: httpx.Client, proposal: str) -> httpx.Response:
    """Say yes."""
    path = f"/v1/deployments/chest_xray/proposals/{proposal}/approve"
    return client.post(path, json={"reason": "I looked at it too"})


def test_gates_hold_until_a_person_overrides_them(api: Api, second: str) -> None:
    ada = administrator(api, "ada")
    held = promoted(ada, second)
    assert (held.status_code, held.json()["code"]) == (409, "gates_not_passed")
    assert [one["field"] for one in held.json()["errors"]] == [
        "comparison",
        "calibration",
        "parity",
        "subgroups",
        "shortcuts",
        "drift",
    ]
    assert held.json()["errors"][0]["detail"].startswith("not_enough_evidence: ")
    robot = promoted(administrator(api, "cron", "system"), second, OVERRIDE)
    assert (robot.status_code, robot.json()["code"]) == (403, "override_needs_person")
    assert promoted(ada, second, OVERRIDE).status_code == 200
    evidence = ada.get("/v1/deployments/chest_xray/history").json()["moves"][0]["evidence"]
    assert (evidence["override"], len(evidence["gates"])) == (OVERRIDE, 6)


def test_gates_can_be_looked_at_and_only_advise(api: Api, second: str) -> None:
    gates = (
        administrator(api, "ada").get("/v1/deployments/chest_xray/gates", params={"version": second}).json()["gates"]
    )
    assert {gate["outcome"] for gate in gates} == {"not_enough_evidence"}
    with serving(api.settings.changed(promotion_gates="advise"), api.database) as lenient:
        assert promoted(administrator(lenient, "cron", "system"), second).status_code == 200


def test_judged_inputs_that_both_answered_are_counted(
    api: Api, client: httpx.Client, second: str, deployed: dict[Modality, str]
) -> None:
    """Ten inputs: the active version flags them all, the candidate none, and a reader disagreed with every flag.

    About one of them readers differ: it counts once a second reading has settled it, and as that says.
    """
    for body in range(10):
        for version, decision in ((deployed[Modality.CHEST_XRAY], "flagged"), (second, "not_flagged")):
            job = submitted(client, b"\x89PNG\r\n\x1a\n" + bytes([body]) * 900, version=version)
            api.finish(job, decision=decision)
            api.execute(
                "UPDATE results SET version_id = (SELECT id FROM versions WHERE sha256 = :v) WHERE job_id = :j",
                v=version,
                j=job,
            )
            if decision == "flagged":
                judge(api, job, Label.ABSENT)
                last = job
    assert (figures(api, second)["n"], outcome(api, second)) == (10, "pass")
    assert figures(api, second)["value"] == pytest.approx(10 / 12)
    judge(api, last, Label.PRESENT)
    assert figures(api, second)["n"] == 9
    settle(api, last, Label.PRESENT)
    assert figures(api, second)["n"] == 10
    assert figures(api, second)["value"] == pytest.approx(8 / 12)


def comparison(api: Api, version: str) -> Any:
    """The gate that looks at judged inputs."""
    ada = administrator(api, "ada")
    return ada.get("/v1/deployments/chest_xray/gates", params={"version": version}).json()["gates"][0]


def figures(api: Api, version: str) -> Any:
    return comparison(api, version)["figures"]


def outcome(api: Api, version: str) -> Any:
    return comparison(api, version)["outcome"]


def judge(api: Api, job: str, label: Label) -> None:
    """A reader, who is another one each time, says whether the finding is there; the result said that it is."""
    with api.database.begin() as session:
        tenant = people.ensure_tenant(session, "north")
        person = people.ensure_principal(session, tenant, "reader", [Role.CLINICIAN])
        reader = judging.Reader(tenant.id, person.id, secrets.token_hex(4))
        verdict = Verdict.AGREE if label is Label.PRESENT else Verdict.DISAGREE
        judging.give(session, reader, UUID(job), judging.Opinion(verdict, Basis.PCR, False, label))


def settle(api: Api, job: str, label: Label) -> None:
    """Another reader closes the second reading of a job."""
    with api.database.begin() as session:
        one = session.scalars(select(Adjudication).where(Adjudication.job_id == job)).one()
        person = people.ensure_principal(session, people.ensure_tenant(session, "north"), "zoe", [Role.CLINICIAN])
        reader = judging.Reader(one.tenant_id, person.id, "zoe")
        judging.adjudicate(session, reader, one.id, judging.Reading(label, Basis.RADIOLOGIST, False))


def test_another_person_approves(careful: Api, second: str) -> None:
    ada, ben = administrator(careful, "ada"), administrator(careful, "ben")
    proposed = promoted(ada, second, OVERRIDE)
    assert proposed.status_code == 202
    assert ada.get("/v1/deployments/chest_xray").json()["generation"] == 1
    (waiting,) = ben.get("/v1/deployments/chest_xray/proposals").json()["proposals"]
    assert (waiting["id"], waiting["proposed_by"]) == (proposed.json()["id"], "north/ada")
    assert approved(ben, waiting["id"]).json()["active"]["sha256"] == second
    move = ada.get("/v1/deployments/chest_xray/history").json()["moves"][0]
    assert (move["evidence"]["proposed_by"], move["evidence"]["approved_by"]) == ("north/ada", "north/ben")
    assert (move["actor"], move["evidence"]["approval"]) == ("north/ada", "I looked at it too")
    again = approved(ben, waiting["id"])
    assert (again.status_code, again.json()["code"]) == (409, "proposal_over")


def test_nobody_approves_his_own_whichever_key_he_uses(careful: Api, second: str) -> None:
    ada = administrator(careful, "ada")
    proposal = promoted(ada, second, OVERRIDE).json()["id"]
    own = (
        ada,
        administrator(careful, "ada"),  # a second key of the same principal
        administrator(careful, "ada's laptop", "system", person="Ada"),  # and of another one that is hers
        administrator(careful, "ada's phone", "system", person="\uff21da"),  # spelt with a wide letter
        administrator(careful, "ada's watch", "system", person=" A\u200bda"),  # and with one that nobody sees
    )
    for client in own:
        refused = approved(client, proposal)
        assert (refused.status_code, refused.json()["code"]) == (403, "self_approval")
    robot = approved(administrator(careful, "cron", "system"), proposal)
    assert (robot.status_code, robot.json()["code"]) == (403, "two_persons")
    assert ada.get("/v1/deployments/chest_xray").json()["generation"] == 1


def test_a_proposal_does_not_outlive_what_it_was_decided_on(
    careful: Api, second: str, deployed: dict[Modality, str], tmp_path: Path
) -> None:
    ada, ben = administrator(careful, "ada"), administrator(careful, "ben")
    first = promoted(ada, second, OVERRIDE).json()["id"]
    proposal = promoted(ada, second, OVERRIDE).json()["id"]
    assert approved(ben, first).json()["code"] == "proposal_over"  # replaced by the second one
    careful.execute("UPDATE deployments SET generation = 2 WHERE modality = 'chest_xray'")
    assert approved(ben, proposal).status_code == 412
    assert ben.delete(f"/v1/deployments/chest_xray/proposals/{proposal}").status_code == 204
    assert ada.get("/v1/deployments/chest_xray/proposals").json()["proposals"] == []
