"""The service's own store as a dataset: standing verdicts on chosen bases become labels, and nobody is named."""

import csv
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from services.trainer import datasets
from services.trainer.judged import Query, collect
from shared import judging
from shared.db.engine import Database
from shared.db.statements import claims, turns
from shared.db.tables import Adjudication, Worker, new_id
from shared.errors import BadRequest, Conflict
from shared.judging import Opinion, Reader, Reading
from shared.schemas import Basis, Label, Modality, Verdict
from shared.settings import Settings
from shared.storage import BlobStore
from tests.support.stack import Hospital

SUBJECT = "Doe, Jane 1950-01-01"


@pytest.fixture
def place(settings: Settings, database: Database, hospital: Hospital, deployed: dict[Modality, str]) -> "Place":
    return Place(settings, database, hospital)


class Place:
    """A hospital whose coughs are answered and judged."""

    def __init__(self, settings: Settings, database: Database, hospital: Hospital) -> None:
        self.settings, self.database, self.hospital = settings, database, hospital
        with database.begin() as session:
            worker = Worker(id=new_id(), host="test", pid=1, modalities=["cough"], report={})
            session.add(worker)
        self.worker = worker.id

    def answered(self, body: bytes, decision: str, hospital: Hospital | None = None, **fields: Any) -> UUID:
        (job,) = (hospital or self.hospital).submit(body, "audio/wav", Modality.COUGH, **fields)
        with self.database.begin() as session:
            (taken,) = session.execute(turns.claim(self.worker, ["cough"], 8, 30.0, 30.0)).all()
            answer = {"job_id": str(job), "state": "succeeded", "input_sha256": taken.sha256, "score": 0.0,
                      "distance": 0.0, "probability": 0.5, "decision": decision, "quality": [], "reasons": [],
                      "runtime": {}, "timings": {}}  # fmt: skip
            session.execute(claims.finish(taken.claim_id, [answer]))
        return job

    def judge(
        self,
        job: UUID,
        verdict: str,
        basis: str = "pcr",
        hospital: Hospital | None = None,
        reader: str = "ada",
        saw: bool = False,
        **more: Any,
    ) -> UUID:
        who = self.reader(reader, hospital)
        with self.database.begin() as session:
            opinion = Opinion(Verdict(verdict), Basis(basis), saw, **more)
            return judging.give(session, who, job, opinion).id

    def settle(self, job: UUID, label: Label, basis: str = "radiologist", reader: str = "zoe") -> None:
        """A second reader closes what is open of a job."""
        with self.database.begin() as session:
            one = session.scalars(select(Adjudication.id).where(Adjudication.job_id == job, state_open())).one()
            said = Reading(label, Basis(basis), saw_result_first=False)
            judging.adjudicate(session, self.reader(reader), one, said)

    def reader(self, person: str, hospital: Hospital | None = None) -> Reader:
        owner = hospital or self.hospital
        return Reader(owner.tenant_id, owner.principal_id, person)

    def collect(self, folder: Path, *bases: str, finding: str = "covid_pattern", blind: bool = False) -> Any:
        query = Query(self.hospital.tenant_id, Modality.COUGH, finding, bases or ("pcr",), blind=blind)
        return collect(self.database, BlobStore(self.settings.blob_dir), query, folder)


def state_open() -> Any:
    return Adjudication.state == "open"


def labels(folder: Path) -> dict[str, str]:
    return {Path(row.path).read_bytes().decode(): row.label for row in datasets.read(folder).rows}


def test_verdicts_become_labels(place: Place, tmp_path: Path) -> None:
    place.judge(place.answered(b"agreed", "flagged"), "agree")
    place.judge(place.answered(b"missed", "not_flagged"), "disagree", label=Label.PRESENT)
    place.judge(place.answered(b"seen by a person", "refer"), "disagree", label=Label.PRESENT)
    found = place.collect(tmp_path / "d")
    assert labels(tmp_path / "d") == {"agreed": "covid", "missed": "covid", "seen by a person": "covid"}
    assert (found.files, found.labels) == (3, {"covid": 3})


def test_what_says_nothing_is_left_out_and_counted(place: Place, tmp_path: Path) -> None:
    place.judge(place.answered(b"unsure", "flagged"), "unsure")
    place.judge(place.answered(b"referred", "refer"), "agree")
    twice = place.answered(b"twice", "flagged")
    place.judge(twice, "agree")
    place.judge(place.answered(b"twice", "flagged"), "disagree", reader="ben", label=Label.ABSENT)
    assert place.collect(tmp_path / "d").left_out == {"no_label": 2, "readers_differ": 1}


