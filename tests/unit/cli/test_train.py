"""`thoracle train` hands its options to the trainer and says what was made."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from shared.schemas import Modality
from tests.support.versions import tiny

pytestmark = pytest.mark.trainer
trainer = pytest.importorskip("services.trainer.train")


def test_a_recipe_is_trained_into_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def train(recipe: str, data: Path, out: Path, *, on_progress: Callable[..., None], **options: Any) -> Path:
        given.update(options, recipe=recipe, data=data)
        on_progress(trainer.Progress("fold 1/2", 1, 4, seconds_left=60.0))
        return tiny(out, Modality.COUGH)

    monkeypatch.setattr(trainer, "train", train)
    arguments = ["train", "cough/mlp", "--data", str(tmp_path), "--out", str(tmp_path / "out"), "--epochs", "3"]
    done = CliRunner().invoke(app, [*arguments, "--mode", "faithful", "--json"])
    assert done.exit_code == 0, done.stderr
    (version,) = json.loads(done.stdout)["versions"]
    assert (version["modality"], version["name"]) == ("cough", "tiny-1")
    assert (given["recipe"], given["data"], given["mode"]) == ("cough/mlp", tmp_path, "faithful")
    assert given["budget"].epochs == 3
    assert "fold 1/2" in done.stderr


@pytest.mark.parametrize("arguments", [["cough/mlp"], [], ["cough/mlp", "--starters", "--out", "x"]])
def test_what_to_train_must_be_clear(tmp_path: Path, arguments: list[str]) -> None:
    done = CliRunner().invoke(app, ["train", *arguments, "--data", str(tmp_path)])
    assert done.exit_code == 2
