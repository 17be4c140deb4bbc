"""The echo: what went in as pixels comes out of the real worker as a score."""

import random
from pathlib import Path

import pytest
from sqlalchemy import select

from shared.db.engine import Database
from shared.db.tables import Result
from shared.schemas import Modality
from shared.settings import Settings
from tests.chaos.identity import MOST, NoEcho, logit, make, publish_echo, read_back, score_of
from tests.support.stack import Hospital, wait_for, worker


def test_every_number_and_version_is_read_back_from_score_and_probability() -> None:
    from shared.decide import calibrated
    from tests.support.versions import card

    chance = random.Random(4)
    plain = card(Modality.CHEST_XRAY, "chest_xray/cnn", "echo-0", [1], "covid_pattern", ["image/png"], [0.0], [0.0])
    for number in [0, MOST - 1, *(chance.randrange(MOST) for _ in range(5000))]:
        index = chance.randrange(16)
        score = score_of(number, index)
        assert read_back(score) == (number, index)
        assert read_back(logit(calibrated(plain, score))) == (number, index)


@pytest.mark.parametrize("score", [0.1, 2.0, -2.1, 7.0])
def test_a_score_of_something_else_is_no_echo(score: float) -> None:
    with pytest.raises(NoEcho):
        read_back(score)


def test_the_worker_reads_numbers_back(
    settings: Settings, database: Database, hospital: Hospital, tmp_path: Path
) -> None:
    """Also a picture without a barcode: it is referred, never taken for a number."""
    publish_echo(settings, database, "echo-3")
    chance = random.Random(5)
    numbers = [0, MOST - 1, *(chance.randrange(MOST) for _ in range(20))]
    jobs = {
        job_id: number
        for number in numbers
        for job_id in hospital.submit(make(number), "image/png", Modality.CHEST_XRAY)
    }
    (other,) = hospital.submit(_without_barcode(), "image/png", Modality.CHEST_XRAY)
    with worker(settings, database, tmp_path / "worker.log"):
        wait_for(lambda: hospital.states([*jobs, other]) == {"succeeded": len(jobs) + 1}, 60, "all answered")
    with database.begin() as session:
        results = {result.job_id: result for result in session.scalars(select(Result))}
    assert {job_id: read_back(results[job_id].score) for job_id in jobs} == {i: (n, 3) for i, n in jobs.items()}
    assert {results[job_id].distance for job_id in jobs} == {0.0}
    assert results[other].decision == "refer"


def _without_barcode() -> bytes:
    import io

    import numpy as np
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (448, 448), dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()
