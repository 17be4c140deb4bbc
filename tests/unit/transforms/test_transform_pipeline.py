"""A card's pipeline is data; what is wrong with it is the version's fault, what is wrong with a file is the file's."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.errors import InputRejected, VersionInvalid
from shared.schemas import Step
from shared.transforms import pipeline
from shared.transforms import sample_files as files
from shared.transforms.pipeline import Sheet, prepare, transforms
from shared.transforms.pipelines import PIPELINES, REFERENCE
from shared.transforms.samples import write_samples
from shared.transforms.values import FloatArray, Source

SHAPES = {"cough/mlp": (26,), "lung_sound/cnn3": (1, 64, 64), "chest_xray/cnn": (1, 224, 224)}


@pytest.fixture
def cough(tmp_path: Path) -> Path:
    path = tmp_path / "cough"
    path.write_bytes(files.cough("WAV"))
    return path


@pytest.mark.parametrize(
    ("recipe", "data", "media_type"),
    [
        ("cough/mlp", files.cough("WAV"), "audio/wav"),
        ("lung_sound/cnn3", files.lung_sound("FLAC"), "audio/flac"),
        ("chest_xray/cnn", files.xray("PNG"), "image/png"),
    ],
)
def test_reference_pipelines(tmp_path: Path, recipe: str, data: bytes, media_type: str) -> None:
    path = tmp_path / "input"
    path.write_bytes(data)
    first, second = (prepare(path, media_type, PIPELINES[recipe]) for _ in range(2))
    assert first.tensor.shape == SHAPES[recipe]
    assert first.tensor.dtype == np.float32
    assert first.tensor.flags.c_contiguous
    assert np.array_equal(first.tensor, second.tensor)
    if len(SHAPES[recipe]) == 3:
        assert first.tensor.min() >= 0
        assert 0.2 < first.tensor.max() <= 1


def test_every_modality_has_a_reference() -> None:
    assert {tuple(step.transform for step in steps) for steps in REFERENCE.values()} == {
        tuple(step.transform for step in steps) for steps in PIPELINES.values()
    }
    assert {step.transform for steps in PIPELINES.values() for step in steps} <= set(transforms())


@pytest.mark.parametrize(
    "steps",
    [
        [("decode_everything", {})],
        [("decode_audio", {"secret": 1})],
        [("decode_audio", {}), ("crop", {})],
        [("decode_audio", {}), ("as_tensor", {})],
        [("decode_audio", {})],
        [("crop", {"seconds": 1.0})],
        [],
    ],
)
def test_a_wrong_pipeline_is_the_versions_fault(cough: Path, steps: list[tuple[str, dict[str, Any]]]) -> None:
    with pytest.raises(VersionInvalid):
        prepare(cough, "audio/wav", [Step(transform=name, params=params) for name, params in steps])


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (ValueError("odd"), "input_unreadable"),
        (SyntaxError("broken"), "input_unreadable"),
        (OSError("image file is truncated (3 bytes not processed)"), "input_truncated"),
        (EOFError(), "input_truncated"),
        (RecursionError(), "input_unreadable"),
        (MemoryError(), "input_memory"),
    ],
)
def test_whatever_a_decoder_raises(cough: Path, monkeypatch: pytest.MonkeyPatch, problem: Exception, code: str) -> None:
    def broken(_source: Source, _sheet: Sheet) -> FloatArray:
        raise problem

    monkeypatch.setitem(pipeline._REGISTRY, "broken", pipeline._entry(broken))
    with pytest.raises(InputRejected) as caught:
        prepare(cough, "audio/wav", [Step(transform="broken")])
    assert caught.value.code == code


def test_a_defect_behind_the_decoder_shows(cough: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(_value: object, _sheet: Sheet) -> FloatArray:
        raise ZeroDivisionError

    monkeypatch.setitem(pipeline._REGISTRY, "defect", pipeline._entry(defect))
    with pytest.raises(ZeroDivisionError):
        prepare(cough, "audio/wav", [Step(transform="decode_audio"), Step(transform="defect")])


def test_nothing_is_imported_after_the_fork(tmp_path: Path) -> None:
    """The decoders run in a child without rights to open files; what they need must be there before."""
    script = """
import sys
from pathlib import Path
from shared.errors import InputRejected
from shared.sniff import sniff
from shared.transforms.pipeline import prepare
from shared.transforms.pipelines import REFERENCE
from shared.schemas import Modality
import services.worker.preload
before = set(sys.modules)
for line in sys.stdin:
    file, modality = line.split()
    media_type = sniff(Path(file).read_bytes()[:4096])
    try:
        prepare(Path(file), media_type, REFERENCE[Modality(modality)]) if media_type else None
    except InputRejected:
        pass
print(sorted(set(sys.modules) - before))
"""
    samples = "".join(f"{tmp_path / sample.file} {sample.modality}\n" for sample in write_samples(tmp_path))
    done = subprocess.run([sys.executable, "-c", script], input=samples, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_serving_imports_neither_torch_nor_numba() -> None:
    """numba compiles at import and wants a writable cache, which a locked-down decoder does not have."""
    script = (
        "import sys; from shared.transforms.pipeline import transforms; transforms();"
        "import shared.transforms.rendition, shared.transforms.samples;"
        "print({'torch', 'numba', 'librosa', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
