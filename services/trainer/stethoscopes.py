"""Recordings as another stethoscope would have made them: smooth response, low-pass, rumble filter, noise, gain.

Only one kind of stethoscope is in the data; a model that heard no other one lost 0.06 AUROC more on simulated ones
(measured on held-out children). What is drawn depends on the recording's content alone, so training stays repeatable.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.trainer.datasets import Row
from shared.schemas import Step
from shared.sniff import HEAD_BYTES, sniff
from shared.transforms.pipeline import Sheet, run_steps, transforms
from shared.transforms.values import Recording

Floats = NDArray[np.float32]

_POINTS = 7  # of the response, evenly on a logarithmic axis
_RESPONSE_DB = 8.0
_LOW_PASS_HZ, _RUMBLE_HZ = (500.0, 2000.0), (20.0, 180.0)
_NOISE_DB = (12.0, 35.0)  # signal over noise


def heard_elsewhere(rows: Sequence[Row], steps: Sequence[Step]) -> Floats:
    """Tensors (n, *shape) of the rows, another stethoscope put before the pipeline's last step.

    Remembered within the process, because every fold asks for most of them again.
    """
    plan = tuple(step.model_dump_json() for step in steps)
    return np.stack([_tensor(row.path, row.sha256, plan) for row in rows])


def other_stethoscope(recording: Recording, generator: np.random.Generator) -> Recording:
    """The same sound through a random device; peak 0.05 to 0.95."""
    count = len(recording.samples)
    hertz = np.asarray(np.fft.rfftfreq(count, 1 / recording.rate), dtype=np.float64)
    heard = np.fft.irfft(np.fft.rfft(recording.samples) * 10 ** (_response(hertz, generator) / 20), count)
    heard += _noise(hertz, count, generator) * np.sqrt(np.square(heard).mean())
    heard *= generator.uniform(0.05, 0.95) / max(1e-9, float(np.abs(heard).max()))
    return Recording(heard.astype(np.float32), recording.rate)


@lru_cache(maxsize=16_384)
def _tensor(path: Path, sha256: str, plan: tuple[str, ...]) -> Floats:
    *first, last = (Step.model_validate_json(step) for step in plan)
    with path.open("rb") as stream:
        media_type = sniff(stream.read(HEAD_BYTES)) or ""
    recording = run_steps(path, media_type, first)
    heard = other_stethoscope(recording, np.random.default_rng(int(sha256[:15], 16)))
    tensor: Floats = transforms()[last.transform](heard, Sheet(), **last.params)
    return tensor


def _response(hertz: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """dB at each frequency; a low-pass of 12 or 24 dB per octave in three devices of five."""
    points = np.geomspace(60, hertz[-1], _POINTS)
    smooth = generator.normal(0, _RESPONSE_DB, _POINTS)
    response = np.interp(np.log(np.maximum(hertz, 20)), np.log(points), smooth)
    corner, slope = generator.uniform(*_LOW_PASS_HZ), generator.choice([12, 24])
    if generator.random() < 0.6:
        response -= slope * np.log2(np.maximum(hertz / corner, 1))
    return np.asarray(response - 12 * np.log2(np.maximum(generator.uniform(*_RUMBLE_HZ) / np.maximum(hertz, 5), 1)))


def _noise(hertz: NDArray[np.float64], count: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """White or pink noise (count,), relative to a signal of root mean square 1."""
    noise = generator.normal(size=count)
    if generator.random() < 0.5:
        noise = np.fft.irfft(np.fft.rfft(noise) / np.sqrt(np.maximum(hertz, 30)), count)
    level = 10 ** (-generator.uniform(*_NOISE_DB) / 20)
    return np.asarray(noise * (level / np.sqrt(np.square(noise).mean())))
