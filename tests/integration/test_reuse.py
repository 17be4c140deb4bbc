"""The same bytes by the same version for the same hospital are computed once; everything else is computed."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import pytest
from sqlalchemy import text

from services.worker import answers
from services.worker.claims import Held
from shared.db.engine import Database
from shared.db.statements import reuse
from shared.db.tables import Job, Result, Study, Version, new_id
from shared.deployments import publish
from shared.registry import store
from shared.schemas import Card, Modality, Population
from shared.settings import Settings
from shared.transforms import sample_files
from tests.support.stack import Hospital, wait_for, worker
from tests.support.versions import tiny


class Asked:
    """Submits, and waits for the results that a worker makes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def results(self, hospital: Hospital, ids: list[UUID]) -> list[Result]:
        """In the order of the ids."""
        wait_for(lambda: hospital.states(ids) == {"succeeded": len(ids)}, 60, f"{hospital.states(ids)}")
        with self._database.begin() as session:
            return [session.get_one(Result, job) for job in ids]

    def cough(self, hospital: Hospital, **fields: object) -> Result:
        """The result of one submission of always the same recording."""
        ids = hospital.submit(sample_files.cough("WAV"), "audio/wav", Modality.COUGH, **fields)
        return self.results(hospital, ids)[0]


@pytest.fixture
def asked(settings: Settings, database: Database, deployed: dict[Modality, str], tmp_path: Path) -> Iterator[Asked]:
    """With a worker that uses results again."""
    with worker(settings.changed(reuse_results=True), database, tmp_path / "worker.log"):
        yield Asked(database)


def test_only_the_same_bytes_of_the_same_hospital_by_the_same_version(
    settings: Settings, database: Database, hospital: Hospital, asked: Asked, tmp_path: Path
) -> None:
    first, again = asked.cough(hospital), asked.cough(hospital)
    assert (first.reused_from, again.reused_from) == (None, first.job_id)
    assert (again.score, again.quality, again.runtime) == (first.score, first.quality, first.runtime)
    assert again.features == first.features
    assert set(first.features) == {"seconds", "level", "centroid", "rolloff", "edge"}
    assert asked.cough(hospital).reused_from == first.job_id, "whoever computed it is named, not who used it again"
    assert asked.cough(Hospital(settings, database, "south")).reused_from is None
    artefact = store(tiny(tmp_path / "other", Modality.COUGH, "tiny-2", bias=0.5), settings.versions_dir)
    with database.begin() as session:
        other = publish(session, artefact, "test").id
    by_other = asked.cough(hospital, requested_id=other)
    assert by_other.reused_from is None
    assert by_other.score != first.score


def test_a_claim_may_hold_both(database: Database, hospital: Hospital, asked: Asked) -> None:
    known = asked.cough(hospital)
    files = [sample_files.cough("WAV") + bytes([at]) for at in range(3)]
    ids = [hospital.submit(body, "audio/wav", Modality.COUGH)[0] for body in files]
    ids += hospital.submit(sample_files.cough("WAV"), "audio/wav", Modality.COUGH, count=5)
    results = asked.results(hospital, ids)
    assert [result.reused_from for result in results] == [None] * 3 + [known.job_id] * 5
    with database.begin() as session:
        open_claims = session.scalar(text("SELECT count(*) FROM claims WHERE ended_at IS NULL"))
    assert open_claims == 0


def test_what_the_header_says_comes_along(database: Database, hospital: Hospital, asked: Asked) -> None:
    body = sample_files.xray_dicom(PatientID="P 1", PatientAge="040Y", StudyInstanceUID="1.2.3")
    told = {"age_years": 7.0, "subject_id": "mine"}
    (first,) = hospital.submit(body, "application/dicom", Modality.CHEST_XRAY, **told)
    asked.results(hospital, [first])
    (second,) = hospital.submit(body, "application/dicom", Modality.CHEST_XRAY)
    assert asked.results(hospital, [second])[0].reused_from == first
    with database.begin() as session:
        jobs = [session.get_one(Job, job) for job in (first, second)]
        assert [job.age_years for job in jobs] == [7.0, 40.0]
        assert jobs[0].subject_id == "mine"
        assert (jobs[1].subject_id or "").startswith("psn-")
        assert jobs[0].study_id == jobs[1].study_id
        assert session.get_one(Study, jobs[1].study_id).external_id == "1.2.3"


def test_a_recalled_version_answers_nothing_again(database: Database, hospital: Hospital, asked: Asked) -> None:
    first = asked.cough(hospital)
    found = reuse.known(first.version_id, [first.job_id])
    with database.begin() as session:
        assert len(session.execute(found).all()) == 1
        session.get_one(Version, first.version_id).recalled_at = text("now()")
        session.flush()
        assert session.execute(found).all() == []
        session.rollback()


def test_it_can_be_switched_off(
    settings: Settings, database: Database, hospital: Hospital, deployed: dict[Modality, str], tmp_path: Path
) -> None:
    with worker(settings.changed(reuse_results=False), database, tmp_path / "worker.log"):
        asked = Asked(database)
        assert [asked.cough(hospital).reused_from, asked.cough(hospital).reused_from] == [None, None]


def test_the_decision_is_what_it_would_be(tiny_versions: dict[Modality, Path]) -> None:
    tiny_card = Card.model_validate_json((tiny_versions[Modality.COUGH] / "card.json").read_text())
    now = datetime.now(UTC)
    held = Held(new_id(), new_id(), "0" * 64, "audio/wav", None, None, now, now, b"key")
    grown = Population(age_years=(18, 90), description="adults")
    card = tiny_card.model_copy(update={"population": grown, "threshold": 0.5})
    known = SimpleNamespace(
        score=3.0, distance=0.0, quality=[], runtime={}, header={"age_years": 40.0}, features={}, source=held.id
    )
    row = answers.reused(card, held, known)
    assert (row["decision"], row["reasons"]) == ("flagged", [])
    child = answers.reused(card, replace(held, age_years=7.0), known)
    assert child["decision"] == "refer"
    assert [reason["code"] for reason in child["reasons"]] == ["age_untested"]
    assert child["probability"] == row["probability"]
