"""`python -m bench.startup`: seconds from starting a worker to its first answer, and its idle memory.

Runs on embedded engines of its own with the starter versions and synthetic inputs.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from pydantic import SecretStr

from bench.record import figure, write
from infra.embedded import Engines
from shared.db.engine import Database
from shared.db.migrate import upgrade
from shared.deployments import install_starters
from shared.schemas import Modality
from shared.settings import Settings
from shared.sniff import sniff
from shared.transforms.samples import write_samples
from tests.support.stack import Hospital, environment

RUNS = 3
FIRST, WORKER, FAMILY = "first answer after the start of a worker", "worker, idle", "worker and children, idle"
UNITS = {FIRST: "s", WORKER: "MB resident", FAMILY: "MB proportional"}


def main() -> None:
    """Measure and write."""
    with tempfile.TemporaryDirectory() as folder, Engines(Path(folder) / "home") as engines:
        settings = Settings(
            home=Path(folder),
            database_url=SecretStr(engines.database_url),
            redis_url=SecretStr(engines.redis_url),
        )
        upgrade(settings)
        database = Database(settings)
        install_starters(settings, database)
        sample = next(sample for sample in write_samples(Path(folder) / "samples") if sample.modality == Modality.COUGH)
        body = (Path(folder) / "samples" / sample.file).read_bytes()
        hospital = Hospital(settings, database)
        runs = [_run(settings, hospital, body) for _ in range(RUNS)]
        database.close()
        path = write("startup", [figure(name, [run[name] for run in runs], unit) for name, unit in UNITS.items()])
        sys.stdout.write(path.read_text(encoding="utf-8"))


def _run(settings: Settings, hospital: Hospital, body: bytes) -> dict[str, float]:
    (job,) = hospital.submit(body, sniff(body[:4096]) or "", Modality.COUGH)
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "services.worker"], env=environment(settings))
    while hospital.states([job]) != {"succeeded": 1}:
        time.sleep(0.01)
    seconds = time.perf_counter() - began
    time.sleep(2)
    memory = _memory(process.pid)
    process.terminate()
    process.wait(timeout=30)
    return {FIRST: seconds, **memory}


def _memory(pid: int) -> dict[str, float]:
    """Resident memory in MB: the worker itself, and it with its children (shared pages counted once: PSS)."""
    worker = psutil.Process(pid)
    family = [worker, *worker.children(recursive=True)]
    return {
        WORKER: worker.memory_info().rss / 2**20,
        FAMILY: sum(process.memory_full_info().pss for process in family) / 2**20,
    }


if __name__ == "__main__":
    main()
