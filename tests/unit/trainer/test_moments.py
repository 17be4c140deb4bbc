"""What is marked within a recording: read from its folder, laid on its moments, and learnt from."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from services.trainer import datasets, moments, prepared
from services.trainer.datasets import Event
from services.trainer.prepared import Examples
from services.trainer.recipe import find
from shared.errors import BadRequest

pytestmark = pytest.mark.trainer

COUNT, EVERY_S = 10, 0.5


@pytest.fixture(scope="module")
def examples(tiny: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Examples:
    recipe = find("lung_sound/cnn3")
    return prepared.load(
        datasets.read(tiny("lung_sound")), recipe.pipeline, recipe.target, tmp_path_factory.mktemp("cache")
    )


@pytest.mark.parametrize(
    "text", ["path,start_ms,end_ms\na,1,2\n", "path,start_ms,end_ms,type\na,x,2,W\n", "path,start_ms,end_ms,type\na\n"]
)
def test_events_that_cannot_be_read_say_what_is_needed(tiny: Callable[[str], Path], tmp_path: Path, text: str) -> None:
    folder = Path(shutil.copytree(tiny("lung_sound"), tmp_path / "data"))
    (folder / "events.csv").write_text(text)
    with pytest.raises(BadRequest, match="start_ms"):
        datasets.read(folder)


def test_marks_lie_on_the_moments_of_a_repeated_recording(examples: Examples) -> None:
    events = (Event(0.6, 1.4, "Wheeze"), Event(2.0, 2.5, "Normal"))
    rows = tuple(replace(row, events=events) for row in examples.rows)
    facts = tuple({**facts, "seconds": 3.0} for facts in examples.facts)
    found = moments.marked(replace(examples, rows=rows, facts=facts), {"Wheeze"}, COUNT, EVERY_S)
    assert found.shape == (len(examples), COUNT)
    assert np.flatnonzero(found[0]).tolist() == [1, 2, 7, 8]  # middles 0.75 and 1.25 s, and again after 3 s


def test_a_finding_without_marks_teaches_nothing_about_moments(examples: Examples) -> None:
    found = moments.marked(examples, {"Wheeze"}, COUNT, EVERY_S)
    unmarked = np.array(
        [target == 1 and not row.events for target, row in zip(examples.targets, examples.rows, strict=True)]
    )
    assert unmarked.any()
    assert (found[unmarked] == moments.UNKNOWN).all()
    assert (found[~unmarked] != moments.UNKNOWN).all()
    assert not found[examples.targets == 0].any()
    bare = replace(examples, rows=tuple(replace(row, events=()) for row in examples.rows))
    sound = torch.zeros(len(bare), COUNT, 3)
    assert moments.fit(sound, moments.marked(bare, {"Wheeze"}, COUNT, EVERY_S)) is None


def test_a_short_event_in_a_long_recording_is_found() -> None:
    generator = np.random.default_rng(4)
    targets = np.arange(200) % 2
    sound = generator.normal(size=(200, 40, 12)).astype(np.float32)
    marks = np.zeros((200, 40), dtype=np.int64)
    for place in np.flatnonzero(targets):
        begin = generator.integers(0, 36)
        marks[place, begin : begin + 4] = 1
    sound[..., :3] += 1.5 * marks[..., None]
    learnt = moments.fit(torch.from_numpy(sound[:100]), marks[:100])
    assert learnt is not None
    with torch.no_grad():
        answers = learnt(torch.from_numpy(sound[100:])).numpy()
    of_the_whole = sound[100:, :, :3].mean((1, 2))
    assert roc_auc_score(targets[100:], answers) > roc_auc_score(targets[100:], of_the_whole)
    assert roc_auc_score(targets[100:], answers) > 0.95
