"""Signatures of the sounds that phones and browsers record. Pure Python, for `sniff`."""

# Pictures and raw photographs live in the same boxes as MPEG-4 sound.
_PICTURE_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1"})
_PICTURE_BRANDS |= {b"avif", b"avis", b"crx ", b"jpeg", b"jxl "}
_EBML = b"\x1a\x45\xdf\xa3"
_DOCTYPE = b"\x42\x82"
_DOCTYPE_WITHIN = 80  # the header holds seven small elements
_ADTS_HEADER = 7
_ADTS_RATES = 13
AMR_MAGIC, AMR_WIDE_MAGIC = b"#!AMR\n", b"#!AMR-WB\n"


def is_mpeg4(head: bytes) -> bool:
    """MPEG-4, QuickTime or 3GPP, of a brand that may hold sound."""
    return head[4:8] == b"ftyp" and len(head) >= 12 and head[8:12] not in _PICTURE_BRANDS


def ebml_doctype(head: bytes) -> bytes | None:
    """What an EBML file says that it is (`webm`, `matroska`), None when it is no EBML."""
    at = head.find(_DOCTYPE, 4, _DOCTYPE_WITHIN)
    if not head.startswith(_EBML) or at < 0 or at + 3 > len(head):
        return None
    return head[at + 3 : at + 3 + (head[at + 2] & 0x7F)].rstrip(b"\0")


def adts_frame_length(header: bytes) -> int | None:
    """Length in bytes of the AAC frame whose ADTS header (ISO/IEC 13818-7) `header` begins with, or None."""
    if len(header) < _ADTS_HEADER or header[0] != 0xFF or header[1] & 0xF6 != 0xF0:
        return None
    length = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return length if length > _ADTS_HEADER and header[2] >> 2 & 15 < _ADTS_RATES else None


def is_adts(head: bytes, start: int = 0) -> bool:
    """AAC in ADTS: a frame at `start` and another behind it, as far as `head` goes."""
    length = adts_frame_length(head[start : start + _ADTS_HEADER])
    if length is None:
        return False
    following = head[start + length : start + length + _ADTS_HEADER]
    return len(following) < _ADTS_HEADER or adts_frame_length(following) is not None


def is_aiff(head: bytes) -> bool:
    """AIFF, or AIFF-C of whatever encoding."""
    return head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC")


def is_amr(head: bytes) -> bool:
    """AMR, narrow or wide, of one channel."""
    return head.startswith((AMR_MAGIC, AMR_WIDE_MAGIC))


def is_caf(head: bytes) -> bool:
    """Apple's Core Audio Format."""
    return head.startswith(b"caff\0\x01")
