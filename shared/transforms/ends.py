"""Does a phone's recording end before it says it does? One function a container, over the whole file's bytes."""

import struct

from shared.signatures import AMR_MAGIC, AMR_WIDE_MAGIC, adts_frame_length
from shared.sniff import id3_length

_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
_EBML_DEPTH = {_SEGMENT, _CLUSTER}  # what a recorder leaves open: its children are looked at
# Bytes of a speech frame behind its header byte, by frame type (RFC 4867, 3GPP TS 26.101 and 26.201).
_AMR_BYTES = (12, 13, 15, 17, 19, 20, 26, 31, 5)
_AMR_WIDE_BYTES = (17, 23, 32, 36, 40, 46, 50, 58, 60, 5)


def mpeg4_is_cut(data: bytes) -> bool:
    """A box is longer than the file, or the box that describes the sound is missing: recorders write it last."""
    position, described = 0, False
    while position + 8 <= len(data):
        length, name = struct.unpack(">I4s", data[position : position + 8])
        if length == 1 and position + 16 <= len(data):
            length = int.from_bytes(data[position + 8 : position + 16], "big")
        elif length == 0:
            length = len(data) - position
        if length < 8 or not name.isascii() or not name.isalnum():
            break  # no box: something was appended
        described |= name == b"moov"
        if position + length > len(data):
            return True
        position += length
    return not described


def ebml_is_cut(data: bytes) -> bool:
    """An element is longer than the file. Segments and clusters of unknown length, as browsers write, are entered."""
    position = 0
    while position < len(data):
        name, position = _vint(data, position, keep_marker=True)
        length, position = _vint(data, position, keep_marker=False)
        if name is None or length is None:
            break
        if name in _EBML_DEPTH and (length < 0 or position + length <= len(data)):
            continue
        if length < 0:
            return False
        position += length
    return position > len(data)


def adts_is_cut(data: bytes) -> bool:
    """The last AAC frame is not whole."""
    position = id3_length(data[:10])
    while length := adts_frame_length(data[position : position + 7]):
        position += length
    return position > len(data)


def amr_is_cut(data: bytes) -> bool:
    """The last speech frame is not whole."""
    wide = data.startswith(AMR_WIDE_MAGIC)
    sizes = _AMR_WIDE_BYTES if wide else _AMR_BYTES
    position = len(AMR_WIDE_MAGIC if wide else AMR_MAGIC)
    while position < len(data):
        kind = data[position] >> 3 & 15
        position += 1 + (sizes[kind] if kind < len(sizes) else 0)
    return position > len(data)


def aiff_is_cut(data: bytes) -> bool:
    """The chunk of samples is longer than the file, or missing."""
    position = 12
    while position + 8 <= len(data):
        name, length = struct.unpack(">4sI", data[position : position + 8])
        if name == b"SSND":
            return bool(position + 8 + length > len(data))
        position += 8 + length + length % 2
    return True


def caf_is_cut(data: bytes) -> bool:
    """A chunk is longer than the file, or no chunk holds samples; one that a recorder left open has the length -1."""
    position, described = 8, False
    while position + 12 <= len(data):
        name, length = struct.unpack(">4sq", data[position : position + 12])
        described |= name == b"data"
        if length < 0:
            return not described
        if position + 12 + length > len(data):
            return True
        position += 12 + length
    return not described


def _vint(data: bytes, at: int, *, keep_marker: bool) -> tuple[int | None, int]:
    """An EBML number and the place behind it; -1 for the length "unknown", None when it is no number or not whole."""
    width = 9 - data[at].bit_length() if at < len(data) else 1
    if width > 8:
        return None, at
    if at + width > len(data):
        return None, at + width
    value = int.from_bytes(data[at : at + width], "big")
    if keep_marker:
        return value, at + width
    value &= (1 << 7 * width) - 1
    return (-1 if value == (1 << 7 * width) - 1 else value), at + width
