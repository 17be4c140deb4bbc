"""What fails a gate is not published: leaked patients, flipped labels, nothing learnt, graphs that cannot serve."""

import csv
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from typer.testing import CliRunner

from cli.main import app
from services.trainer import calibrate, datasets, evaluate, folds, gates, prepared, twins
from services.trainer.datasets import Row
from services.trainer.evaluate import Plan
from services.trainer.prepared import Examples
from services.trainer.recipe import find
from services.trainer.train import train
from shared.errors import BadRequest, VersionInvalid
from shared.registry import verify
from shared.schemas import Interval, Metrics, Modality

pytestmark = pytest.mark.trainer

STARTERS = Path(__file__).parents[3] / "shared" / "starter"
FLIP = 0.2


def _examples(rows: int = 1000, apart: float = 2.0) -> Examples:
    """26 numbers a row, the classes `apart` standard deviations from each other; two rows a patient."""
    generator = np.random.default_rng(5)
    targets = np.arange(rows) // 2 % 2
    inputs = generator.normal(size=(rows, 26)).astype(np.float32)
    inputs[:, 0] += apart * targets
    found = tuple(Row(Path(f"{n}.wav"), str(targets[n]), f"p{n // 2}", "ward", f"{n:064x}") for n in range(rows))
    return Examples(found, inputs, targets.astype(np.int64), tuple({} for _ in found), {})


def _flipped(examples: Examples, share: float, seed: int) -> Examples:
    places = np.random.default_rng(seed).permutation(len(examples))[: round(share * len(examples))]
    targets = examples.targets.copy()
    targets[places] = 1 - targets[places]
    return replace(examples, targets=targets)


def _probabilities(examples: Examples, name: str = "cough/logistic_regression") -> NDArray[np.float64]:
    """Out of fold, calibrated, as a card's figures are."""
    recipe = find(name)
    held = evaluate.out_of_fold(Plan(recipe, "sound", recipe.options("sound"), 7, 1, lambda *_: None), examples)
    gates.apart(examples, held.splits)
    return calibrate.crossed(examples.targets, held.scores, held.places, 0.9).probabilities


def _contradicted(examples: Examples, name: str = "cough/logistic_regression") -> Interval:
    share = gates.contradicted(examples.targets, _probabilities(examples, name))
    assert share
    return share


def test_right_labels_pass() -> None:
    share = _contradicted(_examples())
    gates.consistent(share)
    assert share.value < 0.05


@pytest.mark.parametrize("seed", range(4))
def test_a_label_flip_of_a_fifth_is_refused(seed: int) -> None:
    with pytest.raises(VersionInvalid, match="Check the labels") as refusal:
        gates.consistent(_contradicted(_flipped(_examples(), FLIP, seed)))
    assert refusal.value.code == "labels_doubtful"


@pytest.mark.data
def test_a_label_flip_in_real_coughs_is_refused(data: Path, tmp_path: Path) -> None:
    folder = datasets.read(data / "cough")
    card = verify(STARTERS / "cough").card
    assert gates.known(folder, card)
    wrong = tuple(replace(row, label="covid") if not n % 5 else row for n, row in enumerate(folder.rows))
    assert not gates.known(replace(folder, rows=wrong), card)

    recipe = find("cough/random_forest")
    here = folder.where(lambda row: row.source == "covid19-cough-call-center")
    few = replace(here, rows=here.rows[:250])
    examples = prepared.load(few, recipe.pipeline, recipe.target, tmp_path)
    right = _contradicted(examples, recipe.name)
    for seed in range(3):
        with pytest.raises(VersionInvalid) as refusal:
            gates.consistent(_contradicted(_flipped(examples, FLIP, seed), recipe.name))
        assert refusal.value.code in {"labels_doubtful", "nothing_learnt"}
    assert right.value < 0.25


def test_an_interval_that_includes_chance_is_refused() -> None:
    gates.learnt(Interval(value=0.6, low=0.51, high=0.7))
    with pytest.raises(VersionInvalid, match="includes chance") as refusal:
        gates.learnt(Interval(value=0.6, low=0.5, high=0.7))
    assert refusal.value.code == "nothing_learnt"


def test_what_falls_behind_an_earlier_version_is_refused() -> None:
    card = verify(STARTERS / "cough").card
    assert gates.no_worse(card.metrics, card)
    assert gates.no_worse(_shifted(card.metrics, -0.02), card)
    with pytest.raises(VersionInvalid, match=rf"AUROC is 0\.12 lower than that of {card.recipe}") as refusal:
        gates.no_worse(_shifted(card.metrics, -0.12), card)
    assert refusal.value.code == "worse_than_reference"
    elsewhere = [part.model_copy(update={"source": f"new {part.source}"}) for part in card.metrics.per_source]
    assert not gates.no_worse(_shifted(card.metrics, -0.12).model_copy(update={"per_source": elsewhere}), card)


def test_who_vouches_for_labels_decides_how_they_are_judged() -> None:
    card = verify(STARTERS / "cough").card
    worse = _shifted(card.metrics, -0.12).model_copy(update={"detail": None})
    for vouched in (gates.Vouched(card, known=True), gates.Vouched(card, trusted=True), gates.Vouched(None)):
        gates.judged(worse, vouched)
    with pytest.raises(VersionInvalid):
        gates.judged(worse, gates.Vouched(card))
    assert gates.Vouched(trusted=True).sentences
    assert not gates.Vouched().sentences


