"""The stored inputs of jobs that a filter finds, as items that run again."""

from collections.abc import AsyncIterator
from dataclasses import replace

from pydantic import ConfigDict

from services.api.auth import Caller
from services.api.bulk.items import Found, Item
from services.api.gateway import Gateway
from services.api.routes.jobs import JobFilter
from services.api.views import JobRow
from shared.db.statements import jobs
from shared.db.tables import Batch
from shared.schemas import JobFields, Modality, Priority, Shape

_COPIED = ("client_ref", "subject_id", "site", "device", "acquired_at", "age_years", "sex", "view")
_PAGE = 200


class Again(JobFilter):
    """Which stored inputs run again; the page's own fields mean nothing here."""


class Rerun(Shape):
    """`{"from": {filter}, "version": "..."}`: the inputs of these jobs again, with this version."""

    model_config = ConfigDict(extra="forbid", validate_by_name=True)

    from_: Again
    version: str | None = None
    priority: Priority = Priority.BULK


async def count(gateway: Gateway, caller: Caller, wanted: Rerun, most: int) -> int:
    """How many jobs the filter finds now; counting ends at `most`."""
    async with gateway.begin() as session:
        return await session.scalar(jobs.count(caller.tenant_id, wanted.from_.wanted(), most)) or 0


async def found(gateway: Gateway, caller: Caller, wanted: Rerun, batch: Batch) -> AsyncIterator[Found]:
    """The inputs of the jobs that were there before the batch, newest first."""
    now = wanted.from_.wanted()
    now = replace(now, created_before=min(now.created_before or batch.created_at, batch.created_at))
    while True:
        async with gateway.begin() as session:
            rows = [JobRow.of(row) for row in await session.execute(jobs.page(caller.tenant_id, now, _PAGE))]
        if not rows:
            return
        now = replace(now, before=rows[-1].job.id)
        yield [_item(row, wanted) for row in rows]


def _item(row: JobRow, wanted: Rerun) -> Item:
    """A job's input with what its job said, and the version that was asked for."""
    job, stored = row.job, row.input
    fields = JobFields(
        modality=Modality(job.modality),
        version=wanted.version,
        priority=wanted.priority,
        study_id=row.study,
        **{name: getattr(job, name) for name in _COPIED},
    )
    return Item(0, str(job.id), fields, stored.sha256, stored.size_bytes, stored.media_type)
