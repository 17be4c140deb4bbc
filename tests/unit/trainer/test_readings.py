"""What shortcut controls read from files and headers, and groups of people that a version serves worse."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from services.trainer import controls, datasets, readings, repeats, subgroups
from services.trainer.alone import one_by_one
from services.trainer.controls import PICTURE, SOUND
from services.trainer.datasets import Row
from services.trainer.evaluate import Plan, out_of_fold
from services.trainer.folds import folds
from services.trainer.prepared import Examples, Facts, load
from services.trainer.recipe import find
from services.trainer.train import Budget, _plan, _Reporter, silent
from shared.errors import BadRequest
from shared.transforms import synthetic

pytestmark = pytest.mark.trainer
PATIENTS = 24


def _examples(facts: Facts | None = None, paths: list[Path] | None = None) -> Examples:
    """Two rows a patient, every other patient with the finding, nothing to be learnt from the inputs."""
    targets = np.arange(2 * PATIENTS) // 2 % 2
    rows = tuple(
        Row(paths[n] if paths else Path("none"), str(t), f"p{n // 2}", "ward", f"{n:064x}", {})
        for n, t in enumerate(targets)
    )
    inputs = np.random.default_rng(3).normal(size=(len(targets), 26)).astype(np.float32)
    return Examples(rows, inputs, targets.astype(np.int64), tuple(dict(facts or {}) for _ in rows), {})


def _measured(name: str, examples: Examples) -> float:
    control = {**SOUND, **PICTURE}[name]
    [found] = controls.measure({name: control}, examples, list(folds(examples, 3, 7)), 7)
    return found.auroc.value


def test_a_noise_floor_that_goes_with_the_label_is_found(tmp_path: Path) -> None:
    generator, paths = np.random.default_rng(1), []
    for number in range(2 * PATIENTS):
        sound = np.concatenate([np.zeros(8000), generator.normal(0, 0.2, 8000)])
        sound += generator.normal(0, 0.02 if number // 2 % 2 else 0.0005, len(sound))
        paths.append(tmp_path / f"{number}.wav")
        soundfile.write(str(paths[-1]), sound.astype(np.float32), 8000)
    assert _measured("noise floor", _examples(paths=paths)) > 0.95
    floors = readings.noise_floor(_examples(paths=paths))
    assert floors.shape == (2 * PATIENTS, 2)
    assert floors[0, 0] < floors[2, 0] < -20


def test_a_mark_outside_the_lungs_is_found_and_the_lungs_are_black(tmp_path: Path) -> None:
    paths = []
    for number in range(2 * PATIENTS):
        pixels = (synthetic.phantom_xray(number, 256, 256) >> 4).astype(np.uint8)
        if number // 2 % 2:
            pixels[:11, 60:200] = 255
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(pixels).save(paths[-1])
    assert _measured("lungs blacked out", _examples(paths=paths)) > 0.95
    pictures = readings.lungs_blacked_out(_examples(paths=paths)).reshape(-1, 24, 24)
    assert (pictures[:, 8:16, 8:16] == 0).all()
    assert (pictures.max((1, 2)) > 0).all()


def test_what_headers_say_is_a_control_only_where_they_say_something() -> None:
    silent = _examples()
    splits = list(folds(silent, 3, 7))
    names = ("view", "person and place", "noise floor", "lungs blacked out")
    assert controls.measure({name: {**SOUND, **PICTURE}[name] for name in names}, silent, splits, 7) == []

    said = tuple({"view": "AP", "age_years": 70.0} if t else {"view": "pa", "age_years": 30.0} for t in silent.targets)
    telling = replace(silent, facts=tuple(dict(facts) for facts in said))
    assert _measured("view", telling) > 0.95
    assert _measured("person and place", telling) > 0.95
    assert readings.told(telling.rows[0], telling.facts[0], "view") == "PA"


def test_groups_are_told_the_worst_first() -> None:
    examples = _examples()
    old = np.arange(len(examples)) % 4 < 2
    facts = tuple({"sex": "F", "age_years": 70.0 if one else 30.0} for one in old)
    examples = replace(examples, facts=facts, targets=np.arange(len(examples)) % 2)
    chances = np.where(old, 0.5, 0.1 + 0.8 * examples.targets)
    found = subgroups.measure(examples, chances, 0.5, 7)
    assert [(group.name, group.value) for group in found] == [
        ("age", "65 and older"),
        ("sex", "F"),
        ("age", "18 to 39"),
    ]
    assert found[0].auroc
    assert found[0].auroc.value == 0.5
    assert found[-1].sensitivity
    assert found[-1].sensitivity.value == 1.0
    assert subgroups.measure(_examples(), chances, 0.5, 7) == []


def test_few_patients_are_held_out_one_by_one() -> None:
    examples = _examples()
    splits = list(one_by_one(examples))
    assert len(splits) == PATIENTS
    assert all(len({examples.patients[place] for place in held_out}) == 1 for _, held_out in splits)
    single = examples.take(np.flatnonzero(np.asarray(examples.patients) != "p1")[:4])
    with pytest.raises(BadRequest, match="single patient"):
        list(one_by_one(replace(single, targets=np.array([0, 0, 1, 1]))))


def test_without_a_number_of_folds_few_patients_are_held_out_alone() -> None:
    recipe, report = find("cough/logistic_regression"), _Reporter(silent)
    alone = _plan(recipe, "sound", 7, Budget(), report, PATIENTS)
    assert "each of 24 patients held out alone" in alone.protocol
    held = out_of_fold(alone, _examples())
    assert len(held.splits) == alone.options.folds == PATIENTS
    for patients, budget in ((PATIENTS, Budget(folds=2)), (40, Budget())):
        plan = _plan(recipe, "sound", 7, budget, report, patients)
        assert f"{plan.options.folds}-fold cross-validation" in plan.protocol
        assert plan.options.folds == (budget.folds or recipe.options("sound").folds)


def test_several_splits_say_what_chance_in_the_split_does(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    recipe = find("cough/logistic_regression")
    examples = load(datasets.read(tiny("cough")), recipe.pipeline, recipe.target, tmp_path)
    stages: list[str] = []
    options = replace(recipe.options("sound"), folds=2)
    plan = Plan(recipe, "sound", options, 7, 1, lambda stage, epoch: stages.append(stage))
    found = repeats.repeated(plan, examples, 0.9, 3)
    assert found
    assert found.splits == 3
    assert found.low <= found.mean <= found.high
    assert stages == [f"split {split}, fold {fold}/2" for split in (2, 3) for fold in (1, 2)]
    assert repeats.repeated(plan, examples, 0.9, 1) is None
    assert repeats.times(plan, examples, None) == 5
    assert repeats.times(plan, examples, 2) == 2
    assert repeats.times(replace(plan, alone=True), examples, None) == 1
    assert repeats.times(replace(plan, options=find("cough/mlp").options("sound")), examples, None) == 1
