"""Opaque cursors: where the next page starts. What they hold is no secret, and every page is scoped again."""

import base64
import binascii
from uuid import UUID

from shared.errors import BadRequest


def encode(last: UUID | int | tuple[int, UUID]) -> str:
    """The cursor of what follows the row that stands here."""
    raw = _bytes(last[0]) + _bytes(last[1]) if isinstance(last, tuple) else _bytes(last)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def to_pair(cursor: str | None) -> tuple[int, UUID] | None:
    """Where rows go on that are sorted by a number, then by id. Raises BadRequest."""
    if cursor is None:
        return None
    raw = _decode(cursor, 24)
    return _number(raw[:8]), UUID(bytes=raw[8:])


def to_uuid(cursor: str | None) -> UUID | None:
    """Where rows go on that are sorted by id. Raises BadRequest."""
    return None if cursor is None else UUID(bytes=_decode(cursor, 16))


def to_int(cursor: str | None) -> int | None:
    """Where numbered rows go on. Raises BadRequest."""
    if cursor is None:
        return None
    return _number(_decode(cursor, 8))


def _bytes(place: UUID | int) -> bytes:
    return place.bytes if isinstance(place, UUID) else place.to_bytes(8, "big")


def _number(raw: bytes) -> int:
    number = int.from_bytes(raw, "big")
    if number >= 2**63:
        raise BadRequest("cursor_invalid")
    return number


def _decode(cursor: str, length: int) -> bytes:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest("cursor_invalid") from None
    if len(raw) != length:
        raise BadRequest("cursor_invalid")
    return raw
