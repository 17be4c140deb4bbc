"""Real coughs by path: some to train on at first, others that come in later; and what a bad microphone makes."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import butter, sosfilt

from bench.coughs import tagged

BASE = 360
_SOURCES = {"covid19-cough-call-center": "call centre", "covid19-cough-telegram": "telegram"}
_CUTOFF_HZ = 400.0


@dataclass(frozen=True)
class Recording:
    """One cough. `present`: what its collection says of the finding."""

    path: Path
    present: bool
    patient: str
    site: str
    row: dict[str, str]


def recordings(folder: Path) -> list[Recording]:
    """Every cough of two collections, in the order of their content, so that no part is of one kind."""
    with (folder / "index.csv").open(newline="", encoding="utf-8") as stream:
        rows = sorted((row for row in csv.DictReader(stream) if row["source"] in _SOURCES), key=lambda r: r["sha256"])
    return [
        Recording(folder / row["path"], row["label"] == "covid", row["patient_id"], _SOURCES[row["source"]], row)
        for row in rows
    ]


def write_base(folder: Path, some: list[Recording]) -> None:
    """A folder that a trainer may train on; it points at the recordings."""
    folder.mkdir(parents=True)
    columns = ("path", "label", "patient_id", "source")
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows({**one.row, "path": str(one.path), "source": one.site} for one in some)


def endless(some: list[Recording]) -> Iterator[tuple[Recording, bytes]]:
    """The recordings in turn for ever; when one comes again its bytes are others, and it sounds the same."""
    number = 0
    while True:
        for one in some:
            number += 1
            body = one.path.read_bytes()
            yield one, body if number <= len(some) else tagged(body, f"again {number}")


def muffled(body: bytes) -> bytes:
    """The same cough through a microphone that lets nothing above 400 Hz pass, as WAV."""
    sound, rate = soundfile.read(io.BytesIO(body), always_2d=True)
    low = sosfilt(butter(8, _CUTOFF_HZ, fs=rate, output="sos"), sound, axis=0)
    made = io.BytesIO()
    soundfile.write(made, np.asarray(low), rate, format="WAV", subtype="PCM_16")
    return made.getvalue()
