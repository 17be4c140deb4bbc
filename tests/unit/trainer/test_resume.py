"""A training that dies anywhere and is started again ends exactly as one that did not."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from services.trainer import (
    checkpoints,
    controls,
    datasets,
    evaluate,
    export,
    gates,
    history,
    kept,
    metrics,
    prepared,
    resume,
)
from services.trainer import train as training
from services.trainer.evaluate import FINAL, Plan
from services.trainer.fit import Epoch, fit
from services.trainer.recipe import Options, Task, find
from services.trainer.train import Budget, Progress, silent
from tests.unit.trainer.economy import spare

pytestmark = pytest.mark.trainer

PLATEAU = Options(epochs=4, batch=8, rate=1e-2, schedule="plateau")
AVERAGED = Options(epochs=4, batch=8, rate=1e-3, schedule="cosine", balance="source", weight_decay=0.1, average=0.9)
BUDGET = Budget(epochs=2, folds=2, threads=1, nice=0)
Tiny = Callable[[str], Path]


class Killed(BaseException):
    """Stands for the end of the process: nobody catches it."""


@pytest.fixture(autouse=True)
def _often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every epoch is kept; one thread, as the same numbers ask for."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(resume, "EVERY_S", 0.0)
    monkeypatch.setattr(resume, "_SHARE", float("inf"))
    monkeypatch.setenv("THORACLE_HOME", str(tmp_path / "home"))
    yield
    torch.set_num_threads(before)


def _examples(name: str, tiny: Tiny, cache: Path) -> prepared.Examples:
    recipe = find(name)
    return prepared.load(datasets.read(tiny(recipe.modality)), recipe.pipeline, recipe.target, cache)


def _until(number: int, told: list[Epoch]) -> Callable[[Epoch], None]:
    def listen(epoch: Epoch) -> None:
        told.append(epoch)
        if epoch.number == number:
            raise Killed

    return listen


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cough/mlp", PLATEAU),
        ("cough/mlp", AVERAGED),
        ("lung_sound/cnn3", AVERAGED),
        ("cough/vgg16_bottleneck", AVERAGED),
    ],
    ids=["plateau", "cosine and average", "channels last", "frozen base"],
)
def test_a_killed_fit_ends_as_one_that_was_not(
    name: str, options: Options, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spare(name, tmp_path, monkeypatch)
    examples, recipe = _examples(name, tiny, tmp_path), find(name)
    whole: list[Epoch] = []
    expected = fit(recipe, "sound", options, examples, 5, whole.append).state_dict()
    for number in (1, 3, 4):  # each time it gets a little further
        with pytest.raises(Killed):
            fit(recipe, "sound", options, examples, 5, _until(number, []), keep=tmp_path / "kept")
    told: list[Epoch] = []
    ended = fit(recipe, "sound", options, examples, 5, told.append, keep=tmp_path / "kept").state_dict()
    assert told == whole
    assert all(torch.equal(value, ended[key]) for key, value in expected.items())


def test_a_kill_while_writing_leaves_the_state_before(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples, recipe = _examples("cough/mlp", tiny, tmp_path), find("cough/mlp")
    whole: list[Epoch] = []
    fit(recipe, "sound", PLATEAU, examples, 5, whole.append)
    _kill_third_write(monkeypatch)
    with pytest.raises(Killed):
        fit(recipe, "sound", PLATEAU, examples, 5, lambda _: None, keep=tmp_path / "kept")
    monkeypatch.undo()
    (file,) = (tmp_path / "kept").glob("*.npz")
    found = kept.read(file)
    assert found is not None
    assert [values["number"] for values in found.facts["epochs"]] == [1, 2]
    file.write_bytes(file.read_bytes()[:-100])  # as a disk that lied
    told: list[Epoch] = []
    fit(recipe, "sound", PLATEAU, examples, 5, told.append, keep=tmp_path / "kept")
    assert told == whole


def _kill_third_write(monkeypatch: pytest.MonkeyPatch) -> None:
    original, calls = np.savez, []

    def savez(stream: Any, **arrays: Any) -> None:
        calls.append(1)
        if len(calls) == 3:
            stream.write(b"half of it")
            raise Killed
        original(stream, **arrays)

    monkeypatch.setattr(np, "savez", savez)


def test_what_has_changed_is_done_anew(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = _examples("cough/mlp", tiny, tmp_path)
    plan = Plan(find("cough/mlp"), "sound", PLATEAU, 5, 1, lambda *_: None, tmp_path)
    places = {plan.place(FINAL, examples) for _ in range(2)}
    assert len(places) == 1
    for other in (
        replace(plan, seed=6),
        replace(plan, mode="faithful"),
        replace(plan, options=replace(PLATEAU, rate=1e-3)),
        replace(plan, recipe=find("cough/statistics")),
    ):
        places.add(other.place(FINAL, examples))
    places.add(plan.place(FINAL, examples.take(np.arange(5))))
    flipped = replace(examples, targets=1 - examples.targets)
    places.add(plan.place(FINAL, flipped))
    monkeypatch.setattr(resume, "code", lambda _: "another")
    places.add(plan.place(FINAL, examples))
    assert len(places) == 8


def test_code_reaches_what_a_recipe_uses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = resume.code(type(find("chest_xray/efficientnet_b0")))
    import services.trainer.layers as layers

    changed = tmp_path / "layers.py"
    changed.write_text(Path(str(layers.__file__)).read_text() + "\n# changed\n")
    monkeypatch.setattr(layers, "__file__", str(changed))
    resume.code.cache_clear()
    assert resume.code(type(find("chest_xray/efficientnet_b0"))) != before
    resume.code.cache_clear()


def test_a_killed_training_ends_with_the_same_figures(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but the export, which tests/integration/training has."""
    ends = _learnt_only(monkeypatch)
    _trained(tiny, tmp_path / "whole")
    stages = [_dies(tiny, tmp_path / "killed", after) for after in (1, 4, 8, 11)]
    assert [told[-1] for told in stages] == ["fold 1/2", "fold 2/2", "without ward-1", FINAL]
    _trained(tiny, tmp_path / "killed")
    expected, resumed = ends
    assert resumed.judgement == expected.judgement
    assert resumed.across == expected.across
    states = (end.graph.state_dict() for end in (resumed, expected))
    assert all(torch.equal(*pair) for pair in zip(*(state.values() for state in states), strict=True))
    assert not list((tmp_path / "killed" / "cache" / "runs").iterdir())


