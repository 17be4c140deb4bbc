"""The audit log as a page: filter it, go through it."""

from datetime import UTC, datetime, time
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from services.api.auth import Signed
from services.api.paging import Text
from services.api.routes import audit
from services.api.web.reader import Reader
from services.api.web.render import page
from shared.sentences import say

router = APIRouter(include_in_schema=False)

_ROWS = 50
_LONGEST = 128


@router.get("/admin/audit")
async def log(
    request: Request,
    caller: Signed,
    action: str = "",
    object_id: str = "",
    actor: str = "",
    since: str = "",
    until: str = "",
    cursor: Text | None = None,
) -> Response:
    """Newest first. Days are whole days in UTC."""
    asked = {"action": action, "object_id": object_id, "actor": actor, "since": since, "until": until}
    first, last = _day(since, time.min), _day(until, time.max)
    words = {"action": _text(action), "object_id": _text(object_id), "actor": _text(actor)}
    chosen = audit.AuditFilter(**words, since=first, until=last, limit=_ROWS, cursor=cursor)
    found = await audit.listed(request, caller, chosen)
    kept = {name: text for name, text in asked.items() if text}
    return page(
        "admin/audit.html",
        reader=Reader.of(caller),
        events=found.events,
        asked=asked,
        filtered=bool(kept),
        older=f"/admin/audit?{urlencode({**kept, 'cursor': found.next})}" if found.next else None,
        newest=f"/admin/audit?{urlencode(kept)}" if cursor else None,
        problem=say("admin.audit.day") if (since and not first) or (until and not last) else None,
    )


def _text(text: str) -> str | None:
    """What a filter compares with: printable, and not for ever."""
    return "".join(letter for letter in text.strip()[:_LONGEST] if letter.isprintable()) or None


def _day(text: str, at: time) -> datetime | None:
    """The beginning or the end of a day; None for what is none."""
    try:
        return datetime.combine(datetime.fromisoformat(text).date(), at, UTC) if text else None
    except ValueError:
        return None
