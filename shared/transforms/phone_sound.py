"""Sound as phones and browsers record it, read by FFmpeg's libraries through PyAV.

Nothing is guessed: each media type has one demuxer, a handful of decoders may run, one thread each, and no address in
a file is ever followed. Pictures beside the sound are never decoded.
"""

from typing import Any, BinaryIO, NoReturn

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container.input import InputContainer

from shared.errors import InputRejected
from shared.transforms.values import FloatArray

DEMUXERS = {
    "audio/mp4": "mov",
    "audio/webm": "matroska",
    "audio/matroska": "matroska",
    "audio/aac": "aac",
    "audio/amr": "amr",
    "audio/x-caf": "caf",
}
_PCM = [f"pcm_{kind}{end}" for kind in ("s16", "s24", "s32", "f32", "f64") for end in ("le", "be")]
_DECODERS = frozenset({"aac", "alac", "amrnb", "amrwb", "flac", "mp3", "mp3float", "opus", "vorbis", "pcm_u8", *_PCM})
_OPTIONS = {
    "codec_whitelist": ",".join(sorted(_DECODERS)),
    "protocol_whitelist": "none",
    "max_streams": "16",
}
_MAX_RATE = 384_000


def read_phone_sound(file: BinaryIO, media_type: str, max_values: int) -> tuple[FloatArray, int]:
    """Samples (frames, 1 or 2 channels), full scale = 1, and the rate in Hz, of the first sound in an open file.

    The length is what is decoded, whatever the file says (a browser's recording says nothing).

    Raises InputRejected: input_unreadable, audio_no_sound, audio_encoding_unsupported, audio_channels,
    audio_too_long (more than `max_values` samples in all channels). Raises MemoryError.
    """
    try:
        with av.open(
            file,
            "r",
            format=DEMUXERS[media_type],
            container_options=_OPTIONS,
            metadata_errors="replace",
            io_open=_refuse,
        ) as container:
            return _decoded(container, _sound_of(container), max_values)
    except av.FFmpegError as problem:
        if isinstance(problem, MemoryError):
            raise
        raise InputRejected("input_unreadable") from None


def _refuse(_url: str, _flags: int, _options: dict[str, Any]) -> NoReturn:
    raise PermissionError("a recording is one file")


def _sound_of(container: InputContainer) -> AudioStream:
    if not container.streams.audio:
        raise InputRejected("audio_no_sound")
    stream = container.streams.audio[0]
    # Without a decoder in this build there is no context either.
    name = stream.codec_context.codec.name if stream.codec_context else "?"
    if name not in _DECODERS:
        raise InputRejected("audio_encoding_unsupported", encoding=name.upper())
    stream.codec_context.thread_count = 1
    return stream


def _decoded(container: InputContainer, stream: AudioStream, max_values: int) -> tuple[FloatArray, int]:
    blocks: list[FloatArray] = []
    rate, values = 0, 0
    for frame in (frame for packet in container.demux(stream) for frame in packet.decode()):
        block = _block(frame)
        _gate(block, frame, blocks, rate)
        rate, values = frame.sample_rate, values + block.size
        if values > max_values:
            raise InputRejected("audio_too_long", maximum=max_values // (block.shape[1] * rate))
        blocks.append(block)
    return np.concatenate(blocks) if blocks else np.zeros((0, 1), np.float32), rate or 1


def _gate(block: FloatArray, frame: AudioFrame, before: list[FloatArray], rate: int) -> None:
    """Frames are one sound: whole, and with the channels and the rate of the first."""
    if block.shape[1] not in (1, 2):
        raise InputRejected("audio_channels", channels=block.shape[1])
    changed = bool(before) and (block.shape[1] != before[-1].shape[1] or frame.sample_rate != rate)
    if frame.is_corrupt or changed or not 0 < frame.sample_rate <= _MAX_RATE:
        raise InputRejected("input_unreadable")


def _block(frame: AudioFrame) -> FloatArray:
    """(samples, channels), scaled as libsndfile does it."""
    values = frame.to_ndarray()
    shaped = values.T if frame.format.is_planar else values.reshape(-1, len(frame.layout.channels))
    if shaped.dtype.kind == "f":
        return shaped.astype(np.float32)
    middle = 128 if shaped.dtype == np.uint8 else 0
    full = np.float32(2.0 ** (8 * shaped.dtype.itemsize - 1))
    return (shaped.astype(np.float32) - np.float32(middle)) / full
