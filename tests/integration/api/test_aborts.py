"""A canary ends by itself: on failed jobs, with figures in the history, once; a healthy one stays."""

import asyncio
from pathlib import Path

import httpx
import pytest

from services.api.aborts import Aborts
from shared.db.engine import async_engine
from shared.deployments import Why, publish, try_out
from shared.registry import store
from shared.schemas import Modality, Role
from tests.integration.api.support import Api, submitted
from tests.support.versions import tiny

HERE = "/v1/deployments/chest_xray"
# Jobs of both versions over the canary's time, and a result for each that succeeded.
_ENDED = """
    WITH made AS (
        INSERT INTO jobs (id, tenant_id, principal_id, modality, priority, version_id, state, code,
                          started_at, finished_at)
        SELECT gen_random_uuid(), j.tenant_id, j.principal_id, j.modality, 1, v.id,
               CASE WHEN n <= :failed THEN 'failed' ELSE 'succeeded' END,
               CASE WHEN n <= :failed THEN 'predict_failed' END, clock_timestamp(), clock_timestamp()
        FROM generate_series(1, :jobs) AS n, (SELECT * FROM jobs LIMIT 1) AS j, versions v WHERE v.name = :version
        RETURNING id, tenant_id, version_id, state
    )
    INSERT INTO results (job_id, tenant_id, version_id, claim_id, input_sha256, score, distance, probability, decision,
                         quality, reasons, runtime, timings)
    SELECT id, tenant_id, version_id, (SELECT max(id) FROM claims), '0', 0, 0,
           :low + random() * (1 - :low), 'not_flagged', '[]', '[]', '{}',
           jsonb_build_object('prepare_ms', :ms * random(), 'predict_ms', 1)
    FROM made WHERE state = 'succeeded'
"""


@pytest.fixture
def admin(api: Api, tmp_path: Path) -> httpx.Client:
    """An X-ray canary, and somebody who may look at it."""
    artefact = store(tiny(tmp_path / "second", Modality.CHEST_XRAY, "tiny-2", bias=1.0), api.settings.versions_dir)
    job = submitted(api.client(Role.SUBMITTER), modality="chest_xray")
    api.finish(job)
    with api.database.begin() as session:
        try_out(session, publish(session, artefact, "test"), "canary", 0.1, 1, Why("test", "a tenth"))
    return api.client(Role.ADMIN)


def ended(api: Api, version: str, jobs: int, failed: int = 0, ms: float = 10.0, low: float = 0.0) -> None:
    """Jobs that a version has ended."""
    api.execute(_ENDED, version=version, jobs=jobs, failed=failed, ms=ms, low=low)


def look(api: Api) -> list[str]:
    """One look of a gateway."""

    async def once() -> list[str]:
        engine = async_engine(api.settings)
        try:
            return await Aborts(api.settings, engine).look()
        finally:
            await engine.dispose()

    return asyncio.run(once())


def test_failed_jobs_end_it_with_a_reason(api: Api, admin: httpx.Client) -> None:
    ended(api, "tiny-1", 400)
    ended(api, "tiny-2", 60, failed=20)
    found = admin.get(f"{HERE}/canary").json()
    assert (found["share"], found["comparison"]["canary"]["failed"]) == (0.1, 20)
    assert found["comparison"]["trouble"]["code"] == "errors"
    assert look(api) == ["chest_xray"]
    assert look(api) == []
    assert admin.get(HERE).json()["canary"] is None
    (move, *_) = admin.get(f"{HERE}/history").json()["moves"]
    assert (move["action"], move["actor"], move["before"]["name"]) == ("canary_end", "system", "tiny-2")
    assert "20 of 60 jobs" in move["reason"]
    assert move["evidence"]["canary"]["jobs"] == 60
    assert "deployment.canary_end" in api.actions("chest_xray")
    assert admin.get(f"{HERE}/canary").json()["code"] == "no_canary"


@pytest.mark.parametrize(("how", "code"), [({"ms": 200.0}, "slowdown"), ({"low": 0.8}, "shift")])
def test_slow_answers_and_other_probabilities_do(
    api: Api, admin: httpx.Client, how: dict[str, float], code: str
) -> None:
    ended(api, "tiny-1", 400)
    ended(api, "tiny-2", 60, **how)
    assert admin.get(f"{HERE}/canary").json()["comparison"]["trouble"]["code"] == code
    assert look(api) == ["chest_xray"]


def test_a_healthy_one_and_one_of_which_little_is_known_stay(api: Api, admin: httpx.Client) -> None:
    ended(api, "tiny-2", 20, failed=20)
    assert look(api) == []
    found = admin.get(f"{HERE}/canary").json()["comparison"]
    assert (found["enough"], found["trouble"]) == (False, None)
    ended(api, "tiny-1", 400, failed=300)
    ended(api, "tiny-2", 60, failed=20)
    assert look(api) == []
    assert admin.get(HERE).json()["canary"]["name"] == "tiny-2"
