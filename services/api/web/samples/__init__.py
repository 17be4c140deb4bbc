"""The synthetic samples that the page offers, made by `infra/page_samples.py`."""

from pathlib import Path

from shared.schemas import Modality

FOLDER = Path(__file__).parent
FILES = {
    Modality.CHEST_XRAY: "chest_xray.png",
    Modality.COUGH: "cough.wav",
    Modality.LUNG_SOUND: "lung_sound.wav",
}


def sample(modality: Modality) -> bytes:
    """The bytes of one sample."""
    return (FOLDER / FILES[modality]).read_bytes()
