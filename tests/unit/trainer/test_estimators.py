"""Estimators: one graph with the novelty beside them, calibration without shared patients, searches that go on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from hyperopt import hp
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, Normalizer, StandardScaler

from services.trainer import candidates, export, join
from services.trainer.datasets import Row
from services.trainer.estimators import (
    EstimatorGraph,
    EstimatorRecipe,
    Scorer,
    calibrated,
    fitted,
    measured,
    row_weights,
    settings,
    splits,
)
from services.trainer.novelty import Mahalanobis
from services.trainer.prepared import Examples
from services.trainer.recipe import Task, find, recipes
from services.trainer.search import search

pytestmark = pytest.mark.trainer

# lung_sound/ridges hears its files once more through other stethoscopes, and these examples have none: test_recipes.py.
TABULAR = [
    name for name, recipe in recipes().items() if isinstance(recipe, EstimatorRecipe) and name != "lung_sound/ridges"
]
FEATURES, ROWS = 26, 64
_SCALES = np.logspace(-2, 3, FEATURES)


@pytest.fixture(scope="module")
def examples() -> Examples:
    """Positive features of very different scales; two rows a patient, three sources."""
    generator = np.random.default_rng(0)
    targets = np.arange(ROWS) // 2 % 2
    inputs = np.abs((generator.normal(3, 1, (ROWS, FEATURES)) + targets[:, None]) * _SCALES).astype(np.float32)
    rows = tuple(
        Row(Path("none"), "covid" if target else "not_covid", f"p{place // 2}", f"s{place // 4 % 3}", f"{place}")
        for place, target in enumerate(targets)
    )
    return Examples(rows, inputs, targets.astype(np.int64), tuple({} for _ in rows), {})


@pytest.fixture(scope="module")
def novelty(examples: Examples) -> tuple[Mahalanobis, Any]:
    module = Mahalanobis(torch.from_numpy(examples.inputs)).eval()
    return module, export.trace(module, (FEATURES,), ["distance"])


def _task(mode: Any = "sound", keep: Path | None = None, epochs: int = 1) -> Task:
    return Task(mode, replace(settings(), epochs=epochs), 3, lambda _: None, keep)


def _as_wide(columns: int, examples: Examples) -> Examples:
    """The columns repeated until there are as many as a recipe takes."""
    times = -(-columns // FEATURES)
    return replace(examples, inputs=np.tile(examples.inputs, times)[:, :columns])


def test_the_documents_models_and_ours_are_there() -> None:
    documented = {"logistic_regression", "random_forest", "gbdt", "knn", "search"}
    assert {f"cough/{name}" for name in documented | {"statistics"}} <= set(TABULAR)


@pytest.mark.parametrize("steps", [FunctionTransformer, StandardScaler, MinMaxScaler, lambda: Normalizer("l1")])
@pytest.mark.parametrize(
    "classifier",
    [
        KNeighborsClassifier(3),
        SGDClassifier(loss="log_loss", random_state=0),
        RandomForestClassifier(5, random_state=0),
        GradientBoostingClassifier(n_estimators=5, random_state=0),
        GaussianNB(),
    ],
)
def test_every_pair_gives_the_same_as_one_graph(
    steps: Callable[[], Any], classifier: Any, examples: Examples, novelty: tuple[Mahalanobis, Any]
) -> None:
    pair = make_pipeline(steps(), calibrated(classifier, examples, _task()))
    members = [fitted(pair, examples, None), fitted(make_pipeline(GaussianNB()), examples, None)]
    graph = EstimatorGraph(Scorer(members), novelty[0])
    model = join.side_by_side([join.converted(member, FEATURES) for member in members], novelty[1], FEATURES)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    scores, distances = session.run(["score", "distance"], {"input": examples.inputs})
    assert scores.shape == distances.shape == (ROWS,)
    assert export.prove_parity(graph, examples.inputs, (scores, distances)) <= export.PARITY


def test_the_written_graph_is_checked_and_served(examples: Examples, tmp_path: Path) -> None:
    graph = find("cough/random_forest").fit(examples, _task("faithful"))
    export.write(graph, (FEATURES,), tmp_path / "model.onnx")
    served = export.run(tmp_path / "model.onnx", "onnxruntime", "f32", examples.inputs, 1)
    assert export.prove_parity(graph, examples.inputs, served) <= export.PARITY
    assert graph.size > 1000


@pytest.mark.parametrize("mode", ["faithful", "sound"])
@pytest.mark.parametrize("name", TABULAR)
def test_every_mode_learns(name: str, mode: str, examples: Examples) -> None:
    examples = _as_wide(find(name).shape[0], examples)
    graph = find(name).fit(examples, _task(mode, epochs=2))
    epoch = measured(1, graph.network(torch.from_numpy(examples.inputs)).numpy(), examples.targets)
    assert epoch.accuracy > (0.55 if name == "cough/search" else 0.7)  # one trial may draw a poor pair


@pytest.mark.parametrize("name", ["cough/random_forest", "cough/statistics"])
def test_a_seed_repeats_itself(name: str, examples: Examples) -> None:
    examples = _as_wide(find(name).shape[0], examples)
    inputs = torch.from_numpy(examples.inputs)
    first, second = (find(name).fit(examples, _task()).network(inputs) for _ in range(2))
    assert torch.equal(first, second)


def test_calibration_divides_no_patient_in_sound_mode_only(examples: Examples) -> None:
    patients = np.asarray(examples.patients)
    shared = [set(patients[a]) & set(patients[b]) for a, b in splits(examples, "sound", 1)]
    assert shared == [set()] * 5
    few = examples.take(np.arange(10))
    assert len(splits(few, "sound", 1)) == 2
    assert len(splits(few, "faithful", 1)) == 4


def test_weights_give_each_group_the_same_say(examples: Examples) -> None:
    weights = row_weights(examples, "source")
    assert weights is not None
    assert weights.mean() == pytest.approx(1)
    groups = np.array([f"{row.source} {row.label}" for row in examples.rows])
    assert np.ptp([weights[groups == group].sum() for group in np.unique(groups)]) == pytest.approx(0)
    assert row_weights(examples, "none") is None


def test_a_source_with_one_class_has_no_say_beside_others(examples: Examples) -> None:
    rows = (replace(examples.rows[0], source="alone"), *examples.rows[1:])
    weights = row_weights(replace(examples, rows=rows), "source")
    assert weights is not None
    assert weights[0] == 0
    assert weights.mean() == pytest.approx(1)
    apart = replace(examples, rows=tuple(replace(row, source=row.label) for row in examples.rows))
    assert np.array_equal(row_weights(apart, "source"), row_weights(apart, "class"))  # type: ignore[arg-type]


def test_a_search_that_was_interrupted_ends_as_one_that_was_not(tmp_path: Path) -> None:
    seen: list[float] = []
    space = {"x": hp.uniform("x", -5, 5), "kind": hp.choice("kind", ["a", "b"])}

    def loss(choice: dict[str, Any]) -> float:
        seen.append(choice["x"])
        return float((choice["x"] - 1) ** 2 + (choice["kind"] == "a"))

    whole = search(space, loss, 24, 5, None, lambda: None)
    path = tmp_path / "deep" / "trials.json"
    search(space, loss, 9, 5, path, lambda: None)
    assert search(space, loss, 24, 5, path, lambda: None) == whole
    assert seen[:24] == seen[24:]
    assert whole["kind"] == "b"
    assert abs(whole["x"] - 1) < 1


def test_the_search_over_models_keeps_its_trials(examples: Examples, tmp_path: Path) -> None:
    reports: list[int] = []
    task = replace(_task(keep=tmp_path, epochs=3), on_epoch=lambda epoch: reports.append(epoch.number))
    find("cough/search").fit(examples, task)
    assert reports == [1, 2, 3]
    assert len(list(tmp_path.glob("trials-*.json"))) == 1
    find("cough/search").fit(examples, task)
    assert reports == [1, 2, 3, 3]


def test_neighbours_never_outnumber_the_rows() -> None:
    assert candidates.classifier({"kind": "knn", "n_neighbors": 50}, 7, 0).n_neighbors == 7
