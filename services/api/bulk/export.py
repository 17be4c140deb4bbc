"""The outcomes of a batch as flat rows, NDJSON or CSV: a page at a time, each with a short look at the database."""

import csv
import io
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from services.api import cursor
from services.api.auth import Caller
from services.api.gateway import Gateway
from services.api.views import JobRow, job_view, versions_of
from shared.db.statements import batches
from shared.schemas import JobView, ResultView

PAGE = 100  # shown between two looks of the event loop at everybody else
COLUMNS: dict[str, str] = {
    "cursor": "where to go on: `?after=` this gives what follows",
    "job_id": "the job",
    "item": "the item's key: the column `key`, else the file or sha256",
    "client_ref": "your own reference",
    "study_id": "your study",
    "subject_id": "your pseudonym of the person",
    "modality": "the kind of input",
    "status": "`succeeded`, `failed`, `rejected`, `cancelled` or `dead`; without `succeeded` there is no result",
    "finding": "what was looked for",
    "label": "the plain answer; empty where the decision is `refer` or the version was recalled",
    "decision": "`flagged`, `not_flagged` or `refer`",
    "sentence": "what may be shown to people",
    "probability": "of the finding, 0 to 1",
    "threshold": "flagged from here on",
    "calibration": "how the probability was calibrated",
    "prevalence": "share of the finding in the data of the calibration",
    "sensitivity": "at the threshold",
    "specificity": "at the threshold",
    "quality": "codes of remarks on the input, with `;` between",
    "reasons": "codes of why the decision is `refer`, with `;` between",
    "warning": "what leads the result when a shortcut does as well",
    "version_recipe": "recipe of the version that answered",
    "version_name": "its name",
    "version_sha256": "its address",
    "reused_from": "the job of the same bytes and version whose score this is; empty when it was computed",
    "queued_ms": "time until a worker took it",
    "total_ms": "time until its result",
    "error_code": "why there is no result",
    "error_detail": "the same as a sentence",
    "input_sha256": "address of the input",
    "created_at": "accepted, UTC",
    "finished_at": "ended, UTC",
    "review": "`none`, `agreed`, `disagreed`, `in_adjudication` or `adjudicated`, as it is when this is read",
    "use": "always `research`",
    "review_label": "what the review came to: `present`, `absent` or empty",
    "reviewed_at": "since when the review is so, UTC",
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the wide letters count too

Flat = dict[str, Any]


async def pages(
    gateway: Gateway, caller: Caller, batch: UUID, after: tuple[int, UUID] | None
) -> AsyncIterator[list[Flat]]:
    """What has ended since the cursor, until nothing more has. No transaction is open between two pages."""
    while True:
        async with gateway.begin() as session:
            found = await session.execute(batches.ended(caller.tenant_id, batch, after, PAGE))
            rows = [JobRow.of(row) for row in found]
            cards = await gateway.cards.of(session, versions_of(rows))
        yield [flat(row, job_view(row, cards, gateway.settings.base_url)) for row in rows]
        if len(rows) < PAGE:
            return
        after = (rows[-1].job.ended_in or 0, rows[-1].job.id)


async def ndjson(found: AsyncIterator[list[Flat]]) -> AsyncIterator[bytes]:
    """One JSON object a line, with every column."""
    async for page in found:
        yield "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in page).encode()


async def as_csv(found: AsyncIterator[list[Flat]]) -> AsyncIterator[bytes]:
    """A header and one line a job. Text that a spreadsheet would run as a formula begins with an apostrophe."""
    yield (",".join(COLUMNS) + "\r\n").encode()
    async for page in found:
        text = io.StringIO()
        csv.writer(text).writerows([_cell(value) for value in row.values()] for row in page)
        yield text.getvalue().encode()


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def flat(row: JobRow, view: JobView) -> Flat:
    """A job as one row; without a batch it has no cursor."""
    result, error = view.result, view.error
    values: Flat = {
        "cursor": cursor.encode((row.job.ended_in or 0, row.job.id)) if row.job.batch_id else None,
        "job_id": str(view.id),
        "item": row.job.item,
        "client_ref": view.client_ref,
        "study_id": view.study_id,
        "subject_id": view.subject_id,
        "modality": view.modality,
        "status": view.status,
        "input_sha256": view.input.sha256,
        "created_at": _time(view.created_at),
        "finished_at": _time(view.finished_at),
        "use": "research",
    }
    if error is not None:
        values |= {"error_code": error.code, "error_detail": error.detail}
    if result is not None:
        values |= _said(result)
    return {name: values.get(name) for name in COLUMNS}


def _said(result: ResultView) -> Flat:
    return {
        "finding": result.finding,
        "label": result.label,
        "decision": result.decision,
        "sentence": result.sentence,
        "probability": result.probability,
        "threshold": result.threshold,
        "calibration": result.probability_basis.calibration,
        "prevalence": result.probability_basis.prevalence,
        "sensitivity": result.operating_point.sensitivity.value,
        "specificity": result.operating_point.specificity.value,
        "quality": ";".join(note.code for note in result.quality),
        "reasons": ";".join(note.code for note in result.reasons),
        "warning": result.warning,
        "version_recipe": result.version.recipe,
        "version_name": result.version.name,
        "version_sha256": result.version.sha256,
        "reused_from": None if result.reused_from is None else str(result.reused_from),
        "queued_ms": result.timings.queued_ms,
        "total_ms": result.timings.total_ms,
        "review": result.review.state,
        "review_label": result.review.label,
        "reviewed_at": _time(result.review.at),
    }


def _time(value: Any) -> str | None:
    return None if value is None else value.isoformat()
