"""Generated inputs: no patient ever made them. For samples, tests and golden samples; never for training or claims.

Everything is drawn from a seed, so the same seed gives the same values on every machine (up to rounding).
"""

import numpy as np
import numpy.typing as npt

from shared.transforms.values import FloatArray

Float64 = npt.NDArray[np.float64]


def phantom_xray(seed: int, height: int = 640, width: int = 640) -> npt.NDArray[np.uint16]:
    """A synthetic frontal chest X-ray: (height, width) uint16 of 12 bits (0 to 4095), bones bright.

    Body, lungs, heart, mediastinum, spine, clavicles, ribs, diaphragm and detector noise. It looks like a chest to a
    decoder and to a layman; it holds no finding.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    x = x + rng.normal(0, 0.02)
    body = _soft(1 - (x / 0.93) ** 4 - (y / 1.35) ** 6, 0.12)
    lungs = _lung(x, y, -0.44, rng) + _lung(x, y, 0.44, rng)
    heart = _soft(1 - ((x - 0.13) / 0.3) ** 2 - ((y - 0.3) / 0.34) ** 2, 0.25)
    middle = np.exp(-((x / 0.13) ** 2))
    spine = np.exp(-((x / 0.05) ** 2)) * (0.8 + 0.2 * np.cos(2 * np.pi * 9 * y))
    belly = _soft(y - 0.62 + 0.18 * (np.abs(x) - 0.45) ** 2, 0.05)
    tissue = 0.55 * body - 0.42 * lungs * (1 - heart) * (1 - belly) + 0.16 * middle + 0.1 * spine + 0.14 * belly
    tissue += 0.16 * _ribs(x, y, rng) * body + 0.1 * heart * body
    noise = rng.normal(0, 0.006, (height, width)) + 0.03 * _clouds(rng, height, width) * lungs
    return np.asarray(np.clip((tissue + noise) * 3600 + 250, 0, 4095), dtype=np.uint16)


def synthetic_cough(seed: int, rate: int = 16000, seconds: float = 3.0) -> FloatArray:
    """Two to four synthetic coughs in a quiet room: (seconds · rate,) float32, peak about 0.6.

    Each is a burst of noise, a breathy middle and a short voiced end (the three phases of Korpáš and Tomori, 1979).
    """
    rng = np.random.default_rng(seed)
    sound = rng.normal(0, 0.0015, round(seconds * rate))
    for start in np.linspace(0.15, seconds - 0.7, int(rng.integers(2, 5))):
        burst = _cough(rng, rate)
        begin = round((start + rng.uniform(0, 0.1)) * rate)
        piece = sound[begin : begin + len(burst)]
        piece += burst[: len(piece)]
    return _peak(sound, 0.6)


def synthetic_breath(seed: int, rate: int = 4000, seconds: float = 15.0, *, wheeze: bool = False) -> FloatArray:
    """Synthetic breath sounds, with or without a wheeze in each expiration: (seconds · rate,) float32, peak 0.5.

    Breath noise falls off above 200 Hz; the wheeze is a gliding tone of 350 to 450 Hz with one harmonic.
    """
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    phase = np.mod(time / rng.uniform(3.2, 4.2), 1)
    inspiration = np.sin(np.pi * np.clip(phase / 0.4, 0, 1)) ** 2
    expiration = np.sin(np.pi * np.clip((phase - 0.45) / 0.5, 0, 1)) ** 2
    sound = _shaped(rng, len(time), rate, 60, 250) * (inspiration + 0.5 * expiration + 0.03)
    if wheeze:
        angle = 2 * np.pi * np.cumsum(rng.uniform(370, 430) + 25 * np.cos(2 * np.pi * phase)) / rate
        sound += 0.9 * expiration * (np.sin(angle) + 0.25 * np.sin(2 * angle))
    return _peak(sound + rng.normal(0, 0.004, len(time)), 0.5)


def music_like(seed: int, rate: int = 16000, seconds: float = 6.0) -> FloatArray:
    """Junk: chords of decaying harmonics, (seconds · rate,) float32."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    beat = np.mod(time, 0.5)
    sound = np.zeros_like(time)
    for note in (0, 4, 7, 12):
        pitch = 220 * 2 ** ((note + rng.choice([0, 5, 7], 64)[(time / 0.5).astype(int) % 64]) / 12)
        for harmonic in (1, 2, 3):
            sound += np.sin(2 * np.pi * harmonic * np.cumsum(pitch) / rate) * np.exp(-4 * beat) / harmonic
    return _peak(sound, 0.5)


def speech_like(seed: int, rate: int = 16000, seconds: float = 6.0) -> FloatArray:
    """Junk: a pulse train through changing formants, in syllables, (seconds · rate,) float32."""
    rng = np.random.default_rng(seed)
    count = round(seconds * rate)
    sound = np.zeros(count)
    position = 0
    while position < count:
        length = int(rng.uniform(0.12, 0.3) * rate)
        period = int(rate / rng.uniform(95, 140))
        pulses = (np.arange(length) % period == 0).astype(np.float64)
        syllable = _filtered(pulses, rate, rng.uniform(300, 2400, 3)) * np.hanning(length)
        piece = sound[position : position + length]
        piece += syllable[: len(piece)]
        position += length + int(rng.uniform(0.02, 0.15) * rate)
    return _peak(sound + rng.normal(0, 1e-6, count), 0.5)


