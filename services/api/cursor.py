"""Opaque cursors: where the next page starts. What they hold is no secret, and every page is scoped again."""

import base64
import binascii
from uuid import UUID

from shared.errors import BadRequest


def encode(last: UUID | int) -> str:
    """The cursor of the page after this row."""
    raw = last.bytes if isinstance(last, UUID) else last.to_bytes(8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def encode_pair(transaction: int, last: UUID) -> str:
    """The cursor of what ended after this job."""
    raw = transaction.to_bytes(8, "big") + last.bytes
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def to_pair(cursor: str | None) -> tuple[int, UUID] | None:
    """Where results go on. Raises BadRequest."""
    if cursor is None:
        return None
    raw = _decode(cursor, 24)
    transaction = int.from_bytes(raw[:8], "big")
    if transaction >= 2**63:
        raise BadRequest("cursor_invalid")
    return transaction, UUID(bytes=raw[8:])


def to_uuid(cursor: str | None) -> UUID | None:
    """Where a page of jobs starts. Raises BadRequest."""
    return None if cursor is None else UUID(bytes=_decode(cursor, 16))


def to_int(cursor: str | None) -> int | None:
    """Where a page of numbered rows starts. Raises BadRequest."""
    if cursor is None:
        return None
    number = int.from_bytes(_decode(cursor, 8), "big")
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
