"""Over HTTP, with a real trainer: killed with -9 half-way and started again, a run ends as one that was left alone."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from shared.db.engine import Database
from shared.registry import verify
from shared.schemas import Card, Role, RunState
from shared.settings import Settings
from shared.transforms.synthetic import speech_like, synthetic_cough
from tests.integration.api.support import Api, serving
from tests.support.stack import process, wait_for

pytestmark = pytest.mark.trainer
pytest.importorskip("torch")

RUN = {"recipe": "cough/mlp", "dataset": "north", "seed": 11, "epochs": 20, "folds": 2}
_SECONDS = 600  # half a minute on a machine that has nothing else to do


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Looks by itself so rarely that only the doorbell explains a quick start."""
    return settings.changed(trainer_threads=1, trainer_nice=0, idle_look_s=_SECONDS)


@pytest.fixture
def api(settings: Settings, database: Database) -> Iterator[Api]:
    """Without any version."""
    with serving(settings, database) as running:
        yield running


@pytest.fixture
def admin(api: Api) -> httpx.Client:
    return api.client(Role.ADMIN)


@pytest.mark.timeout(1800)
def test_a_killed_run_ends_as_one_that_was_left_alone(settings: Settings, admin: httpx.Client, tmp_path: Path) -> None:
    _write_coughs(settings.datasets / "north")
    log = tmp_path / "trainer.log"
    with process(settings, "services.trainer", log) as first:
        wait_for(lambda: admin.get("/v1/recipes").is_success, _SECONDS, "a trainer")
        killed, whole = (_started(admin, name) for name in ("killed", "whole"))
        _await(admin, killed, lambda run: (run["progress"] or {}).get("stage") == "fold 2/2")
        first.kill()
    assert _run(admin, killed)["status"] == "running", "nobody has noticed yet"
    answers = _answers(settings, killed)
    with process(settings, "services.trainer", log) as second:
        ended = [_await(admin, run, lambda run: run["finished_at"]) for run in (killed, whole)]
        assert [run["status"] for run in ended] == ["succeeded", "succeeded"], log.read_text()
        assert [run["attempts"] for run in ended] == [2, 1]
        third = _started(admin, "third")
        _await(admin, third, lambda run: run["progress"])
        assert second.terminate() == 0
    given_back = _run(admin, third)
    assert (given_back["status"], given_back["attempts"]) == ("queued", 0)
    assert answers, "the first fold's answers were there before the kill"
    _same_figures(settings, *ended)
    _same_curves(*ended)


def _write_coughs(folder: Path) -> None:
    """Generated sounds of 24 people, half of them of another kind."""
    folder.mkdir(parents=True)
    rows = ["path,label,patient_id,source"]
    for number in range(24):
        make, label = (speech_like, "covid") if number % 2 else (synthetic_cough, "not_covid")
        soundfile.write(str(folder / f"{number}.wav"), make(number, 16000, 2.0), 16000)
        rows.append(f"{number}.wav,{label},p{number},ward")
    (folder / "index.csv").write_text("\n".join(rows) + "\n")


def _started(admin: httpx.Client, name: str) -> str:
    response = admin.post("/v1/training-runs", json={**RUN, "name": name})
    assert response.status_code == 202, response.text
    identity: str = response.json()["id"]
    return identity


def _run(admin: httpx.Client, run: str) -> dict[str, Any]:
    answer: dict[str, Any] = admin.get(f"/v1/training-runs/{run}").json()
    return answer


def _await(admin: httpx.Client, run: str, enough: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        time.sleep(0.3)  # the gateway is in this process, and looking takes the trainer's time
        answer = _run(admin, run)
        assert answer["status"] != RunState.FAILED, answer["error"]
        return answer if enough(answer) else None

    found: dict[str, Any] = wait_for(look, _SECONDS, "the run gets there")
    return found


def _answers(settings: Settings, run: str) -> list[Path]:
    return list((settings.runs_dir / run).rglob("answers-*.npz"))


def _same_figures(settings: Settings, *runs: dict[str, Any]) -> None:
    folders = [settings.versions_dir / run["version"]["sha256"] for run in runs]
    mine, theirs = (_measured(verify(folder).card) for folder in folders)
    assert mine == theirs
    assert np.array_equal(*(np.load(folder / "golden.npy") for folder in folders))
    assert {**runs[0]["figures"], "seconds": 0} == {**runs[1]["figures"], "seconds": 0}


def _measured(card: Card) -> Any:
    """All but the name, the time and the seconds."""
    return json.loads(card.model_dump_json(exclude={"name": True, "training": True, "runtime": {"candidates"}}))


def _same_curves(*runs: dict[str, Any]) -> None:
    first, second = ([{**point, "seconds": 0} for point in run["curve"]] for run in runs)
    assert len(first) == RUN["epochs"] * 3
    assert first == second