def test_only_standing_verdicts_on_chosen_bases_count(place: Place, tmp_path: Path) -> None:
    place.judge(place.answered(b"impression", "flagged"), "agree", basis="impression")
    withdrawn = place.judge(place.answered(b"withdrawn", "flagged"), "agree")
    with place.database.begin() as session:
        judging.withdraw(session, place.hospital.tenant_id, withdrawn, "ada")
    changed = place.answered(b"changed", "flagged")
    place.judge(changed, "agree")
    place.judge(changed, "disagree", label=Label.ABSENT)
    place.collect(tmp_path / "pcr")
    place.collect(tmp_path / "both", "pcr", "impression")
    assert labels(tmp_path / "pcr") == {"changed": "not_covid"}
    assert labels(tmp_path / "both") == {"changed": "not_covid", "impression": "covid"}


def test_a_second_reading_settles_what_readers_differ_about(place: Place, tmp_path: Path) -> None:
    """Its label goes before theirs, whoever they are and however many, and counts with its own basis."""
    job = place.answered(b"settled", "flagged")
    place.judge(job, "agree")
    place.judge(job, "disagree", reader="ben", label=Label.ABSENT)
    place.judge(place.answered(b"settled", "flagged"), "agree", reader="carl")
    assert place.collect(tmp_path / "before").left_out == {"readers_differ": 1}
    place.settle(job, Label.ABSENT)
    place.collect(tmp_path / "d", "pcr", "radiologist")
    with (tmp_path / "d" / "index.csv").open(newline="") as stream:
        assert [(row["label"], row["basis"]) for row in csv.DictReader(stream)] == [("not_covid", "radiologist")]
    # Without its basis it is no verdict that counts, and the readers differ as before.
    assert place.collect(tmp_path / "pcr").left_out == {"readers_differ": 1}


def test_what_a_second_reader_says_of_a_referred_input_is_a_label(place: Place, tmp_path: Path) -> None:
    place.settle(place.answered(b"referred", "refer"), Label.PRESENT, "pcr")
    place.collect(tmp_path / "d")
    assert labels(tmp_path / "d") == {"referred": "covid"}


def test_readers_who_knew_the_answer_can_be_left_out(place: Place, tmp_path: Path) -> None:
    place.judge(place.answered(b"led", "flagged"), "agree", saw=True)
    place.judge(place.answered(b"blind", "flagged"), "agree")
    assert place.collect(tmp_path / "d", blind=True).left_out == {"saw_result_first": 1}
    assert labels(tmp_path / "d") == {"blind": "covid"}


def test_nobody_is_named(place: Place, tmp_path: Path) -> None:
    for body in (b"first", b"second"):
        job = place.answered(body, "flagged", subject_id=SUBJECT, age_years=97.0, client_ref="ACC-1")
        place.judge(job, "agree", comment=SUBJECT)
    place.judge(place.answered(b"no subject", "flagged"), "agree")
    found = place.collect(tmp_path / "d")
    text = (tmp_path / "d" / "index.csv").read_text()
    assert (found.patients, found.unnamed) == (2, 1)
    assert not [word for word in ("Doe", "1950", "ACC-1", "97") if word in text.replace(str(tmp_path), "")]
    with (tmp_path / "d" / "index.csv").open(newline="") as stream:
        assert {row["age_years"] for row in csv.DictReader(stream)} == {"89", ""}


def test_another_hospitals_verdicts_stay_there(place: Place, tmp_path: Path) -> None:
    south = Hospital(place.settings, place.database, "south")
    place.judge(place.answered(b"theirs", "flagged", south), "agree", hospital=south)
    place.judge(place.answered(b"ours", "flagged"), "agree")
    place.collect(tmp_path / "d")
    assert labels(tmp_path / "d") == {"ours": "covid"}


def test_an_erased_input_is_gone_from_the_dataset(place: Place, tmp_path: Path) -> None:
    place.judge(place.answered(b"erased", "flagged"), "agree")
    for blob in place.settings.blob_dir.rglob("*"):
        if blob.is_file():
            blob.unlink()
    assert place.collect(tmp_path / "d").left_out == {"erased": 1}


def test_what_cannot_be_collected_is_said(place: Place, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="No recipe looks for fracture"):
        place.collect(tmp_path / "d", finding="fracture")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "index.csv").touch()
    with pytest.raises(Conflict):
        place.collect(tmp_path / "full")
