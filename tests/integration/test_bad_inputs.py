"""Every sample through HTTP and a real worker: the right state and code each, and the worker outlives them all."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from shared.db.engine import Database
from shared.db.tables import Job
from shared.schemas import Role
from shared.settings import Settings
from shared.transforms.samples import Sample, write_samples
from tests.integration.api.support import Api, serving
from tests.support.stack import Process, wait_for, worker


@pytest.fixture
def running(
    settings: Settings, database: Database, deployed: dict[str, str], tmp_path: Path
) -> Iterator[tuple[Api, Process]]:
    with serving(settings, database) as api, worker(api.settings, database, tmp_path / "worker.log") as child:
        yield api, child


def test_every_sample_ends_as_it_says(running: tuple[Api, Process], database: Database, tmp_path: Path) -> None:
    api, child = running
    client = api.client(Role.SUBMITTER)
    samples = write_samples(tmp_path / "samples")
    answers = [_submit(client, tmp_path / "samples" / sample.file, sample) for sample in samples]
    assert [answer.status_code for answer in answers] == [sample.http for sample in samples]
    outcomes = {sample.file: _outcome(client, answer) for sample, answer in zip(samples, answers, strict=True)}
    expected = {sample.file: (sample.status, sample.code or None) for sample in samples}
    assert outcomes == expected
    assert child.popen.poll() is None
    with database.begin() as session:
        assert session.scalar(select(func.max(Job.attempts))) == 1


def test_refusals_say_what_to_do(running: tuple[Api, Process], tmp_path: Path) -> None:
    """Problem details with a code and a sentence; never a path, a trace or the file's name."""
    client = running[0].client(Role.SUBMITTER)
    answer = client.post("/v1/jobs", files={"file": ("Mustermann^Erika.png", b"not a picture")})
    assert (answer.status_code, answer.headers["content-type"]) == (415, "application/problem+json")
    assert answer.json()["code"] == "input_type_unknown"
    assert "Mustermann" not in answer.text


def _submit(client: httpx.Client, path: Path, sample: Sample) -> httpx.Response:
    with path.open("rb") as body:
        return client.post("/v1/jobs", files={"file": body}, data={"modality": sample.modality})


def _outcome(client: httpx.Client, answer: httpx.Response) -> tuple[str, str | None]:
    if answer.status_code != 202:
        return "refused", answer.json()["code"]
    url = answer.headers["location"]
    job = wait_for(lambda: _ended(client.get(url, headers={"Prefer": "wait=10"}).json()), 60, "the job to end")
    return job["status"], job["error"]["code"] if job["error"] else None


def _ended(job: dict) -> dict | None:
    return job if job["status"] not in ("queued", "running") else None
