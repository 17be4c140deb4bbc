"""Near-duplicates: what survives another encoding, size, sample rate or loudness of the same picture or recording.

A fingerprint is a vector of mean 0 and length 1, so that the product of two is their correlation. Cut, turned or
mirrored copies are other fingerprints: they are not found.
"""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.fft import dctn

from shared.transforms.audio import resample
from shared.transforms.picture import stft_power
from shared.transforms.pipeline import Sheet
from shared.transforms.values import Picture, Recording

Floats = npt.NDArray[np.float64]
_SIDE, _KEPT = 64, 16
_RATE, _FFT, _HOP = 8000, 512, 128
_BANDS, _PIECES = 24, 40
_LOW, _HIGH = 80.0, 3600.0  # Hz: what a telephone and a stethoscope both pass
_FLOOR = 1e-6  # of the loudest piece: 60 dB below it there is only the codec's own noise
_BLOCK = 2048

# Measured on the development data: copies in another encoding, size or rate keep 0.95 or more (pictures; with another
# gamma 0.83) and 0.96 or more (sound); of unlike files hardly any pair reaches 0.60 (pictures) or 0.93 (sound).
NEAR_PICTURE, NEAR_SOUND = 0.8, 0.95


def picture_print(picture: Picture) -> Floats:
    """Signs of the 255 lowest cosine frequencies of the picture at 64 x 64, against their median (pHash: Zauner 2010).

    The correlation of two is 1 - 2 h / 255 for a Hamming distance h.
    """
    image = Image.fromarray(picture.pixels).resize((_SIDE, _SIDE), Image.Resampling.BOX)
    waves = dctn(np.asarray(image, dtype=np.float64), norm="ortho")[:_KEPT, :_KEPT].ravel()[1:]
    return _unit(np.where(waves > np.median(waves), 1.0, -1.0))


def sound_print(recording: Recording) -> Floats:
    """Logarithm of the energy in 24 bands (80 to 3600 Hz) by 40 pieces of time, without silence at either end."""
    heard = resample(recording, Sheet(), rate=_RATE).samples
    power = stft_power(np.pad(heard, (0, max(0, _FFT + _PIECES * _HOP - len(heard)))), _FFT, _HOP).astype(np.float64)
    bands = np.stack([power[:, low:high].mean(axis=1) for low, high in _bins()], axis=1)
    total = bands.sum(axis=1)
    loud = np.flatnonzero(total > _FLOOR * 10 * total.max()) if total.max() > 0 else np.array([0])
    inside = bands[loud[0] : max(loud[-1] + 1, loud[0] + _PIECES)]
    pieces = np.stack([piece.mean(axis=0) for piece in np.array_split(inside, _PIECES) if len(piece)])
    padded = np.pad(pieces, ((0, _PIECES - len(pieces)), (0, 0)))
    heights = np.log(padded + _FLOOR * max(padded.max(), 1e-12))
    # Without each band's own mean: the room, the microphone and the kind of sound give that to all recordings alike.
    return _unit((heights - heights.mean(axis=0)).ravel())


def _bins() -> list[tuple[int, int]]:
    """First and last spectral line of each band; a band holds one line at least."""
    edges = (np.geomspace(_LOW, _HIGH, _BANDS + 1) * _FFT / _RATE).astype(int).tolist()
    return [(low, max(high, low + 1)) for low, high in pairwise(edges)]


def near_pairs(prints: Floats, least: float) -> list[tuple[int, int, float]]:
    """Pairs (i < j) of fingerprints (n, length) whose correlation is `least` or more, with it; the nearest first."""
    pairs = []
    for start in range(0, len(prints), _BLOCK):
        likeness = prints[start : start + _BLOCK] @ prints[start:].T
        rows, columns = np.nonzero(likeness >= least)
        pairs += [
            (start + int(i), start + int(j), float(likeness[i, j])) for i, j in zip(rows, columns, strict=True) if i < j
        ]
    return sorted(pairs, key=lambda pair: (-pair[2], pair[0], pair[1]))


def _unit(values: Floats) -> Floats:
    centred = values - values.mean()
    return np.asarray(centred / max(float(np.linalg.norm(centred)), 1e-12))
