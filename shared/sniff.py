"""Media type by content, from a file's first bytes. Pure Python: the gateway uses it before it accepts anything."""

from collections.abc import Callable, Sequence

from shared.schemas import Modality
from shared.signatures import ebml_doctype, is_adts, is_aiff, is_amr, is_caf, is_mpeg4

HEAD_BYTES = 4096

_SOUND = (Modality.COUGH, Modality.LUNG_SOUND)
_PICTURE = (Modality.CHEST_XRAY,)
_MODALITIES: dict[str, tuple[Modality, ...]] = {
    "application/dicom": _PICTURE,
    "image/png": _PICTURE,
    "image/jpeg": _PICTURE,
    "image/tiff": _PICTURE,
    "audio/wav": _SOUND,
    "audio/flac": _SOUND,
    "audio/mpeg": _SOUND,
    "audio/ogg": _SOUND,
    "audio/mp4": _SOUND,
    "audio/webm": _SOUND,
    "audio/matroska": _SOUND,
    "audio/aac": _SOUND,
    "audio/amr": _SOUND,
    "audio/aiff": _SOUND,
    "audio/x-caf": _SOUND,
}
MEDIA_TYPES = tuple(_MODALITIES)
_LOSSY = "audio/ogg"

# A DICOM preamble may hold another file's header. TIFF is the standard's own example (PS3.10 7.1); an executable
# there is an attack (CVE-2019-11687), and a picture or a sound would be shown as one thing and read as another.
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_EXECUTABLE = (b"MZ", b"\x7fELF", b"#!", b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa", b"\xca\xfe\xba\xbe")

_LONG_VR = frozenset({b"OB", b"OW", b"OF", b"OD", b"OL", b"SQ", b"UC", b"UR", b"UT", b"UN", b"UV", b"SV", b"OV"})

# kbit/s by (MPEG-1?, layer), then by index 1..14; ISO/IEC 11172-3 and 13818-3.
_BITRATES: dict[tuple[bool, int], tuple[int, ...]] = {
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44100, 48000, 32000)


def sniff(head: bytes) -> str | None:
    """The media type of a file that begins with `head` (about 4 KiB of it), or None when it is none of ours.

    Never raises. Looks at signatures and, where those are weak (MP3, DICOM without preamble), at the structure behind.
    """
    plain = next((media_type for media_type, test in _TESTS if test(head)), None)
    if head[128:132] != b"DICM":
        return plain
    disguised = head.startswith(_EXECUTABLE) or plain not in (None, "image/tiff")
    return None if disguised else "application/dicom"


def modalities_of(media_type: str) -> tuple[Modality, ...]:
    """The modalities that a file of this media type may be; empty for a type that is not read here."""
    return _MODALITIES.get(media_type, ())


def read_by(listed: Sequence[str]) -> tuple[str, ...]:
    """The media types that a version reads whose card lists `listed`: these, and every sound if OGG is among them.

    A card never changes, and the older ones could not name the containers of phones. What decides is the same: who
    takes Opus and Vorbis takes a lossy recording, and the decoder hands on the same samples whatever they came in.
    """
    every = [media_type for media_type, modalities in _MODALITIES.items() if modalities == _SOUND]
    return tuple(dict.fromkeys([*listed, *(every if _LOSSY in listed else ())]))


def mpeg_frame_length(header: bytes) -> int | None:
    """Length in bytes of the MPEG audio frame (layer II or III) whose first four bytes are `header`, or None."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    bitrate, rate = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer not in (2, 3) or bitrate in (0, 15) or rate == 3 or header[3] & 3 == 2:
        return None
    first = version == 3
    hertz = _RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    slots = 72 if layer == 3 and not first else 144
    return slots * _BITRATES[first, layer][bitrate - 1] * 1000 // hertz + (header[2] >> 1 & 1)


def id3_length(head: bytes) -> int:
    """Bytes of the ID3v2 tag that `head` begins with; 0 when there is none that is well formed."""
    sizes = head[6:10]
    if head[:3] != b"ID3" or len(sizes) < 4 or head[3] not in (2, 3, 4) or any(byte & 0x80 for byte in sizes):
        return 0
    footer = 10 if head[5] & 0x10 else 0
    return 10 + footer + (sizes[0] << 21 | sizes[1] << 14 | sizes[2] << 7 | sizes[3])


def _is_mpeg(head: bytes) -> bool:
    start = id3_length(head)
    if start >= len(head) > 0:
        return start > 0
    length = mpeg_frame_length(head[start : start + 4])
    if length is None:
        return False
    following = head[start + length : start + length + 4]
    return len(following) < 4 or mpeg_frame_length(following) is not None


def _is_bare_dicom(head: bytes) -> bool:
    """DICOM without preamble: three elements of groups 0002 or 0008, in ascending order, with sane lengths."""
    position, previous = 0, (0, 0)
    for _ in range(3):
        tag = (int.from_bytes(head[position : position + 2], "little"), _u16(head, position + 2))
        length = _element_length(head, position)
        if tag[0] not in (2, 8) or tag <= previous or length is None:
            return False
        position, previous = position + length, tag
    return position <= len(head)


def _element_length(head: bytes, at: int) -> int | None:
    """Bytes of the element at `at`, header included, explicit or implicit; None when it is not a short element."""
    vr = head[at + 4 : at + 6]
    if vr.isalpha() and vr.isupper():
        size = 12 + _u32(head, at + 8) if vr in _LONG_VR else 8 + _u16(head, at + 6)
    else:
        size = 8 + _u32(head, at + 4)
    return size if size % 2 == 0 and size <= 1024 and at + 8 <= len(head) else None


def _u16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


_TESTS: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("image/png", lambda head: head.startswith(b"\x89PNG\r\n\x1a\n")),
    ("image/jpeg", lambda head: head.startswith(b"\xff\xd8\xff")),
    ("image/tiff", lambda head: head.startswith(_TIFF)),
    ("audio/wav", lambda head: head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE"),
    ("audio/flac", lambda head: head.startswith(b"fLaC")),
    ("audio/ogg", lambda head: head.startswith(b"OggS\0")),
    ("audio/mp4", is_mpeg4),
    ("audio/webm", lambda head: ebml_doctype(head) == b"webm"),
    ("audio/matroska", lambda head: ebml_doctype(head) == b"matroska"),
    ("audio/aiff", is_aiff),
    ("audio/amr", is_amr),
    ("audio/x-caf", is_caf),
    ("audio/aac", lambda head: is_adts(head, id3_length(head))),
    ("audio/mpeg", _is_mpeg),
    ("application/dicom", _is_bare_dicom),
)