def photograph_like(seed: int, height: int = 480, width: int = 640) -> npt.NDArray[np.uint8]:
    """Junk: sky, hills and a coloured object, (height, width, 3) uint8."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    hills = y > 0.55 + 0.08 * np.sin(7 * x + rng.uniform(0, 6)) + 0.03 * np.sin(23 * x)
    sky = np.stack([90 + 100 * y, 150 + 60 * y, 230 - 20 * y], axis=-1)
    land = np.stack([70 + 60 * y, 110 + 40 * y, 40 + 20 * y], axis=-1)
    scene = np.where(hills[..., None], land, sky)
    ball = (x - rng.uniform(0.3, 0.7)) ** 2 + (y - 0.75) ** 2 < 0.015
    scene[ball] = (220, 60, 40)
    scene += 14 * _clouds(rng, height, width)[..., None] + rng.normal(0, 4, scene.shape)
    return np.asarray(np.clip(scene, 0, 255), dtype=np.uint8)


def _soft(value: Float64, width: float) -> Float64:
    """A smooth step from 0 to 1 around value = 0."""
    return np.asarray(1 / (1 + np.exp(-np.clip(value / width, -30, 30))))


def _lung(x: Float64, y: Float64, center: float, rng: np.random.Generator) -> Float64:
    wide = 0.33 + rng.normal(0, 0.01)
    lean = center + 0.1 * np.sign(center) * (y + 0.2)
    return _soft(1 - ((x - lean) / wide) ** 2 - ((y + 0.02) / 0.74) ** 4, 0.18)


def _ribs(x: Float64, y: Float64, rng: np.random.Generator) -> Float64:
    """Posterior ribs fall away from the spine, anterior ones rise towards it; and two clavicles."""
    side = np.abs(x)
    cage = _soft(1 - (x / 0.82) ** 4 - ((y + 0.05) / 0.72) ** 4, 0.08) * _soft(side - 0.08, 0.015)
    back = np.mod((y - 0.5 * side**1.5 + rng.uniform(0, 0.1)) / 0.165, 1)
    front = np.mod((y + 0.55 * side - 0.2) / 0.21, 1)
    shade = np.exp(-(((back - 0.5) / 0.16) ** 2)) * (0.6 + 0.4 * side)
    shade += 0.4 * np.exp(-(((front - 0.5) / 0.15) ** 2)) * _soft(side - 0.35, 0.04)
    clavicle = np.exp(-(((y + 0.74 - 0.3 * (0.45 - side)) / 0.03) ** 2)) * _soft(side - 0.1, 0.03)
    return np.asarray(shade * cage + 0.9 * clavicle * _soft(0.72 - side, 0.04))


def _clouds(rng: np.random.Generator, height: int, width: int) -> Float64:
    """Noise with structure at every scale, standard deviation 1."""
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    spectrum = np.fft.rfft2(rng.normal(size=(height, width))) / (np.hypot(rows, columns) + 2 / height) ** 1.5
    spectrum[0, 0] = 0
    field = np.fft.irfft2(spectrum, s=(height, width))
    return np.asarray(field / field.std())


def _cough(rng: np.random.Generator, rate: int) -> Float64:
    time = np.arange(round(0.5 * rate)) / rate
    burst = _shaped(rng, len(time), rate, 250, 2200) * np.exp(-time / 0.04) * np.minimum(time / 0.004, 1)
    breath = 0.35 * _shaped(rng, len(time), rate, 400, 1500) * np.exp(-(((time - 0.16) / 0.09) ** 2))
    voice = np.sin(2 * np.pi * np.cumsum(rng.uniform(280, 380) * (1 - 0.4 * time)) / rate)
    return np.asarray(burst + breath + 0.25 * np.sign(voice) * np.exp(-(((time - 0.33) / 0.05) ** 2)))


def _shaped(rng: np.random.Generator, count: int, rate: int, low: float, high: float) -> Float64:
    """Noise between two frequencies (Hz), falling by 12 dB an octave outside; standard deviation 1."""
    hertz = np.fft.rfftfreq(count, 1 / rate) + 1e-3
    gain = 1 / (1 + (low / hertz) ** 2) / (1 + (hertz / high) ** 2)
    sound = np.fft.irfft(np.fft.rfft(rng.normal(size=count)) * gain, n=count)
    return np.asarray(sound / sound.std())


def _filtered(sound: Float64, rate: int, formants: Float64) -> Float64:
    hertz = np.fft.rfftfreq(len(sound), 1 / rate)
    gain = sum(1 / (1 + ((hertz - formant) / 80) ** 2) for formant in formants)
    return np.asarray(np.fft.irfft(np.fft.rfft(sound) * gain, n=len(sound)))


def _peak(sound: Float64, peak: float) -> FloatArray:
    return np.asarray(sound * (peak / np.abs(sound).max()), dtype=np.float32)
