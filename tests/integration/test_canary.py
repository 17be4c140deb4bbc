"""A canary answers its share of the studies: no study and no claim is parted, and who named a version gets that one."""

from collections import defaultdict
from pathlib import Path
from uuid import UUID

import pytest

from shared.db.engine import Database
from shared.db.tables import Version
from shared.deployments import Why, find, publish, stop_trying, try_out
from shared.errors import Conflict
from shared.registry import store
from shared.schemas import Modality
from shared.settings import Settings
from tests.integration.test_turns import Queue, put
from tests.support.stack import Hospital
from tests.support.versions import tiny

SHARE, STUDIES = 0.2, 300


@pytest.fixture
def canary(settings: Settings, database: Database, deployed: dict[Modality, str], tmp_path: Path) -> UUID:
    """A second cough version that answers a fifth."""
    artefact = store(tiny(tmp_path / "canary", Modality.COUGH, "tiny-c", bias=1.0), settings.versions_dir)
    with database.begin() as session:
        version = publish(session, artefact, "test")
        try_out(session, version, "canary", SHARE, 1, Why("test", "a fifth"))
        return version.id


def test_its_share_and_no_study_is_parted(database: Database, hospital: Hospital, canary: UUID) -> None:
    """Of 300 a fifth is 60, give or take 7: 30 and 90 are beyond any chance."""
    active, queue = active_of(database), Queue(database)
    for _ in range(2):
        for number in range(STUDIES):
            put(hospital, 1, subject_id=f"person-{number}")
    (pinned,) = put(hospital, 1, requested_id=active)
    answered: dict[str | None, set[UUID]] = defaultdict(set)
    while rows := queue.claim():
        assert len({row.version_id for row in rows}) == 1
        for row in rows:
            answered[hospital.job(row.id).subject_id].add(row.version_id)
            assert row.id != pinned or row.version_id == active
    assert answered.pop(None) == {active}
    assert (len(answered), {len(versions) for versions in answered.values()}) == (STUDIES, {1})
    assert 30 <= sum(versions == {canary} for versions in answered.values()) <= 90


def test_a_canary_that_does_not_load_holds_nobody_up(database: Database, hospital: Hospital, canary: UUID) -> None:
    active, queue = active_of(database), Queue(database)
    put(hospital, 40)
    while rows := queue.claim(refused=(canary,)):
        assert {row.version_id for row in rows} == {active}


def test_it_ends_and_is_promoted_away(database: Database, hospital: Hospital, canary: UUID) -> None:
    with database.begin() as session, pytest.raises(Conflict) as stale:
        stop_trying(session, "cough", "canary", 1, Why("test", "late"))
    assert stale.value.code == "generation_stale"
    with database.begin() as session:
        deployment = stop_trying(session, "cough", "canary", 2, Why("test", "enough seen"))
        assert (deployment.canary_id, deployment.canary_share, deployment.generation) == (None, 0.0, 3)
    with database.begin() as session, pytest.raises(Conflict) as nothing:
        stop_trying(session, "cough", "canary", 3, Why("test", "again"))
    assert nothing.value.code == "nothing_tried"
    with database.begin() as session:
        version = session.get_one(Version, canary)
        assert try_out(session, version, "shadow", 0.0, 3, Why("test", "beside")).shadow_id == canary
        moved = try_out(session, version, "canary", 0.1, 4, Why("test", "a tenth"))
        assert (moved.shadow_id, moved.canary_id, moved.canary_share) == (None, canary, 0.1)


def active_of(database: Database) -> UUID:
    """What answers coughs."""
    with database.begin() as session:
        active = find(session, "cough").active_id
    assert active is not None
    return active
