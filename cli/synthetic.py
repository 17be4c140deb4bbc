"""Synthetic inputs of every kind, for the demo and for the doctor."""

from pathlib import Path
from tempfile import TemporaryDirectory

from shared.schemas import Modality
from shared.sniff import HEAD_BYTES, sniff
from shared.transforms import sample_files
from shared.transforms.pipeline import prepare
from shared.transforms.pipelines import REFERENCE


def good_files() -> dict[Modality, list[tuple[str, bytes]]]:
    """Synthetic inputs that every starter version can read: name and bytes. The first of each kind is the demo's."""
    return {
        Modality.CHEST_XRAY: [
            ("chest_xray.dcm", sample_files.xray_dicom()),
            ("chest_xray.png", sample_files.xray("PNG")),
            ("chest_xray.jpg", sample_files.xray("JPEG")),
        ],
        Modality.COUGH: [("cough.wav", sample_files.cough("WAV")), ("cough.mp3", sample_files.cough("MP3"))],
        Modality.LUNG_SOUND: [("lung_sound.wav", sample_files.lung_sound("WAV"))],
    }


def read_everything() -> int:
    """Prepare each of them; returns how many. Raises InputRejected when one cannot be read, which is a defect."""
    files = [(kind, name, body) for kind, group in good_files().items() for name, body in group]
    with TemporaryDirectory(prefix="thoracle-") as folder:
        for kind, name, body in files:
            path = Path(folder) / name
            path.write_bytes(body)
            prepare(path, sniff(body[:HEAD_BYTES]) or "", REFERENCE[kind])
    return len(files)
