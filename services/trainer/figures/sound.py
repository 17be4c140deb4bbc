"""What a few recordings look like: waveforms, spectrograms, chromagrams, MFCCs, centroid and roll-off overlays.

The recordings are given at the rate that the features are taken at; frames of 2048 samples every 512, librosa's.
"""

from collections.abc import Callable, Mapping
from math import ceil

import numpy as np
from matplotlib.axes import Axes

from services.trainer.figures.canvas import COLOURS, INK, QUIET, Floats, Page, label, page
from shared.transforms.values import Recording

Recordings = Mapping[str, Recording]
_FFT, _HOP = 2048, 512
_COLUMNS = 2
_POINTS = 900
_HEAT = "magma"


def waveforms(recordings: Recordings) -> str:
    """Smallest and largest sample of each of 900 pieces of time, full scale = 1; recordings named by their key."""
    return _grid("Waveforms", recordings, _waveform, "amplitude")


def spectrograms(recordings: Recordings) -> str:
    """Decibels below the loudest point over time and frequency (Hz)."""
    return _grid("Spectrograms in decibels", recordings, _spectrogram, "Hz")


def chromagrams(recordings: Recordings) -> str:
    """The twelve pitch classes over time, each frame scaled to its own maximum."""
    return _grid("Chromagrams", recordings, _chromagram, "pitch class")


def mfccs(recordings: Recordings) -> str:
    """Twenty mel-frequency cepstral coefficients over time, each row standardised."""
    return _grid("MFCCs", recordings, _mfcc, "coefficient")


def overlays(recordings: Recordings) -> str:
    """Spectral centroid and 85 % roll-off (Hz) over the waveform."""
    return _grid("Spectral centroid and roll-off over the waveform", recordings, _overlay, "amplitude")


def _grid(title: str, recordings: Recordings, draw: Callable[[Axes, Recording], None], y: str) -> str:
    columns = min(_COLUMNS, len(recordings))
    rows = ceil(len(recordings) / columns)
    with page(f"{title} of {', '.join(recordings)}", rows, columns, (5.3 * columns, 0.4 + 2.3 * rows)) as made:
        for place, (name, recording) in enumerate(recordings.items()):
            axes = made.at(*divmod(place, columns))
            draw(axes, recording)
            axes.set_xlim(0, recording.seconds)
            label(axes, name, "seconds", y if place % columns == 0 else "")
        _hide_rest(made, len(recordings), columns)
    return made.svg()


def _hide_rest(made: Page, used: int, columns: int) -> None:
    for place in range(used, made.axes.size):
        made.at(*divmod(place, columns)).set_visible(False)


def _waveform(axes: Axes, recording: Recording) -> None:
    pieces = np.array_split(recording.samples, min(_POINTS, len(recording.samples)))
    time = np.linspace(0, recording.seconds, len(pieces))
    low, high = [piece.min() for piece in pieces], [piece.max() for piece in pieces]
    axes.fill_between(time, low, high, color=COLOURS[0], linewidth=0.5)


def _spectrogram(axes: Axes, recording: Recording) -> None:
    power = _power(recording)
    decibels = 10 * np.log10(np.maximum(power, power.max() * 1e-8) / power.max())
    _heat(axes, decibels, recording, (0, recording.rate / 2))


def _chromagram(axes: Axes, recording: Recording) -> None:
    import librosa

    chroma = librosa.feature.chroma_stft(S=_power(recording), sr=recording.rate, n_fft=_FFT, tuning=0.0)
    _heat(axes, chroma, recording, (-0.5, 11.5))
    axes.set_yticks(range(0, 12, 2), ["C", "D", "E", "F♯", "G♯", "A♯"])


def _mfcc(axes: Axes, recording: Recording) -> None:
    import librosa

    mel = librosa.feature.melspectrogram(S=_power(recording), sr=recording.rate, n_fft=_FFT)
    rows = librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=20)
    spread = np.maximum(rows.std(axis=1, keepdims=True), 1e-6)
    _heat(axes, np.clip((rows - rows.mean(axis=1, keepdims=True)) / spread, -3, 3), recording, (0.5, 20.5))
    axes.set_yticks([1, 5, 10, 15, 20])


def _overlay(axes: Axes, recording: Recording) -> None:
    _waveform(axes, recording)
    magnitude = np.sqrt(_power(recording))
    hertz = np.linspace(0, recording.rate / 2, len(magnitude))
    total = np.maximum(magnitude.sum(axis=0), 1e-12)
    below = np.cumsum(magnitude, axis=0)
    time = np.linspace(0, recording.seconds, magnitude.shape[1])
    twin = axes.twinx()
    twin.plot(time, hertz @ magnitude / total, color=COLOURS[1], linewidth=1.5, label="centroid")
    rolloff = hertz[(below >= 0.85 * below[-1]).argmax(axis=0)]
    twin.plot(time, rolloff, color=INK, linewidth=1.2, linestyle="--", label="roll-off (85 %)")
    twin.set(ylim=(0, 0.62 * recording.rate), ylabel="Hz")
    twin.spines["right"].set(visible=True, color=QUIET)
    twin.grid(visible=False)
    twin.legend(loc="upper right", ncols=2, fontsize=9)


def _power(recording: Recording) -> Floats:
    """(bins, frames), centred frames, Hann window: librosa's stft without its compiled parts."""
    padded = np.pad(recording.samples, _FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FFT) / _FFT)
    return np.square(np.abs(np.fft.rfft(frames * window, axis=1))).T


def _heat(axes: Axes, values: Floats, recording: Recording, span: tuple[float, float]) -> None:
    """A picture over time, row 0 at the bottom; embedded as pixels, which are smaller than shapes."""
    extent = (0.0, recording.seconds, *span)
    axes.imshow(values, origin="lower", aspect="auto", extent=extent, cmap=_HEAT, interpolation="nearest")
    axes.grid(visible=False)