def _learnt_only(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let trainings end with what they learnt, without the slowest parts of judging it."""
    ends: list[Any] = []
    monkeypatch.setattr(training._Run, "publish", lambda _, learnt, folder, spent: ends.append(learnt))
    monkeypatch.setattr(gates, "judged", lambda *_: None)  # two epochs teach too little to be published
    monkeypatch.setattr(controls, "measure", lambda *_: [])
    original = metrics.bootstrap
    monkeypatch.setattr(metrics, "bootstrap", lambda *given, draws=0: original(*given, draws=20))
    return ends


def test_finished_folds_are_not_fitted_again(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Classifiers have no epochs: what is kept of them is what they answered."""
    recipe, told = find("cough/logistic_regression"), list[str]()
    examples = _examples(recipe.name, tiny, tmp_path)
    options = replace(recipe.options("sound"), folds=3)
    plan = Plan(recipe, "sound", options, 5, 1, lambda stage, _: told.append(stage), tmp_path / "kept")
    expected = evaluate.out_of_fold(replace(plan, keep=None), examples)
    original, fitted = evaluate.train_graph, list[str]()

    def counting(plan: Plan, examples: prepared.Examples, stage: str) -> export.Graph:
        fitted.append(stage)
        if len(fitted) == 3:
            raise Killed
        return original(plan, examples, stage)

    monkeypatch.setattr(evaluate, "train_graph", counting)
    with pytest.raises(Killed):
        evaluate.out_of_fold(plan, examples)
    told.clear()
    held = evaluate.out_of_fold(plan, examples)
    assert np.array_equal(held.scores, expected.scores)
    assert np.array_equal(held.distances, expected.distances)
    assert fitted == ["fold 1/3", "fold 2/3", "fold 3/3", "fold 3/3"]
    assert told == ["fold 1/3", "fold 2/3", "fold 3/3"]


def test_checkpoints_go_on_after_a_kill(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "chest_xray/efficientnet_b0"
    spare(name, tmp_path, monkeypatch)
    examples, recipe = _examples(name, tiny, tmp_path), find(name)
    options = replace(recipe.options("faithful"), epochs=2, batch=8, half=False)
    task = Task("faithful", options, 5, _until(1, []), tmp_path / "kept", tmp_path / "weights")
    with pytest.raises(Killed):
        recipe.fit(examples, task)
    graph = recipe.fit(examples, replace(task, on_epoch=lambda _: None))
    assert {"epoch-1.npz", "last.npz", "best.npz"} == {file.name for file in (tmp_path / "weights").iterdir()}
    network = recipe.network("faithful", torch.zeros(1))
    checkpoints.restore(network, tmp_path / "weights" / "last.npz")
    again = export.assemble(network, graph.novelty)
    inputs = torch.from_numpy(examples.inputs)
    with torch.no_grad():
        assert torch.equal(again(inputs)[0], graph(inputs)[0])


def test_a_history_begins_anew(tmp_path: Path) -> None:
    for _ in range(2):
        heard = history.recorder(tmp_path / "epochs.jsonl", silent)
        heard(Progress("fold 1/2", 1, 4, Epoch(1, 0.5, 1, 0, 1, 0)))
    assert [epoch.number for epoch in history.read(tmp_path / "epochs.jsonl")["fold 1/2"]] == [1]


def _trained(tiny: Tiny, folder: Path, **options: Any) -> None:
    training.train("cough/mlp", tiny("cough"), folder / "v", budget=BUDGET, cache=folder / "cache", **options)


def _dies(tiny: Tiny, folder: Path, after: int) -> list[str]:
    told = list[Progress]()
    with pytest.raises(Killed):
        _trained(tiny, folder, on_progress=_dying(after, told))
    return [progress.stage for progress in told if progress.epoch]


def _dying(after: int, told: list[Progress]) -> Callable[[Progress], None]:
    def listen(progress: Progress) -> None:
        told.append(progress)
        if sum(one.epoch is not None for one in told) == after:
            raise Killed

    return listen
