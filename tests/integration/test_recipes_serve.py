"""Every recipe's tiny version, published and asked by name through the real worker, decides as its trainer did."""

from pathlib import Path

import pytest

from shared.db.engine import Database
from shared.db.tables import Result
from shared.deployments import open_deployment, publish
from shared.registry import store
from shared.settings import Settings
from tests.support.stack import Hospital, wait_for, worker

pytestmark = pytest.mark.trainer
trained_ = pytest.importorskip("tests.support.trained", reason="the trainer's packages are not installed")

_FILES = 2  # one of each class
_SECONDS = 600  # for all of them, on a machine that is busy with other things
_PARITY = 1e-4


@pytest.mark.timeout(1800)
def test_the_worker_decides_as_the_trainer(
    settings: Settings,
    database: Database,
    hospital: Hospital,
    trained: "trained_.Trainings",
    tmp_path: Path,
) -> None:
    expected = {}
    for name in trained_.NAMES:
        made = trained(name)
        with database.begin() as session:
            version = publish(session, store(made.artefact.folder, settings.versions_dir), "test")
            open_deployment(session, version, "test")
            version_id = version.id
        for file in made.files()[:_FILES]:
            media_type = "image/png" if made.recipe.modality == "chest_xray" else "audio/wav"
            (job_id,) = hospital.submit(file.read_bytes(), media_type, made.recipe.modality, requested_id=version_id)
            expected[job_id] = (name, version_id, made.verdict(file))
    ids = list(expected)
    # Each version is timed and warmed for every size of group that can occur: few sizes, for 25 of them.
    small = settings.model_copy(update={"group_size": 2, "predict_threads": 1})
    with worker(small, database, tmp_path / "worker.log") as running:
        wait_for(
            lambda: hospital.states(ids) == {"succeeded": len(ids)}, _SECONDS,
            f"all answered: {hospital.states(ids)} {running.log.read_text()[-2000:]}",
        )  # fmt: skip
    with database.begin() as session:
        for job_id, (name, version_id, verdict) in expected.items():
            result = session.get_one(Result, job_id)
            assert result.version_id == version_id, name
            assert result.decision == verdict.decision, name
            assert result.probability == pytest.approx(verdict.probability, abs=_PARITY), name
