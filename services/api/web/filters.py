"""The worklist's filters: what an address says, as the form shows it and as the statement wants it."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

from pydantic import ValidationError

from services.api.routes.jobs import JobFilter
from shared.db.statements.wanted import Wanted
from shared.errors import Unprocessable
from shared.schemas import Decision, JobState, Modality, Priority, ReviewState

OPEN, UNANSWERED = "open", "unanswered"
_GROUPS = {
    OPEN: [JobState.QUEUED, JobState.RUNNING],
    UNANSWERED: [JobState.FAILED, JobState.REJECTED, JobState.DEAD],
}
CHOICES: Mapping[str, list[str]] = {
    "modality": list(Modality),
    "status": [OPEN, UNANSWERED, *JobState],
    "decision": list(Decision),
    "review": list(ReviewState),
    "priority": list(Priority),
}
TEXTS = ("client_ref_prefix", "subject_id", "site")
DAYS = ("since", "until")
_NAMES = (*CHOICES, *TEXTS, *DAYS, "batch")


class Chosen(NamedTuple):
    """What somebody chose. `values` are as the form has them, without what was left open."""

    values: dict[str, str]
    wanted: Wanted

    def address(self, **more: str) -> str:
        """The worklist with these filters."""
        query = urlencode({**self.values, **more})
        return f"/?{query}" if query else "/"


NONE = Chosen({}, Wanted())


def chosen(query: Mapping[str, str]) -> Chosen:
    """From an address. A field that was left empty counts as not sent. Raises Unprocessable, BadRequest."""
    said = {name: query[name].strip() for name in _NAMES if query.get(name, "").strip()}
    try:
        wanted = JobFilter.model_validate({**_as_api(said), "cursor": query.get("cursor")})
    except (ValidationError, ValueError, OverflowError):
        raise Unprocessable from None
    return Chosen(said, wanted.wanted())


def _as_api(said: Mapping[str, str]) -> dict[str, object]:
    """The same filter as the API takes it: groups of states as states, days as times."""
    values: dict[str, object] = {name: value for name, value in said.items() if name not in DAYS}
    if status := said.get("status"):
        values["status"] = _GROUPS.get(status, [status])
    if since := said.get("since"):
        values["created_after"] = f"{date.fromisoformat(since)}T00:00:00Z"
    if until := said.get("until"):
        values["created_before"] = f"{date.fromisoformat(until) + timedelta(days=1)}T00:00:00Z"
    return values
