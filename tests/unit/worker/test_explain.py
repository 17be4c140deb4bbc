"""Explanations find what was planted, add up, and are checked against chance."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image

from services.worker.deployed import Loaded
from services.worker.explain import methods, places, puzzle
from services.worker.explain.methods import Plan
from services.worker.explain.puzzle import Puzzle
from services.worker.explain.reasons import Reasoned, explain
from services.worker.pace import Pace
from services.worker.sandbox import Ready
from shared.registry import Artefact, verify
from shared.runtimes import load, open_graph
from shared.runtimes.means import training_means
from shared.schemas import Card, Modality, Step
from shared.transforms import lungs, named, ridges, yamnet
from shared.transforms.heat import overlay
from shared.transforms.pipeline import prepare
from shared.transforms.pipelines import PIPELINES
from tests.support import versions

STARTER = Path("shared/starter")
SAMPLES = Path("services/api/web/samples")


def run(plan: Plan, asked: Puzzle, score: Callable, group: int = 16):
    """The whole plan at once, and how many inputs it took."""
    paced, passes = methods.paced(plan, asked, score, group), 0
    while True:
        try:
            passes += next(paced)
        except StopIteration as end:
            return end.value, passes


def reasoned(loaded: Loaded, ready: Ready) -> Reasoned:
    work = explain(loaded, ready)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def starter(modality: str, sample: str, media_type: str) -> tuple[Loaded, Ready]:
    artefact = verify(STARTER / modality)
    prepared = prepare(SAMPLES / sample, media_type, artefact.card.pipeline)
    found = lungs.find(SAMPLES / sample, media_type) if modality == "chest_xray" else None
    ready = Ready(prepared.tensor, [], prepared.facts, 0.0, None if found is None else lungs.pack(found))
    return Loaded(artefact, load(artefact, 2), Pace(artefact.card.runtime.engine, 2, 8, 1.0), 0.0), ready


def planted(folder: Path, weights: NDArray[np.float32], card: Card) -> Loaded:
    """A version whose score is the sum of its input, weighted."""
    axes = list(range(1, weights.ndim + 1))
    constants = [
        helper.make_tensor("weights", TensorProto.FLOAT, weights.shape, weights.ravel().tolist()),
        helper.make_tensor("axes", TensorProto.INT64, [len(axes)], axes),
    ]
    nodes = [
        helper.make_node("Mul", ["input", "weights"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "axes"], ["score"], keepdims=0),
        helper.make_node("Abs", ["score"], ["distance"]),
    ]
    shape = ["n", *weights.shape]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("score", "distance")]
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)]
    graph = helper.make_graph(nodes, "planted", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, str(folder / "model.onnx"))
    np.save(folder / "golden.npy", np.zeros((3, *weights.shape), dtype=np.float32))
    runtime = open_graph(folder / "model.onnx", "onnxruntime", "f32", 1)
    return Loaded(Artefact("0" * 64, folder, card), runtime, Pace("onnxruntime", 1, 8, 1.0), 0.0)


def card(modality: Modality, recipe: str, shape: list[int], steps: list[Step] | None = None) -> Card:
    return versions.card(modality, recipe, "planted", shape, "covid_pattern", [], [], [], steps)


def test_a_planted_patch_is_where_the_map_has_its_maximum(tmp_path: Path) -> None:
    weights = np.zeros((1, 224, 224), dtype=np.float32)
    weights[0, 19:37, 150:168] = 1.0  # the second row of twelve, the ninth column
    picture = np.random.default_rng(7).random((1, 224, 224), dtype=np.float32)
    picture[0, 19:37, 150:168] += 1
    loaded = planted(tmp_path, weights, card(Modality.CHEST_XRAY, "chest_xray/cnn", [1, 224, 224]))
    found = reasoned(loaded, Ready(picture, [], {"width": 448.0, "height": 448.0}, 0.0))
    heat = found.answer.heat_map
    assert heat is not None
    values = np.array(heat.values)
    assert values.shape == (12, 12)
    assert np.unravel_index(values.argmax(), values.shape) == (1, 8)
    assert found.answer.check.beats_random
    assert found.answer.passes <= 256
    assert (found.answer.inside_lungs, found.answer.inside_lungs_missing) == (None, "no_field")
    image = Image.open(io.BytesIO(found.heat or b""))
    alpha = np.asarray(image)[..., 3]
    row, column = np.unravel_index(alpha.argmax(), alpha.shape)
    assert image.size == (448, 448)
    assert (row // 37, column // 37) == (1, 8)


def test_a_planted_feature_gets_all_of_the_score(tmp_path: Path) -> None:
    weights = np.zeros(26, dtype=np.float32)
    weights[2] = 3.0
    loaded = planted(tmp_path, weights, card(Modality.COUGH, "cough/mlp", [26]))
    answer = reasoned(loaded, Ready(np.ones(26, dtype=np.float32), [], {}, 0.0)).answer
    assert answer.contributions is not None
    first, *rest = answer.contributions
    assert (first.code, first.value, first.error) == ("spectral_centroid", 3.0, 0.0)
    assert {one.value for one in rest} == {0.0}
    assert answer.background == "generated_mean"


def test_a_stretch_of_time_and_pitch_is_found_where_it_is(tmp_path: Path) -> None:
    """A lung sound of 5 s, repeated to 15: the seconds and hertz are those of the recording."""
    weights = np.zeros((1, 64, 64), dtype=np.float32)
    rows = slice(16, 24)  # 500 to 750 Hz, low pitch on top of the tensor
    weights[0, rows, :] = np.where(np.arange(64) * 15 / 64 % 5 < 1, 1.0, 0.0)
    picture = np.random.default_rng(3).random((1, 64, 64), dtype=np.float32) + 4 * (weights > 0)
    loaded = planted(tmp_path, weights, card(Modality.LUNG_SOUND, "lung_sound/cnn3", [1, 64, 64]))
    facts = {"seconds": 5.0, "sample_rate": 8000.0}
    heat = reasoned(loaded, Ready(picture.astype(np.float32), [], facts, 0.0)).answer.heat_map
    assert heat is not None
    assert (heat.seconds, heat.hertz) == ((0.0, 5.0), (0.0, 2000.0))
    assert heat.box == (0.5, 0.0, 1.0, 1.0), "half of the page's spectrogram is above what the version hears"
    values = np.array(heat.values)
    row, column = np.unravel_index(values.argmax(), values.shape)
    assert 500 <= 2000 * (1 - (row + 0.5) / len(values)) <= 750
    assert 5 * (column + 0.5) / values.shape[1] <= 1.5


def test_shapley_values_add_up_and_share_what_only_both_do() -> None:
    def score(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        return inputs[:, 0] * inputs[:, 1] + 2 * inputs[:, 2]

    asked = puzzle.of_features(np.ones(4, np.float32), np.zeros(4, np.float32), [[0], [1], [2], [3]])
    moved, _ = run(methods.shapley(4, 400, 7), asked, score)
    assert moved.values == pytest.approx([0.5, 0.5, 2, 0])
    assert moved.values.sum() == pytest.approx(moved.score - moved.empty)


def test_removing_the_most_important_first_lowers_the_starter_x_rays_score_most() -> None:
    loaded, ready = starter("chest_xray", "chest_xray.png", "image/png")
    answer = reasoned(loaded, ready).answer
    assert answer.passes <= 256
    assert answer.check.deletion < answer.check.random_low
    assert answer.score == pytest.approx(float(loaded.runtime.run(ready.tensor[None])[0][0]), abs=1e-4)
    assert answer.inside_lungs is not None or answer.inside_lungs_missing is not None


@pytest.mark.parametrize(("modality", "sample"), [("cough", "cough.wav"), ("lung_sound", "lung_sound.wav")])
def test_the_starters_of_sounds_tell_what_their_features_added(modality: str, sample: str) -> None:
    loaded, ready = starter(modality, sample, "audio/wav")
    answer = reasoned(loaded, ready).answer
    assert answer.contributions is not None
    assert answer.background == ("training_mean" if modality == "cough" else "generated_mean")
    assert sum(one.value for one in answer.contributions) == pytest.approx(answer.score - answer.empty_score, abs=1e-3)
    assert answer.check.beats_random
    assert reasoned(loaded, ready).answer == answer, "the draws are seeded"


def test_the_training_means_are_those_that_the_graph_subtracts() -> None:
    artefact = verify(STARTER / "cough")
    graph = onnx.load(str(artefact.model)).graph
    offsets = [
        list(attribute.floats)
        for node in graph.node
        if node.op_type == "Scaler"
        for attribute in node.attribute
        if attribute.name == "offset"
    ]
    found = training_means(artefact.model, artefact.card.tensor.shape[0])
    assert found is not None
    assert np.array_equal(found, np.array(offsets[0], dtype=np.float32))
    assert training_means(artefact.model, 3) is None


@pytest.mark.parametrize(
    ("steps", "count"),
    [
        (verify(STARTER / "cough").card.pipeline, 215),
        ([Step(transform="ridge_statistics", params={})], 395),
        (verify(STARTER / "lung_sound").card.pipeline, yamnet.SIZE),
        (PIPELINES["cough/mlp"], 26),
        ([Step(transform="cough_statistics", params={"groups": ["delta", "mel", "delta2"]})], 480),
        ([Step(transform="another")], 500),
        ([Step(transform="another")], 3),
    ],
)
def test_every_feature_is_in_one_group_and_every_group_has_a_name(steps: list[Step], count: int) -> None:
    from shared.sentences import say

    groups = named.groups(steps, count)
    assert sorted(place for group in groups for place in group.places) == list(range(count))
    labels = [say(f"feature.{group.code}", **group.values) for group in groups]
    assert len(set(labels)) == len(labels) <= 80
    assert not [label for label in labels if label.startswith("feature.") or "{" in label]


def test_a_second_of_a_recording_is_what_repeats_it_as_well() -> None:
    steps = verify(STARTER / "lung_sound").card.pipeline
    heard = [group for group in named.groups(steps, yamnet.SIZE, 5.5) if group.code == "heard"]
    assert [(group.values["start"], group.values["end"]) for group in heard] == [
        (0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 5.5)
    ]  # fmt: skip
    whole = [group.values for group in named.groups(steps, yamnet.SIZE, 15.4) if group.code == "heard"]
    assert whole[0] == {"start": 0, "end": 1}
    assert whole[-1] == {"start": 14, "end": 15}, "what is cut off is not heard"
    frames = (np.array(heard[0].places[:: yamnet.BANDS]) - ridges.FEATURES) // yamnet.BANDS
    seconds = np.where(frames < yamnet.FRAMES[0], frames * 0.01, (frames - yamnet.FRAMES[0]) * 0.02)
    assert set((seconds // 5.5).astype(int)) == {0, 1, 2}
    assert (seconds % 5.5 < 1).all()


@pytest.mark.parametrize("shape", [(1, 224, 224), (1, 64, 64), (1, 129, 934), (3, 288, 432), (1, 8, 8)])
def test_cells_cover_a_picture_and_are_few(shape: tuple[int, int, int]) -> None:
    cells = puzzle.grid(shape, (0.0, 0.0, 1.0, 1.0))
    pieces = cells.pieces(*shape[1:])
    assert set(np.unique(pieces)) == set(range(cells.rows * cells.columns))
    assert cells.rows * cells.columns <= puzzle.MOST_CELLS


def test_what_belongs_to_no_piece_always_stays() -> None:
    picture = np.ones((3, 100, 100), dtype=np.float32)
    cells = puzzle.grid(picture.shape, (0.2, 0.1, 0.9, 0.8))
    asked = puzzle.Puzzle(picture, picture * 0, cells.pieces(100, 100), cells.rows * cells.columns)
    (nothing,) = asked.without(np.ones((1, asked.count), dtype=bool))
    assert nothing[:, 20:90, 10:80].sum() == 0
    assert nothing.sum() == 3 * (100 * 100 - 70 * 70)


def test_a_crop_of_an_x_ray_lies_where_it_was_cut() -> None:
    path = SAMPLES / "chest_xray.png"
    card = verify(STARTER / "chest_xray").card
    facts = prepare(path, "image/png", card.pipeline).facts
    top, left, bottom, right = places.of_xray(facts).box
    assert 0 <= top < bottom <= 1
    assert 0 <= left < right <= 1
    assert (top, left, bottom, right) != (0, 0, 1, 1)


def test_lungs_outside_of_the_cells_do_not_count() -> None:
    inside = np.zeros((lungs.SIDE, lungs.SIDE), dtype=bool)
    inside[:, :32] = True
    assert np.array_equal(lungs.unpack(lungs.pack(inside)), inside)
    share = lungs.within(inside, (0.0, 0.25, 1.0, 0.75), (2, 2))
    assert share == pytest.approx(np.array([[1, 0], [1, 0]]))


def test_an_overlay_that_reaches_beyond_the_picture_is_cut() -> None:
    values = np.array([[0.0, 0.0], [0.0, -1.0]])
    alpha = np.asarray(Image.open(io.BytesIO(overlay(values, (-1.0, 0.0, 1.0, 1.0), (40, 20)))))[..., 3]
    assert alpha.shape == (20, 40)
    assert alpha[15, 35] > 0
    assert alpha[15, 2] == 0
