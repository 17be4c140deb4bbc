"""What hospitals send: files of every modality that carry a number, each different from all others."""

import io
import wave
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import numpy as np

from shared.schemas import Modality
from tests.chaos.identity import canary, make
from tests.chaos.staged import poison

_RATES = {Modality.COUGH: (16000, 1.5), Modality.LUNG_SOUND: (4000, 6.0)}  # Hz, seconds


@dataclass(frozen=True)
class Input:
    """One file. `trap` is the poison inside, empty for none."""

    number: int
    modality: Modality
    trap: str = ""

    @cached_property
    def body(self) -> bytes:
        """The bytes."""
        plain = (
            make(self.number) if self.modality is Modality.CHEST_XRAY else _sound(self.number, *_RATES[self.modality])
        )
        return poison(plain, self.trap) if self.trap else plain

    @cached_property
    def sha256(self) -> str:
        """Their address."""
        return sha256(self.body).hexdigest()

    @property
    def subject(self) -> str:
        """What stands for the patient."""
        return canary(self.number)


def _sound(number: int, rate: int, seconds: float) -> bytes:
    """Noise under a slow swell, both of this number alone."""
    chance = np.random.default_rng(number)
    times = np.arange(int(rate * seconds)) / rate
    sound = chance.normal(0, 0.2, times.size) * (0.2 + np.abs(np.sin(times * (2 + number % 7))))
    file = io.BytesIO()
    with wave.open(file, "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(rate)
        stream.writeframes((sound.clip(-1, 1) * 32000).astype("<i2").tobytes())
    return file.getvalue()
