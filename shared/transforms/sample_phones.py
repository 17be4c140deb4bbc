"""The bytes of recordings as phones and browsers make them, encoded by FFmpeg's libraries; samples and tests only."""

import io
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame

from shared.transforms.synthetic import synthetic_breath, synthetic_cough

_FULL_SCALE = 32767
_SEED = 7


@dataclass(frozen=True)
class Phone:
    """How one kind of recorder writes: a container, an encoder, sample rates in Hz that it knows, bits a second."""

    container: str
    encoder: str
    rates: tuple[int, ...] = ()
    bit_rate: int = 64_000


PHONES: dict[str, Phone] = {
    "m4a": Phone("ipod", "aac"),
    "mp4": Phone("mp4", "aac"),
    "3gp": Phone("3gp", "aac"),
    "webm": Phone("webm", "libopus"),
    "mka": Phone("matroska", "flac"),
    "aac": Phone("adts", "aac"),
    "amr": Phone("amr", "libopencore_amrnb", (8000,), 12_200),
    "caf": Phone("caf", "alac"),
}


def recorded(samples: npt.NDArray[np.float32], rate: int, ending: str, **options: str) -> bytes:
    """Samples (n,) or (n, channels) at `rate` as a file that ends in `ending`; `options` go to the container.

    Raises ValueError for a rate that this recorder does not know.
    """
    phone = PHONES[ending]
    if phone.rates and rate not in phone.rates:
        raise ValueError(f"{phone.encoder} records at {phone.rates}")
    file = io.BytesIO()
    with av.open(file, "w", format=phone.container, container_options=_exact(options)) as container:
        channels = "mono" if samples.ndim == 1 else "stereo"
        stream = container.add_stream(phone.encoder, rate=rate)
        assert isinstance(stream, AudioStream)
        stream.codec_context.layout = channels
        stream.codec_context.bit_rate = phone.bit_rate
        for packet in (*stream.encode(_frame(samples, rate, channels)), *stream.encode(None)):
            container.mux(packet)
    return file.getvalue()


def cough(ending: str) -> bytes:
    """A few coughs at 16 kHz, or at what this recorder knows."""
    rate = (*PHONES[ending].rates, 16_000)[0]
    return recorded(synthetic_cough(_SEED, rate), rate, ending)


def lung_sound(ending: str) -> bytes:
    """15 s of breathing at 8 kHz."""
    return recorded(synthetic_breath(_SEED, 8000), 8000, ending)


def film_without_sound() -> bytes:
    """One second of a black picture in MP4."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4", container_options=_exact({})) as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(5):
            frame = VideoFrame.from_ndarray(np.zeros((72, 64), np.uint8), format="yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def _frame(samples: npt.NDArray[np.float32], rate: int, channels: str) -> AudioFrame:
    whole = np.asarray(np.round(np.clip(samples, -1, 1) * _FULL_SCALE), dtype=np.int16)
    frame = AudioFrame.from_ndarray(whole.reshape(1, -1), format="s16", layout=channels)
    frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
    return frame


def _exact(options: dict[str, Any]) -> dict[str, str]:
    """The same bytes every time."""
    return {"fflags": "+bitexact", **options}
