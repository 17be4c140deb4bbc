"""Does a sound file end before it says it does? Decoders read what is there and stay silent about the rest."""

import struct
from collections.abc import Callable
from pathlib import Path

from shared.sniff import id3_length, mpeg_frame_length
from shared.transforms.ends import adts_is_cut, aiff_is_cut, amr_is_cut, caf_is_cut, ebml_is_cut, mpeg4_is_cut

_UNKNOWN_SIZES = (0, 0x7FFFFFFF, 0xFFFFFFFF)  # what a recorder writes while it does not know the length yet
_OGG_HEADER = 27
_OGG_TAIL = 70_000  # a page is at most 65,307 bytes
_XING_AT = (21, 36, 13)  # side information: mono or stereo, MPEG-1 or MPEG-2
_MISSING_FRAMES = 2  # encoders count the header's own frame or not


def is_cut(path: Path, media_type: str) -> bool:
    """Whether the file's end is missing, as far as its container tells; FLAC's own decoder notices.

    WAV: the data chunk is longer than the file. Ogg: the last page is not whole. MP3: fewer frames than the Xing or
    Info header counts; without such a header an MP3 cannot tell. The others: see `ends`. Raises OSError.
    """
    if media_type == "audio/wav":
        return _wav_is_cut(path)
    test = _TESTS.get(media_type)
    return test is not None and test(path.read_bytes())


def _wav_is_cut(path: Path) -> bool:
    size = path.stat().st_size
    with path.open("rb") as file:
        long_size = None
        position = 12
        while position + 8 <= size:
            file.seek(position)
            name, length = struct.unpack("<4sI", file.read(8))
            if name == b"ds64":
                long_size = struct.unpack("<Q", file.read(16)[8:16])[0]
            if name == b"data":
                return _data_is_cut(length, long_size, size - position - 8)
            position += 8 + length + length % 2
    return True


def _data_is_cut(length: int, long_size: int | None, remaining: int) -> bool:
    if length == 0xFFFFFFFF and long_size:
        return long_size > remaining
    return length not in _UNKNOWN_SIZES and length > remaining


def _ogg_is_cut(data: bytes) -> bool:
    tail_at = max(0, len(data) - _OGG_TAIL)
    page = data.rfind(b"OggS", tail_at)
    if page < 0 or page + _OGG_HEADER > len(data):
        return True
    segments = data[page + _OGG_HEADER : page + _OGG_HEADER + data[page + 26]]
    whole = page + _OGG_HEADER + data[page + 26] + sum(segments)
    return len(segments) < data[page + 26] or whole > len(data)


def _mp3_is_cut(data: bytes) -> bool:
    start = id3_length(data[:10])
    promised = _promised_frames(data[start : start + 64])
    return promised is not None and _count_frames(data, start) + _MISSING_FRAMES < promised


def _promised_frames(frame: bytes) -> int | None:
    """The number of frames in a Xing or Info header, None without one."""
    for at in _XING_AT:
        if frame[at : at + 4] in (b"Xing", b"Info") and frame[at + 7 : at + 8] and frame[at + 7] & 1:
            return int.from_bytes(frame[at + 8 : at + 12], "big")
    return None


def _count_frames(data: bytes, position: int) -> int:
    """Whole frames from `position` on."""
    count = 0
    while (length := mpeg_frame_length(data[position : position + 4])) and position + length <= len(data):
        count, position = count + 1, position + length
    return count


_TESTS: dict[str, Callable[[bytes], bool]] = {
    "audio/ogg": _ogg_is_cut,
    "audio/mpeg": _mp3_is_cut,
    "audio/mp4": mpeg4_is_cut,
    "audio/webm": ebml_is_cut,
    "audio/matroska": ebml_is_cut,
    "audio/aac": adts_is_cut,
    "audio/amr": amr_is_cut,
    "audio/aiff": aiff_is_cut,
    "audio/x-caf": caf_is_cut,
}
