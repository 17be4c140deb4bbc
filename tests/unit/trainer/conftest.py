"""Tiny generated data sets on which every recipe can be trained within seconds."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from PIL import Image

from shared.transforms import synthetic

Writer = Callable[[Path, int, bool], None]
PATIENTS = 6


def _cough(path: Path, seed: int, finding: bool) -> None:
    make = synthetic.speech_like if finding else synthetic.synthetic_cough
    _write_sound(path, make(seed, 16000, 2.0), 16000, seed)


def _breath(path: Path, seed: int, finding: bool) -> None:
    sound = synthetic.synthetic_breath(seed, 4000, 5.0) + (0.3 * np.sin(np.arange(20000) * 0.6) if finding else 0)
    _write_sound(path, np.asarray(sound), 4000, seed)


def _write_sound(path: Path, sound: NDArray[np.floating], rate: int, seed: int) -> None:
    """With a loudness over time of its own: no two of these are near-duplicates."""
    knots = np.random.default_rng(seed).uniform(0.05, 1.0, 12)
    level = np.interp(np.linspace(0, 11, len(sound)), np.arange(12), knots)
    soundfile.write(str(path), (sound * level).astype(np.float32), rate, format="WAV")


def _chest(path: Path, seed: int, finding: bool) -> None:
    pixels = (synthetic.phantom_xray(seed, 256, 256) >> 4).astype(np.uint8)
    Image.fromarray(255 - pixels if finding else pixels).save(path, format="PNG")


_KINDS: dict[str, tuple[Writer, str, str]] = {
    "cough": (_cough, "covid", "not_covid"),
    "lung_sound": (_breath, "cas", "normal"),
    "chest_xray": (_chest, "covid", "normal"),
}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A folder of 14 generated files of a modality, 6 patients a class, two of them with two files."""
    made: dict[str, Path] = {}

    def folder(modality: str) -> Path:
        if modality not in made:
            made[modality] = write_tiny(tmp_path_factory.mktemp("tiny") / modality, modality)
        return made[modality]

    return folder


def write_tiny(folder: Path, modality: str) -> Path:
    """Make the folder that `tiny` gives."""
    folder.mkdir(parents=True)
    if modality == "lung_sound":
        _mark(folder)
    return _write(folder, *_KINDS[modality])


def _mark(folder: Path) -> None:
    """The wheeze of every second file that has one."""
    with (folder / "events.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["path", "start_ms", "end_ms", "type"])
        table.writerows([f"{number}.bin", 0, 5000, "Wheeze"] for number in range(1, 2 * PATIENTS + 2, 4))


def _write(folder: Path, write: Writer, present: str, absent: str) -> Path:
    with (folder / "index.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["path", "label", "patient_id", "source", "notes"])
        for number in range(2 * PATIENTS + 2):
            finding = bool(number % 2)
            write(folder / f"{number}.bin", number, finding)
            label, patient = present if finding else absent, f"p{number % (2 * PATIENTS)}"
            table.writerow([f"{number}.bin", label, patient, f"ward-{number % 3}", "generated"])
    return folder
