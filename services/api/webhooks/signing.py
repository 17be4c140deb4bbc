"""Standard Webhooks signatures: `v1,` and base64 of HMAC-SHA256 over id, time and body, once per valid secret."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

_PREFIX = "whsec_"


def new_secret() -> bytes:
    """256 random bits."""
    return secrets.token_bytes(32)


def shown(secret: bytes) -> str:
    """A secret as its owner gets it, once."""
    return _PREFIX + base64.b64encode(secret).decode()


def headers(message_id: str, timestamp: int, body: bytes, keys: Iterable[bytes]) -> dict[str, str]:
    """What goes with a message; during a rotation there is a signature of either secret."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
