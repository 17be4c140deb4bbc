"""The versions that a fresh installation answers with."""

from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
import torch
from torch import nn

from services.trainer.export import assemble, write
from services.trainer.layers import Squeeze
from services.trainer.novelty import Mahalanobis
from services.trainer.prepared import prepare_file
from services.trainer.sources import not_shippable
from services.trainer.starters import STARTERS
from shared.errors import InputRejected
from shared.registry import verify
from shared.runtimes import load
from shared.transforms import synthetic
from shared.transforms.values import FloatArray

pytestmark = pytest.mark.trainer

FOLDER = Path(__file__).parents[3] / "shared" / "starter"
LIMIT = 16 * 2**20


@pytest.mark.parametrize("name", STARTERS)
def test_a_starter_verifies_loads_and_proves_its_golden_samples(name: str) -> None:
    artefact = verify(FOLDER / name)
    load(artefact, threads=1)
    card = artefact.card
    assert card.recipe == STARTERS[name][0]
    assert card.training.mode == "sound"
    assert not set(card.data.sources) & not_shippable()
    assert all(source in (artefact.folder / "NOTICE.md").read_text() for source in card.data.sources)
    assert card.limits


@pytest.mark.parametrize("name", STARTERS)
def test_a_starter_does_not_name_the_machine_it_was_trained_on(name: str) -> None:
    graph = (FOLDER / name / "model.onnx").read_bytes()
    assert b"stack_trace" not in graph
    assert b"site-packages" not in graph


def test_a_graph_is_written_without_the_exporters_notes(tmp_path: Path) -> None:
    layer = nn.Sequential(nn.Flatten(), nn.Linear(4, 1), Squeeze())
    novelty = Mahalanobis(torch.randn(20, 4))
    graph = assemble(layer, novelty)
    assert any(node.metadata_props for node in graph.program((4,)).graph.node)
    write(graph, (4,), tmp_path / "model.onnx")
    assert b".py" not in (tmp_path / "model.onnx").read_bytes()


def test_all_starters_together_are_small() -> None:
    assert sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file()) <= LIMIT


@pytest.mark.parametrize("name", ["cough", "lung_sound"])
@pytest.mark.parametrize("make", [synthetic.speech_like, synthetic.music_like])
def test_speech_and_music_are_rejected_or_referred(name: str, make: Callable[..., FloatArray], tmp_path: Path) -> None:
    artefact = verify(FOLDER / name)
    runtime, threshold = load(artefact, threads=1), artefact.card.novelty.threshold
    for seed in range(6):
        path = tmp_path / "sound.wav"
        soundfile.write(str(path), make(100 + seed, 16000, 4.0 + 2 * seed), 16000)
        try:
            tensor, _ = prepare_file(path, artefact.card.pipeline)
        except InputRejected:
            continue
        [(_, distance)] = zip(*runtime.run(tensor[None]), strict=True)
        assert distance > threshold, seed
