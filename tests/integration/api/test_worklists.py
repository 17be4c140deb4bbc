"""What a worklist asks: filters by index and by tenant, states of what is shown, one outcome as a row, once more."""

import csv
import io
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text
from sqlalchemy.dialects import postgresql

from services.api.bulk.export import COLUMNS
from shared.db.statements import jobs
from shared.db.statements.wanted import Wanted
from shared.schemas import Modality, Role
from tests.integration.api.support import PNG, WAV, Api, submitted

NOW = datetime.now(UTC)


def listed(client: httpx.Client, **query: Any) -> set[str]:
    answer = client.get("/v1/jobs", params=query)
    assert answer.status_code == 200, answer.text
    return {job["id"] for job in answer.json()["jobs"]}


def test_every_filter_finds_its_own(api: Api, client: httpx.Client) -> None:
    one = submitted(client, client_ref="A%_1", subject_id="P-1", site="ward 3", priority="stat")
    two = submitted(client, WAV, modality="cough", client_ref="A%_2", site="ward 4")
    three = submitted(client, PNG + b"3", client_ref="B")
    other = submitted(api.client(Role.SUBMITTER, tenant="south"), client_ref="A%_1", subject_id="P-1", site="ward 3")
    api.finish(one, decision="refer")
    api.finish(two, decision="flagged")
    api.set_state(three, "failed", code="predict_failed")
    assert listed(client, client_ref_prefix="A%") == {one, two}
    assert listed(client, client_ref_prefix="A%_1") == {one}
    assert listed(client, client_ref_prefix="A1") == set()
    assert listed(client, subject_id="P-1") == {one}
    assert listed(client, site="ward 4") == {two}
    assert listed(client, decision="refer") == {one}
    assert listed(client, decision="flagged", modality="chest_xray") == set()
    assert listed(client, priority="stat") == {one}
    assert listed(client, review="in_adjudication") == {one}  # what is referred is read by somebody
    assert listed(client, review="none") == {two}
    assert listed(client, status=["failed", "dead"]) == {three}
    assert listed(client, created_after=(NOW - timedelta(minutes=5)).isoformat()) == {one, two, three}
    assert listed(client, created_before=(NOW - timedelta(minutes=5)).isoformat()) == set()
    assert listed(client, batch=str(uuid.uuid4())) == set()
    assert other not in listed(client)
    assert client.get("/v1/jobs", params={"decision": "positive"}).status_code == 422


NEWEST = "ix_jobs_tenant_id_id|pk_jobs"
PLANS = [
    (Wanted(client_ref_prefix="R-7777"), "ix_jobs_tenant_id_client_ref"),
    (Wanted(subject_id="P-77"), "ix_jobs_tenant_id_subject_id"),
    (Wanted(site="S-77"), "ix_jobs_tenant_id_site"),
    (Wanted(states=["failed", "rejected", "dead"]), "ix_jobs_unanswered"),
    (Wanted(created_after=NOW + timedelta(days=1)), NEWEST),
    (Wanted(), NEWEST),
]


def test_filters_are_answered_by_indexes(api: Api, client: httpx.Client) -> None:
    """On rows enough for the planner to choose."""
    first = UUID(submitted(client))
    api.execute(
        """INSERT INTO jobs (id, tenant_id, principal_id, modality, priority, state, client_ref, subject_id, site)
           SELECT uuidv7(), tenant_id, principal_id, modality, priority, 'succeeded', 'R-' || n, 'P-' || n / 3,
                  'S-' || n % 200
           FROM jobs, generate_series(1, 20000) AS n WHERE id = :first""",
        first=first,
    )
    api.execute(
        """INSERT INTO job_inputs (id, tenant_id, job_id, position, sha256, size_bytes, media_type)
           SELECT uuidv7(), tenant_id, id, 0, md5(id::text), 1, 'image/png' FROM jobs WHERE id <> :first""",
        first=first,
    )
    with api.database.begin() as session:
        session.execute(text("ANALYZE jobs, job_inputs, results"))
        tenant = session.scalar(text("SELECT tenant_id FROM jobs LIMIT 1"))
        for wanted, index in PLANS:
            query = jobs.page(tenant, wanted, 26).compile(
                dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}
            )
            plan = "\n".join(session.connection().exec_driver_sql(f"EXPLAIN {query}").scalars())
            assert re.search(index, plan), plan
            assert "Seq Scan on jobs" not in plan, plan


def test_states_in_one_request_without_an_audit_row(api: Api, client: httpx.Client) -> None:
    one, two = submitted(client), submitted(client, PNG + b"2")
    other = submitted(api.client(Role.SUBMITTER, tenant="south"))
    before = len(api.actions())
    answer = client.get("/v1/jobs/states", params={"id": [one, two, other, str(uuid.uuid4())]})
    assert answer.json() == {"states": {one: "queued", two: "queued"}, "latest": two}
    held = {"If-None-Match": answer.headers["etag"]}
    assert client.get("/v1/jobs/states", params={"id": [one, two, other]}, headers=held).status_code == 304
    api.finish(one)
    changed = client.get("/v1/jobs/states", params={"id": [one, two]}, headers=held)
    assert changed.json()["states"] == {one: "succeeded", two: "queued"}
    assert len(api.actions()) == before
    assert client.get("/v1/jobs/states").status_code == 422


def test_one_outcome_has_the_columns_of_a_batch(api: Api, client: httpx.Client) -> None:
    job = submitted(client, client_ref="=1+1")
    assert client.get(f"/v1/jobs/{job}/results").json()["code"] == "job_open"
    api.finish(job)
    row = next(csv.DictReader(io.StringIO(client.get(f"/v1/jobs/{job}/results").text)))
    assert list(row) == list(COLUMNS)
    assert (row["job_id"], row["decision"], row["client_ref"], row["cursor"]) == (job, "flagged", "'=1+1", "")
    line = client.get(f"/v1/jobs/{job}/results", params={"format": "ndjson"}).json()
    assert line["client_ref"] == "=1+1"
    assert api.client(Role.SUBMITTER, tenant="south").get(f"/v1/jobs/{job}/results").status_code == 404


def test_once_more_is_a_new_job_for_the_active_version(
    api: Api, client: httpx.Client, deployed: dict[Modality, str]
) -> None:
    job = submitted(client, client_ref="R", study_id="V-1", subject_id="P", age_years="44", priority="stat")
    api.finish(job)
    answer = client.post(f"/v1/jobs/{job}/rerun", headers={"Idempotency-Key": "again"})
    assert answer.status_code == 202
    new = answer.json()
    assert new["id"] != job
    for name in ("client_ref", "study_id", "subject_id", "age_years", "priority", "modality", "input"):
        assert new[name] == client.get(f"/v1/jobs/{job}").json()[name], name
    assert new["requested_version"] is None
    repeated = client.post(f"/v1/jobs/{job}/rerun", headers={"Idempotency-Key": "again"})
    assert repeated.json()["id"] == new["id"]
    assert "job.rerun" in api.actions(job)
    assert api.client(Role.SUBMITTER, tenant="south").post(f"/v1/jobs/{job}/rerun").status_code == 404
