"""What is no frontal chest X-ray ends as rejected or referred by the starter version; what is one passes."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from sklearn.datasets import load_sample_images

from services.trainer import junk_pictures
from services.trainer.prepared import prepare_file
from shared.decide import decide
from shared.errors import InputRejected
from shared.registry import verify
from shared.runtimes import load
from shared.schemas import Decision
from shared.transforms.dicom import read_dicom
from shared.transforms.pipeline import Sheet

pytestmark = pytest.mark.trainer
STARTER = Path(__file__).parents[3] / "shared" / "starter" / "chest_xray"
Answer = Callable[[NDArray[np.uint8]], str]


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> Answer:
    """Pixels to "rejected" or the starter's decision."""
    artefact = verify(STARTER)
    runtime, file = load(artefact, threads=1), tmp_path_factory.mktemp("unlike") / "picture.png"

    def _answer(pixels: NDArray[np.uint8]) -> str:
        Image.fromarray(pixels).save(file)
        try:
            tensor, facts = prepare_file(file, artefact.card.pipeline)
        except InputRejected:
            return "rejected"
        scores, distances = runtime.run(tensor[None])
        return decide(artefact.card, float(scores[0]), float(distances[0]), facts).decision.value

    return _answer


def _is_no_answer(decision: str) -> bool:
    return decision in {"rejected", Decision.REFER.value}


@pytest.mark.parametrize("make", junk_pictures.MAKERS, ids=lambda make: make.__name__)
def test_generated_junk(answer: Answer, make: Callable[[int], NDArray[np.uint8]]) -> None:
    assert all(_is_no_answer(answer(make(seed))) for seed in (101, 102))


@pytest.mark.parametrize("number", [0, 1])
def test_photographs(answer: Answer, number: int) -> None:
    assert _is_no_answer(answer(load_sample_images().images[number]))


def test_a_cat(answer: Answer) -> None:
    found = find_spec("skimage")
    if found is None or found.origin is None:
        pytest.skip("scikit-image, whose wheel holds a photograph of a cat, is not installed")
    with Image.open(Path(found.origin).parent / "data" / "chelsea.png") as image:
        assert _is_no_answer(answer(np.asarray(image)))


# The same pixels without their header, so that not the body part it names but the picture is judged.
@pytest.mark.parametrize("name", ["extremity_cr_j2k_lossless", "extremity_cr_rle", "hip_cr_j2k_lossy"])
def test_other_parts_of_the_body(answer: Answer, data: Path, tmp_path: Path, name: str) -> None:
    assert _is_no_answer(answer(_shown(data, name, tmp_path)))


@pytest.mark.parametrize("name", ["chest_cr_j2k_lossy", "chest_cr_jpegls_near"])
def test_a_chest_of_another_hospital_gets_an_answer(answer: Answer, data: Path, tmp_path: Path, name: str) -> None:
    shown = _shown(data, name, tmp_path)
    assert not _is_no_answer(answer(shown))
    assert all(_is_no_answer(answer(turned)) for turned in (shown[::-1], np.rot90(shown), np.rot90(shown, 3)))


def _shown(data: Path, name: str, folder: Path) -> NDArray[np.uint8]:
    """As a viewer would save it; the header claims a chest, so that it is read."""
    dataset = dcmread(data / "cxr" / "dicom" / f"{name}.dcm")
    dataset.BodyPartExamined = "CHEST"
    dataset.save_as(folder / "chest.dcm")
    pixels = read_dicom(folder / "chest.dcm", Sheet()).pixels
    return np.ascontiguousarray(pixels * 255).astype(np.uint8)
