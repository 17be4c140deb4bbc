"""Inputs that carry their own identity, and versions that read it back: a swapped result shows in its content.

A picture shows a number as a barcode of `_BITS` pairs of squares (the bit, then its complement). An echo version is a
real sealed version whose graph reads the squares from the prepared tensor: score = number / 2**22 + index / 4 - 2, in
which number and index are exact in float32. A pair that is unclear raises `distance` above what its card knows.
"""

import io
import math
import tempfile
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image

from shared.db.engine import Database
from shared.deployments import open_deployment, publish
from shared.registry import seal, store
from shared.runtimes import open_graph
from shared.schemas import Modality
from shared.settings import Settings
from shared.transforms.pipeline import prepare
from shared.transforms.pipelines import PIPELINES
from tests.support.versions import card

CANARY = "canary-7d1e"  # begins whatever stands for a patient's data, so that a search finds where it must not be
MOST, VERSIONS = 2**20, 16
_BITS, _SIDE, _TOP, _LEFT, _ROWS, _COLUMNS = 20, 24, 88, 16, 5, 8  # of the tensor's 224 x 224 pixels
_SCALE = 2.0**-22


class NoEcho(ValueError):
    """A score that no echo version can have given."""


def canary(number: int) -> str:
    """What stands for the patient's data of this input."""
    return f"{CANARY}-{number:07d}"


def make(number: int) -> bytes:
    """An X-ray-like picture as PNG, twice the tensor's size, that shows `number` (0 <= number < MOST)."""
    if not 0 <= number < MOST:
        raise ValueError(f"a number below {MOST}")
    bits = [number >> place & 1 for place in range(_BITS)]
    squares = np.array([shade for bit in bits for shade in (bit, 1 - bit)]).reshape(_ROWS, _COLUMNS)
    pixels = _chest()
    code = np.kron(40 + 180 * squares, np.ones((2 * _SIDE, 2 * _SIDE)))
    pixels[2 * _TOP : 2 * _TOP + code.shape[0], 2 * _LEFT : 2 * _LEFT + code.shape[1]] = code
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG", compress_level=1)
    return file.getvalue()


def publish_echo(settings: Settings, database: Database, name: str) -> str:
    """Publish the version `echo-INDEX`; the first becomes active for chest X-rays. Returns its sha256."""
    with tempfile.TemporaryDirectory() as folder:
        artefact = store(_sealed(Path(folder), name), settings.versions_dir)
    with database.begin() as session:
        open_deployment(session, publish(session, artefact, "chaos"), "chaos")
    return artefact.sha256


def index_of(name: str) -> int:
    """The constant by which `echo-INDEX` differs from the others."""
    index = int(name.removeprefix("echo-"))
    if not 0 <= index < VERSIONS:
        raise ValueError(f"echo-0 to echo-{VERSIONS - 1}")
    return index


def score_of(number: int, index: int) -> float:
    """What `echo-INDEX` answers for the picture of `number`."""
    return number * _SCALE + index / 4 - 2


def logit(probability: float) -> float:
    """The score behind a probability: an echo version's calibration changes nothing."""
    return math.log(probability / (1 - probability))


def read_back(score: float) -> tuple[int, int]:
    """The number and the version's index that a score stands for. Raises NoEcho."""
    steps = (score + 2) / _SCALE
    whole = round(steps)
    if abs(steps - whole) > 0.01 or not 0 <= whole < MOST * VERSIONS:
        raise NoEcho(score)
    index, number = divmod(whole, MOST)
    return number, index


def _chest() -> NDArray[np.float64]:
    """Two dark lungs on gray, 448 x 448."""
    y, x = np.mgrid[-1:1:448j, -1:1:448j]
    lungs = [np.exp(-(((x - side) / 0.3) ** 2) - (y / 0.7) ** 2) for side in (-0.45, 0.45)]
    picture: NDArray[np.float64] = 190 - 130 * np.maximum(*lungs) - 30 * np.abs(x)
    return picture


def _sealed(folder: Path, name: str) -> Path:
    recipe, shape = "chest_xray/cnn", [1, 224, 224]
    onnx.save(_graph(shape, index_of(name)), str(folder / "model.onnx"))
    golden = np.stack([_prepared(folder, number) for number in (0, 365_365, MOST - 1)])
    np.save(folder / "golden.npy", golden)
    scores, distances = open_graph(folder / "model.onnx", "onnxruntime", "f32", 1).run(golden)
    described = card(
        Modality.CHEST_XRAY, recipe, name, shape, "covid_pattern", ["image/png"], scores.tolist(), distances.tolist()
    )
    novelty = described.novelty.model_copy(update={"threshold": 0.5})
    (folder / "card.json").write_text(described.model_copy(update={"novelty": novelty}).model_dump_json(indent=1))
    (folder / "NOTICE.md").write_text("An echo for tests of faults; trained on nothing.\n")
    seal(folder)
    return folder


def _prepared(folder: Path, number: int) -> NDArray[np.float32]:
    path = folder / "golden.png"
    path.write_bytes(make(number))
    return prepare(path, "image/png", PIPELINES["chest_xray/cnn"]).tensor


def _graph(shape: list[int], index: int) -> onnx.ModelProto:
    """Mean of each square, one bit a pair, the bits' number; `distance` counts the pairs that are unclear."""
    squares = 2 * _BITS
    nodes = [
        helper.make_node("Slice", ["input", "corner", "end", "sides"], ["code"]),
        helper.make_node("AveragePool", ["code"], ["means"], kernel_shape=[_SIDE] * 2, strides=[_SIDE] * 2),
        helper.make_node("Reshape", ["means", "row"], ["flat"]),
        helper.make_node("Slice", ["flat", "zero", "squares", "one", "two"], ["bits"]),
        helper.make_node("Slice", ["flat", "one", "squares", "one", "two"], ["complements"]),
        helper.make_node("Sub", ["bits", "complements"], ["apart"]),
        helper.make_node("Greater", ["apart", "nothing"], ["set"]),
        helper.make_node("Cast", ["set"], ["ones"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["ones", "powers"], ["number"]),
        helper.make_node("Add", ["number", "constant"], ["score"]),
        helper.make_node("Abs", ["apart"], ["clear"]),
        helper.make_node("Less", ["clear", "half"], ["unclear"]),
        helper.make_node("Cast", ["unclear"], ["doubts"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["doubts", "one"], ["distance"], keepdims=0),
    ]
    whole = {
        "corner": [_TOP, _LEFT],
        "end": [_TOP + _ROWS * _SIDE, _LEFT + _COLUMNS * _SIDE],
        "sides": [2, 3],
        "row": [-1, squares],
        "zero": [0],
        "one": [1],
        "two": [2],
        "squares": [squares],
    }
    constants = [helper.make_tensor(name, TensorProto.INT64, [len(value)], value) for name, value in whole.items()]
    constants += [
        helper.make_tensor("nothing", TensorProto.FLOAT, [], [0.0]),
        helper.make_tensor("half", TensorProto.FLOAT, [], [0.5]),
        helper.make_tensor("constant", TensorProto.FLOAT, [], [score_of(0, index)]),
        helper.make_tensor("powers", TensorProto.FLOAT, [_BITS], [2.0**place * _SCALE for place in range(_BITS)]),
    ]
    graph = helper.make_graph(
        nodes,
        "echo",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", *shape])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("score", "distance")],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
