"""Request headers that ask rather than tell: `Prefer` (RFC 7240) and `If-None-Match`."""

import hashlib
import re
from typing import Annotated

from fastapi import Depends, Header, Request

from services.api.gateway import of

_WAIT = re.compile(r"wait\s*=\s*\"?(\d{1,6})\"?")


async def wait_seconds(
    request: Request,
    prefer: Annotated[str, Header(description="`wait=20`: answer when the job has ended, or after 20 s")] = "",
) -> int:
    """For how long the caller would like to wait for the end, capped; 0 when it did not ask."""
    for preference in prefer.split(","):
        found = _WAIT.fullmatch(preference.strip())
        if found:
            return min(int(found[1]), of(request).settings.max_wait_s)
    return 0


Wait = Annotated[int, Depends(wait_seconds)]


def applied(seconds: int) -> dict[str, str]:
    """Say that the wish was heard."""
    return {"Preference-Applied": f"wait={seconds}"} if seconds else {}


def etag_of(body: bytes) -> str:
    """A strong validator of a representation."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def has_already(request: Request, etag: str) -> bool:
    """Whether the caller holds this representation."""
    held = [value.strip().removeprefix("W/") for value in request.headers.get("if-none-match", "").split(",")]
    return etag in held or "*" in held