def _shifted(metrics: Metrics, by: float) -> Metrics:
    area = metrics.auroc
    moved = Interval(value=area.value + by, low=area.low + by, high=area.high + by)
    return metrics.model_copy(update={"auroc": moved})


def test_a_split_that_divides_a_patient_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.arange(1000)
    by_row = [(np.flatnonzero(rows % 2 != part), np.flatnonzero(rows % 2 == part)) for part in (0, 1)]
    monkeypatch.setattr(evaluate, "folds", lambda *_: iter(by_row))
    with pytest.raises(VersionInvalid, match="500 patients are in the training and in the held-out part") as refusal:
        _probabilities(_examples())
    assert refusal.value.code == "leaked_patient"


def test_every_row_is_held_out_once() -> None:
    examples = _examples(40)
    splits = list(folds.folds(examples, 2, 7))
    gates.apart(examples, splits)
    with pytest.raises(VersionInvalid, match="every row exactly once"):
        gates.apart(examples, splits[:1])


@pytest.fixture
def coughs(tiny: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("THORACLE_HOME", str(tmp_path / "home"))
    # A command lowers its process's priority for good; here that would be the tests' own.
    monkeypatch.setattr("services.trainer.train.lower_priority", lambda *_: None)
    return Path(shutil.copytree(tiny("cough"), tmp_path / "coughs"))


def _add(folder: Path, **fields: str) -> None:
    """One more line in the index, like the first but for these fields."""
    with (folder / "index.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    with (folder / "index.csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, [*dict.fromkeys([*rows[0], *fields])], restval="train")
        table.writeheader()
        table.writerows([*rows, {**rows[0], **fields}])


def test_a_patient_in_two_splits_of_the_index_is_refused(coughs: Path, tmp_path: Path) -> None:
    _add(coughs, path="2.bin", patient_id="p1", label="covid", split="test")
    (coughs / "2.bin").write_bytes((coughs / "2.bin").read_bytes() + b"\0")  # another content
    with pytest.raises(BadRequest):  # listed twice with two patients
        train("cough/knn", coughs, tmp_path / "v", cache=tmp_path)
    with pytest.raises(VersionInvalid) as refusal:
        gates.undivided(_two_splits())
    assert refusal.value.code == "leaked_patient"


def _two_splits() -> datasets.Dataset:
    rows = _examples(8).rows
    return datasets.Dataset(Path(), tuple(replace(row, extra={"split": f"{n % 2}"}) for n, row in enumerate(rows)))


def test_one_recording_of_two_patients_is_refused_and_said(coughs: Path, tmp_path: Path) -> None:
    shutil.copy(coughs / "0.bin", coughs / "copy.bin")
    _add(coughs, path="copy.bin", patient_id="somebody else")
    out = tmp_path / "v"
    done = CliRunner().invoke(app, ["train", "cough/knn", "--data", str(coughs), "--out", str(out)])
    assert done.exit_code == 1
    assert "different patients or splits" in done.stderr
    assert not out.exists()


def test_a_re_encoded_recording_of_two_patients_joins_them(coughs: Path, tmp_path: Path) -> None:
    sound, rate = soundfile.read(coughs / "0.bin")
    soundfile.write(str(coughs / "copy.bin"), sound * 0.5, rate, format="FLAC")
    _add(coughs, path="copy.bin", patient_id="somebody else")
    recipe = find("cough/knn")
    examples = prepared.load(datasets.read(coughs), recipe.pipeline, recipe.target, tmp_path)
    joined = twins.join(examples, Modality.COUGH, tmp_path)
    assert len(set(joined.examples.patients)) == len(set(examples.patients)) - 1
    assert "1 pairs of nearly identical files" in joined.sentences[0]
    assert twins.join(examples, Modality.COUGH, tmp_path) == joined or joined.pairs == 1


def test_a_refusal_is_said_and_leaves_nothing_behind(coughs: Path, tmp_path: Path) -> None:
    with (coughs / "index.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for number, row in enumerate(rows):  # by patient, and nothing that can be heard
        row["label"] = "covid" if number % 12 in {0, 3, 4, 7, 8, 11} else "not_covid"
    with (coughs / "index.csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    arguments = ["train", "cough/knn", "--data", str(coughs), "--out", str(tmp_path / "v"), "--folds", "2"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1
    assert "was learnt" in done.stderr or "Nothing is shown to be recognised" in done.stderr
    assert not (tmp_path / "v").exists()


def test_a_graph_must_be_small_and_answer_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"12345")
    gates.storable(model)
    monkeypatch.setattr(gates, "LARGEST", 4)
    with pytest.raises(VersionInvalid) as refusal:
        gates.storable(model)
    assert refusal.value.code == "graph_too_large"
    fine, broken = np.zeros(3, np.float32), np.array([0, np.nan, 0], np.float32)
    gates.finite((fine, fine))
    with pytest.raises(VersionInvalid) as refusal:
        gates.finite((broken, fine))
    assert refusal.value.code == "golden_not_finite"
