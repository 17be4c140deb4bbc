"""The judge of a run: every invariant that the service has the feature for, checked when everything is quiet again.

Not checked here, and why:
- I10 (any process killed at any failpoint) and I13 (Redis wiped) are faults: what must hold after them is I1 to I9.
- I12's bounds on memory and liveness are measured by the client while it runs; here only what it was answered.
- I16's chain and I18 (erasure) are features that the service does not have yet; that every change and every reading
  of a job is in the audit log is checked.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.orm import Session

from shared.db.engine import Database
from shared.settings import Settings
from tests.chaos import queries, told, traces
from tests.chaos.journal import Entry
from tests.chaos.query import Violation
from tests.chaos.traces import Stop, broken
from tests.support.receiver import Message


@dataclass(frozen=True)
class Evidence:
    """What was gathered beside journal and rows. `messages` is what webhooks brought, None where nobody listened.

    `texts` are pages by name (metrics, error bodies) and `files` logs and Redis' own files, in both of which nothing
    about a patient may stand. `stops` are the processes that were told to end.
    """

    messages: Sequence[Message] | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[Path] = ()
    stops: Sequence[Stop] = ()


def check(
    settings: Settings, database: Database, entries: Sequence[Entry], evidence: Evidence | None = None
) -> list[Violation]:
    """All violations, in the order of the invariants. The service has to be at rest, the engines have to run."""
    with database.begin() as session:
        found = [
            *queries.violated(session, settings),
            *told.violated(session, entries),
            *_left(session, settings, evidence or Evidence()),
        ]
    return sorted(found, key=lambda violation: int(violation.invariant[1:]))


def named(violations: Iterable[Violation]) -> set[str]:
    """The invariants that were broken."""
    return {violation.invariant for violation in violations}


def _left(session: Session, settings: Settings, evidence: Evidence) -> Iterator[Violation]:
    yield from broken("I4", traces.echoed_patient.__doc__, traces.echoed_patient(session))
    yield from broken("I5", traces.echoed_version.__doc__, traces.echoed_version(session))
    yield from broken("I5", traces.registered.__doc__, traces.registered(session, settings))
    yield from broken("I11", traces.stopped.__doc__, traces.stopped(evidence.stops))
    yield from broken("I15", traces.stored.__doc__, traces.stored(session, settings))
    yield from broken("I17", traces.private.__doc__, traces.private(settings, evidence.texts, evidence.files))
    if evidence.messages is not None:
        yield from broken("I20", traces.delivered.__doc__, traces.delivered(session, evidence.messages))
