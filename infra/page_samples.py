"""Makes the three samples that the page offers: `python -m infra.page_samples`. All synthetic; no patient made them.

They lie in the package because the gateway may not compute them: it imports neither numpy nor any transform.
"""

from pathlib import Path

from services.api.web.samples import FILES, FOLDER
from shared.schemas import Modality
from shared.transforms import sample_files


def make() -> dict[Modality, bytes]:
    """The bytes of each sample: a phantom X-ray, a synthetic cough, synthetic breath with a wheeze."""
    return {
        Modality.CHEST_XRAY: sample_files.xray("PNG"),
        Modality.COUGH: sample_files.cough("WAV"),
        Modality.LUNG_SOUND: sample_files.lung_sound("WAV", wheeze=True),
    }


def write(folder: Path = FOLDER) -> list[Path]:
    """Write the samples and return their paths."""
    paths = []
    for modality, body in make().items():
        path = folder / FILES[modality]
        path.write_bytes(body)
        paths.append(path)
    return paths


if __name__ == "__main__":
    write()
