"""Tiny versions with the real pipelines: the graph's score is a linear function of the tensor's mean."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from shared.registry import seal
from shared.runtimes import open_graph
from shared.schemas import Card, Modality, Step
from shared.transforms.pipelines import PIPELINES

_ODD = {
    Modality.COUGH: ("cough/mlp", [26], "covid_pattern", ["audio/wav", "audio/flac", "audio/mpeg", "audio/ogg"]),
    Modality.LUNG_SOUND: (
        "lung_sound/cnn3",
        [1, 64, 64],
        "adventitious_continuous",
        ["audio/wav", "audio/flac", "audio/mpeg", "audio/ogg"],
    ),
    Modality.CHEST_XRAY: (
        "chest_xray/cnn",
        [1, 224, 224],
        "covid_pattern",
        ["application/dicom", "image/png", "image/jpeg", "image/tiff"],
    ),
}


def tiny(folder: Path, modality: Modality, name: str = "tiny-1", bias: float = 0.0) -> Path:
    """Write and seal a version whose score is `mean(input) / 1000 + bias`."""
    recipe, shape, finding, media_types = _ODD[modality]
    folder.mkdir(parents=True)
    _graph(folder / "model.onnx", shape, bias)
    golden = np.random.default_rng(7).random((3, *shape), dtype=np.float32)
    np.save(folder / "golden.npy", golden)
    scores, distances = open_graph(folder / "model.onnx", "onnxruntime", "f32", 1).run(golden)
    described = card(modality, recipe, name, shape, finding, media_types, scores.tolist(), distances.tolist())
    (folder / "card.json").write_text(described.model_dump_json(indent=1))
    (folder / "NOTICE.md").write_text("A test's version; trained on nothing.\n")
    seal(folder)
    return folder


def _graph(path: Path, shape: list[int], bias: float) -> None:
    axes = list(range(1, len(shape) + 1))
    nodes = [
        helper.make_node("ReduceMean", ["input", "axes"], ["mean"], keepdims=0),
        helper.make_node("Div", ["mean", "thousand"], ["small"]),
        helper.make_node("Add", ["small", "bias"], ["score"]),
        helper.make_node("Abs", ["small"], ["distance"]),
    ]
    constants = [
        helper.make_tensor("axes", TensorProto.INT64, [len(axes)], axes),
        helper.make_tensor("thousand", TensorProto.FLOAT, [], [1000.0]),
        helper.make_tensor("bias", TensorProto.FLOAT, [], [bias]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", *shape])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("score", "distance")],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, str(path))


def card(
    modality: Modality,
    recipe: str,
    name: str,
    shape: list[int],
    finding: str,
    media_types: list[str],
    scores: list[float],
    distances: list[float],
    steps: list[Step] | None = None,
) -> Card:
    """The card of a version that only tests and measurements use."""
    half = {"value": 0.5, "low": 0.4, "high": 0.6}
    return Card.model_validate(
        {
            "modality": modality,
            "finding": finding,
            "recipe": recipe,
            "name": name,
            "labels": {"present": "present", "absent": "absent"},
            "input": {"media_types": media_types, "summary": "anything a test sends"},
            "pipeline": PIPELINES[recipe] if steps is None else steps,
            "tensor": {"shape": shape},
            "runtime": {"engine": "onnxruntime"},
            "calibration": {"prevalence": 0.5},
            "threshold": 0.5,
            "operating_point": {"sensitivity": half, "specificity": half, "n": 10, "positives": 5, "sources": ["test"]},
            "novelty": {"method": "none", "threshold": 1e9, "quantile": 1.0},
            "population": {"description": "nobody"},
            "metrics": {
                "protocol": "none",
                "auroc": half,
                "auprc": half,
                "brier": 0.25,
                "log_loss": 0.7,
                "balanced_accuracy": 0.5,
                "majority_accuracy": 0.5,
                "calibration_error": 0.0,
                "per_source": [],
                "controls": [],
            },
            "data": {"fingerprint": "0" * 64, "n": 10, "patients": 10, "positives": 5, "sources": ["test"]},
            "training": {
                "seed": 0,
                "epochs": 0,
                "seconds": 0,
                "mode": "sound",
                "initialisation": "none",
                "parameters": 1,
                "trained_at": datetime(2026, 11, 1, tzinfo=UTC),
                "libraries": {},
            },
            "golden": {"file": "golden.npy", "scores": scores, "distances": distances, "tolerance": 1e-4},
            "intended_use": "tests",
            "limits": ["A test's version."],
            "notice": "none",
        }
    )
