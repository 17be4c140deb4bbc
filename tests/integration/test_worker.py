"""The worker on real engines: answers, promises under kill -9, SIGTERM, a lost queue and killed children."""

import io
import random
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
from sqlalchemy import func, select, text

from shared.db.engine import Database
from shared.db.tables import Claim, Job, JobEvent, Result
from shared.schemas import Modality
from shared.settings import Settings
from tests.support.stack import Hospital, wait_for, worker

pytestmark = pytest.mark.usefixtures("deployed")


def cough(seconds: float = 1.5, seed: int = 0) -> bytes:
    """A noise burst as WAV."""
    samples = np.random.default_rng(seed).standard_normal(int(16_000 * seconds)) * 0.1
    file = io.BytesIO()
    soundfile.write(file, samples, 16_000, format="WAV", subtype="PCM_16")
    return file.getvalue()


def all_end(hospital: Hospital, ids: list, state: str, seconds: float) -> None:
    wait_for(lambda: hospital.states(ids) == {state: len(ids)}, seconds, f"{hospital.states(ids)} all {state}")


def test_answers_a_cough(settings: Settings, database: Database, hospital: Hospital, deployed, tmp_path: Path) -> None:
    (job_id,) = hospital.submit(cough(), "audio/wav", Modality.COUGH)
    with worker(settings, database, tmp_path / "worker.log") as child:
        all_end(hospital, [job_id], "succeeded", 60)
        assert child.terminate() == 0
    with database.begin() as session:
        result = session.get_one(Result, job_id)
        assert 0 <= result.probability <= 1
        assert set(result.timings) == {"queued_ms", "prepare_ms", "predict_ms", "total_ms"}
        changes = session.scalars(select(JobEvent.to_state).where(JobEvent.job_id == job_id).order_by(JobEvent.id))
        assert list(changes) == ["running", "succeeded"]


def test_kill_9_loses_and_doubles_nothing(
    settings: Settings, database: Database, hospital: Hospital, tmp_path: Path
) -> None:
    ids = hospital.submit(cough(5.0), "audio/wav", Modality.COUGH, count=60)
    with worker(settings, database, tmp_path / "first.log") as first:
        wait_for(lambda: hospital.states(ids).get("succeeded", 0) > 0, 60, "some answers")
        first.kill()
        assert hospital.states(ids).get("succeeded", 0) < 60, "killed too late to mean anything"
        with worker(settings, database, tmp_path / "second.log"):
            all_end(hospital, ids, "succeeded", 60)
    with database.begin() as session:
        assert session.scalar(select(func.count()).select_from(Result)) == 60
        assert session.scalar(select(func.max(Job.attempts))) <= 2


def test_killed_children_cost_no_attempt(
    settings: Settings, database: Database, hospital: Hospital, tmp_path: Path
) -> None:
    patient = settings.changed(lease_s=60.0)  # no machine is so busy that a lease runs out instead
    with worker(patient, database, tmp_path / "worker.log") as running:
        ids = hospital.submit(cough(5.0), "audio/wav", Modality.COUGH, count=200)
        kills = 0
        chance = random.Random(7)
        while kills < 50:
            children = decoder_children(running.popen.pid)
            if children:
                chance.choice(children).kill()
                kills += 1
            time.sleep(0.15)
            if hospital.states(ids) == {"succeeded": len(ids)}:
                ids += hospital.submit(cough(5.0), "audio/wav", Modality.COUGH, count=50)
        all_end(hospital, ids, "succeeded", 90)
    with database.begin() as session:
        assert session.scalar(select(func.max(Job.attempts))) == 1


def test_sigterm_gives_back_without_charging(
    settings: Settings, database: Database, hospital: Hospital, tmp_path: Path
) -> None:
    with worker(settings, database, tmp_path / "first.log") as first:
        ids = hospital.submit(cough(5.0), "audio/wav", Modality.COUGH, count=60)
        wait_for(lambda: hospital.states(ids).get("succeeded", 0) > 0, 60, "some answers")
        assert first.terminate() == 0, first.log.read_text()
    states = hospital.states(ids)
    assert states.get("running", 0) == 0
    assert states.get("queued", 0) > 0, "stopped too late to mean anything"
    with database.begin() as session:
        assert session.scalar(select(func.max(Job.attempts)).where(Job.state == "queued")) == 0
        assert session.scalar(select(func.count()).select_from(Claim).where(Claim.ended_at.is_(None))) == 0
    with worker(settings, database, tmp_path / "second.log"):
        all_end(hospital, ids, "succeeded", 60)


def test_a_lost_queue_costs_seconds(
    settings: Settings, database: Database, hospital: Hospital, engines, tmp_path: Path
) -> None:
    import redis

    ids = hospital.submit(cough(), "audio/wav", Modality.COUGH, count=200)
    redis.Redis.from_url(engines.redis_url).flushall()
    with worker(settings, database, tmp_path / "worker.log"):
        all_end(hospital, ids, "succeeded", 60)


