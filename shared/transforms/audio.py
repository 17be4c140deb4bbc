"""Sound: from a file to one channel of samples, and the steps that check, cut and resample it."""

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from shared.errors import InputRejected
from shared.transforms.containers import is_cut
from shared.transforms.pipeline import Sheet, transform
from shared.transforms.values import FloatArray, Recording, Source

_CONTAINERS = {
    "audio/wav": {"WAV", "WAVEX", "RF64"},
    "audio/flac": {"FLAC"},
    "audio/ogg": {"OGG"},
    "audio/mpeg": {"MP3"},
    "audio/aiff": {"AIFF"},
}
# The decoders that are fuzzed by everybody. libsndfile's ADPCM readers have known overflows (CVE-2026-37555).
_ENCODINGS = {"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "VORBIS", "OPUS"}
_ENCODINGS |= {"MPEG_LAYER_II", "MPEG_LAYER_III"}

# Codecs that Ogg may carry and libsndfile does not read there, by what their first packet begins with.
_OGG_FOREIGN = {b"\x7fFLAC": "FLAC", b"Speex   ": "SPEEX", b"\x80theora": "THEORA"}
_OGG_PACKET_AT = 28

_MAX_VALUES = 60_000_000  # frames x channels: 240 MB as float32, ten minutes of stereo at 48 kHz
_MAX_FRAMES = 2**40  # a header that promises more is damaged, not long
_MAX_RATE = 384_000
_ABSURD = 1e4  # floating-point files may pass full scale; beyond this it is no sound, and its square overflows
_LOUDER_DB = 6.0
_SILENT_DBFS, _QUIET_DBFS = -60.0, -45.0
_CLIPPED_REJECT, _CLIPPED_NOTE = 0.05, 0.01
_FULL_SCALE = 0.999
_BLOCK_SECONDS = 0.1
_BAND_FLOOR = 1e-7  # power 70 dB below the strongest tone no longer counts as content
_BAND_FFT = 512


@transform
def decode_audio(source: Source, sheet: Sheet) -> Recording:
    """Read a sound with one or two channels, at the file's own rate.

    WAV and AIFF (PCM, float), FLAC, MP3 and Ogg (Vorbis, Opus) by libsndfile; what phones record by `phone_sound`.

    Of two channels the louder one is taken when they differ by more than 6 dB (call centres record the patient on one
    of them), else their mean. Facts: `sample_rate`, `channels`, `seconds`.

    Raises InputRejected: input_truncated, input_unreadable, audio_no_sound, audio_encoding_unsupported,
    audio_channels, audio_too_long (more than fits into memory), audio_too_short (no samples), audio_not_finite.
    """
    if is_cut(source.path, source.media_type):
        raise InputRejected("input_truncated")
    samples, rate = _read(source)
    if not len(samples):
        raise InputRejected("audio_too_short", seconds=0.0, minimum=0.1)
    if not np.isfinite(samples).all():
        raise InputRejected("audio_not_finite")
    if np.abs(samples).max() > _ABSURD:
        raise InputRejected("input_unreadable")
    sheet.facts |= {"sample_rate": rate, "channels": samples.shape[1], "seconds": len(samples) / rate}
    return Recording(_one_channel(samples, sheet), rate)


@transform
def check_audio(
    recording: Recording, sheet: Sheet, *, min_seconds: float, max_seconds: float, min_rate: int, band: float = 8000.0
) -> Recording:
    """Reject what nobody could judge, note what is doubtful; limits in seconds and Hz.

    Levels are those of the loudest tenth of a second, so that digital silence around a short cough does not count.
    `band`: a recording with nothing above this frequency (Hz), and above half of what its sample rate could hold, is
    noted as narrow. Facts: `level` (dB below full scale), and of the mean power spectrum `centroid`, `rolloff` (below
    it lie 95 % of the power) and `edge` (its highest content), all in Hz.

    Raises InputRejected: audio_too_short, audio_too_long, audio_rate_too_low, audio_silent (below -60 dBFS),
    audio_clipped (more than 5 % of the samples at full scale).
    """
    _check_frame(recording, min_seconds, max_seconds, min_rate)
    level = _loudest_dbfs(recording)
    if level < _SILENT_DBFS:
        raise InputRejected("audio_silent")
    clipped = float(np.mean(np.abs(recording.samples) >= _FULL_SCALE))
    if clipped > _CLIPPED_REJECT:
        raise InputRejected("audio_clipped")
    if clipped > _CLIPPED_NOTE:
        sheet.note("quality.clipped", percent=round(100 * clipped, 1))
    if level < _QUIET_DBFS:
        sheet.note("quality.quiet", dbfs=round(level, 1))
    shape = _spectrum(recording)
    sheet.facts |= {"level": level, **shape}
    edge = shape["edge"]
    if edge < min(band, recording.rate / 4):
        sheet.note("quality.narrow_band", hertz=round(edge))
    return recording


@transform
def crop(recording: Recording, sheet: Sheet, *, seconds: float) -> Recording:
    """Keep the first `seconds`; a shorter recording stays as it is."""
    count = round(seconds * recording.rate)
    if len(recording.samples) <= count:
        return recording
    sheet.note("quality.cut", seconds=seconds)
    return Recording(recording.samples[:count], recording.rate)


@transform
def resample(recording: Recording, _sheet: Sheet, *, rate: int) -> Recording:
    """To `rate` Hz with soxr HQ; ceil(n · rate / old) samples, as librosa.resample gives."""
    if recording.rate == rate:
        return recording
    count = int(np.ceil(len(recording.samples) * (rate / recording.rate)))
    samples = soxr.resample(recording.samples, recording.rate, rate, quality="soxr_hq")[:count]
    return Recording(np.pad(samples, (0, count - len(samples))).astype(np.float32, copy=False), rate)


@transform
def fit_length(recording: Recording, _sheet: Sheet, *, seconds: float) -> Recording:
    """Exactly round(seconds · rate) samples: a longer recording is cut, a shorter one is repeated from its start."""
    count = round(seconds * recording.rate)
    return Recording(np.resize(recording.samples, count), recording.rate)


def _read(source: Source) -> tuple[FloatArray, int]:
    """Samples (frames, channels) and the rate."""
    size = source.path.stat().st_size
    with source.path.open("rb") as raw:
        if source.media_type not in _CONTAINERS:
            from shared.transforms.phone_sound import read_phone_sound  # FFmpeg is loaded by who meets a phone only

            return read_phone_sound(raw, source.media_type, _MAX_VALUES)
        if source.media_type == "audio/ogg":
            _gate_ogg(raw.read(_OGG_PACKET_AT + 8)[_OGG_PACKET_AT:])
            raw.seek(0)
        try:
            with soundfile.SoundFile(raw) as file:
                _gate(file, source.media_type)
                return file.read(dtype="float32", always_2d=True), file.samplerate
        except soundfile.LibsndfileError:
            # A decoder that fails with the last byte read wants more of them; else what it read was damaged.
            raise InputRejected("input_truncated" if raw.tell() >= size else "input_unreadable") from None


def _gate_ogg(packet: bytes) -> None:
    for magic, encoding in _OGG_FOREIGN.items():
        if packet.startswith(magic):
            raise InputRejected("audio_encoding_unsupported", encoding=encoding)


def _gate(file: soundfile.SoundFile, media_type: str) -> None:
    """Everything that the header says, judged before memory is taken for the samples."""
    if file.format not in _CONTAINERS.get(media_type, ()) or not 0 < file.samplerate <= _MAX_RATE:
        raise InputRejected("input_unreadable")
    if file.subtype not in _ENCODINGS:
        raise InputRejected("audio_encoding_unsupported", encoding=file.subtype)
    if file.channels not in (1, 2):
        raise InputRejected("audio_channels", channels=file.channels)
    if file.frames > _MAX_FRAMES:
        raise InputRejected("input_unreadable")
    if file.frames * file.channels > _MAX_VALUES:
        raise InputRejected("audio_too_long", maximum=_MAX_VALUES // (file.channels * file.samplerate))


def _one_channel(samples: npt.NDArray[np.float32], sheet: Sheet) -> FloatArray:
    if samples.shape[1] == 1:
        return samples[:, 0].copy()
    powers = np.mean(np.square(samples, dtype=np.float64), axis=0)
    mean: FloatArray = samples.mean(axis=1)
    louder = int(np.argmax(powers))
    margin = 10 ** (-_LOUDER_DB / 10)
    # Channels of opposite polarity are equally loud, but their mean is silence.
    if powers.min() < margin * powers.max() or np.mean(np.square(mean, dtype=np.float64)) < margin * powers.max():
        sheet.note("quality.louder_channel")
        return samples[:, louder].copy()
    return mean


def _check_frame(recording: Recording, min_seconds: float, max_seconds: float, min_rate: int) -> None:
    if recording.rate < min_rate:
        raise InputRejected("audio_rate_too_low", rate=recording.rate, minimum=min_rate)
    if recording.seconds < min_seconds:
        raise InputRejected("audio_too_short", seconds=recording.seconds, minimum=min_seconds)
    if recording.seconds > max_seconds:
        raise InputRejected("audio_too_long", maximum=max_seconds)


def _loudest_dbfs(recording: Recording) -> float:
    """Level of the loudest block, dB below full scale of a square wave; -200 for digital silence."""
    size = max(1, min(len(recording.samples), round(_BLOCK_SECONDS * recording.rate)))
    count = len(recording.samples) // size
    blocks = np.square(recording.samples[: count * size], dtype=np.float64).reshape(count, size)
    return float(10 * np.log10(max(blocks.mean(axis=1).max(), 1e-20)))


def _spectrum(recording: Recording) -> dict[str, float]:
    """Where the power lies (Hz): centroid, 95 % roll-off, and the edge: above it all is 70 dB below the strongest."""
    count = len(recording.samples) // _BAND_FFT
    if not count:
        return {"edge": recording.rate / 2}
    blocks = recording.samples[: count * _BAND_FFT].reshape(count, _BAND_FFT) * np.hanning(_BAND_FFT)
    power = np.square(np.abs(np.fft.rfft(blocks, axis=1))).mean(axis=0)[2:]  # without the recorder's offset
    hertz = (np.arange(len(power)) + 2) * recording.rate / _BAND_FFT
    total = np.cumsum(power)
    return {
        "centroid": float(hertz @ power / total[-1]),
        "rolloff": float(hertz[np.searchsorted(total, 0.95 * total[-1])]),
        "edge": float(hertz[np.flatnonzero(power >= power.max() * _BAND_FLOOR)[-1]]),
    }