def test_poison_dies_alone(settings: Settings, database: Database, hospital: Hospital, tmp_path: Path) -> None:
    """A child that dies of its input is charged, tried alone, and dead after three attempts; its neighbours live."""
    good = hospital.submit(cough(), "audio/wav", Modality.COUGH, count=7)
    (poison,) = hospital.submit(cough(seed=1), "audio/wav", Modality.COUGH)
    path = Path(settings.blob_dir) / str(hospital.tenant_id)
    code = f"POISON={hospital_blob(database, poison)}"
    assert path.is_dir()
    patient = settings.changed(lease_s=60.0)
    with worker(patient, database, tmp_path / "worker.log", PYTHONPATH=str(poisoned(tmp_path, code))):
        all_end(hospital, good, "succeeded", 60)
        wait_for(lambda: hospital.job(poison).state == "dead", 60, "the poison to be given up")
    job = hospital.job(poison)
    assert (job.attempts, job.code) == (3, "decoder_died")
    assert all(hospital.job(i).attempts == 1 for i in good)


def test_a_zombie_cannot_commit(settings: Settings, database: Database, hospital: Hospital, tmp_path: Path) -> None:
    """A worker that is frozen past its lease and thawed writes nothing over its successor's answers."""
    with worker(settings, database, tmp_path / "zombie.log") as zombie:
        ids = hospital.submit(cough(5.0), "audio/wav", Modality.COUGH, count=40)
        wait_for(lambda: hospital.states(ids).get("running", 0) > 0, 60, "a claim")
        psutil.Process(zombie.popen.pid).suspend()
        with worker(settings, database, tmp_path / "heir.log"):
            all_end(hospital, ids, "succeeded", 60)
            psutil.Process(zombie.popen.pid).resume()
            time.sleep(2)
            all_end(hospital, ids, "succeeded", 1)
    with database.begin() as session:
        ended = text(
            "SELECT count(*) FROM (SELECT job_id FROM job_events WHERE to_state = 'succeeded' GROUP BY 1"
            " HAVING count(*) <> 1) AS twice"
        )
        assert session.scalar(ended) == 0


def test_a_cancelled_job_gets_no_result(
    settings: Settings, database: Database, hospital: Hospital, tmp_path: Path
) -> None:
    (job_id,) = hospital.submit(cough(), "audio/wav", Modality.COUGH)
    with database.begin() as session:
        session.execute(text("UPDATE jobs SET state = 'cancelled', finished_at = now()"))
    later = hospital.submit(cough(), "audio/wav", Modality.COUGH)
    with worker(settings, database, tmp_path / "worker.log"):
        all_end(hospital, later, "succeeded", 60)
    with database.begin() as session:
        assert session.get(Result, job_id) is None
    assert hospital.job(job_id).state == "cancelled"


def test_many_claimers_take_each_job_once(settings: Settings, database: Database, hospital: Hospital) -> None:
    from services.worker.claims import Claims
    from shared.db.tables import Worker, new_id

    ids = hospital.submit(cough(), "audio/wav", Modality.COUGH, count=120)
    taken: list = []

    def take() -> None:
        worker_id = new_id()
        with database.begin() as session:
            session.add(Worker(id=worker_id, host="test", pid=1, modalities=["cough"], report={}))
        claims = Claims(settings.model_copy(update={"claim_size": 5}), database, worker_id)
        while claim := claims.take([]):
            taken.extend(job.id for job in claim.jobs)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(ids)


def decoder_children(pid: int) -> list[psutil.Process]:
    """The sandbox's children: grandchildren of the worker, born by its fork server."""
    try:
        return [child for child in psutil.Process(pid).children(recursive=True) if child.ppid() != pid]
    except psutil.NoSuchProcess:
        return []


def hospital_blob(database: Database, job_id) -> str:
    with database.begin() as session:
        return session.scalar(text("SELECT sha256 FROM job_inputs WHERE job_id = :id").bindparams(id=job_id))


def poisoned(folder: Path, code: str) -> Path:
    """A `sitecustomize` that makes one stored input kill whoever decodes it; never part of the shipped modules."""
    name, digest = code.split("=")
    site = folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import hashlib, os, pathlib\n"
        f"{name} = '{digest}'\n"
        "real = hashlib.file_digest\n"
        "def digest(stream, name):\n"
        "    found = real(stream, name)\n"
        f"    if found.hexdigest() == {name} and 'blobs' in str(getattr(stream, 'name', '')):\n"
        "        os._exit(11)\n"
        "    return found\n"
        "hashlib.file_digest = digest\n"
    )
    return site
