"""Two versions on the same studies: what one of them has not answered yet is queued, as no clinical result."""

from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.auth import Caller
from services.api.bulk.filling import Filling
from services.api.bulk.items import Found, Item
from services.api.compared import Begun, find
from services.api.gateway import Gateway
from services.api.moves import Name
from services.api.routes.jobs import JobFilter
from shared.db.statements import audit, batches, comparisons, jobs, versions
from shared.db.tables import Job, Version, new_id
from shared.errors import Conflict, Unprocessable
from shared.schemas import JobFields, JobState, Modality, Priority
from shared.sentences import say

_COPIED = ("client_ref", "subject_id", "site", "device", "acquired_at", "age_years", "sex", "view")


class Wanted(BaseModel):
    """`{"first": ..., "second": ..., "from": {filter}}`: two versions, and the studies to compare them on."""

    model_config = ConfigDict(extra="forbid", validate_by_name=True)

    first: Name = Field(description="sha256 or name")
    second: Name = Field(description="sha256 or name")
    from_: JobFilter = Field(
        default_factory=lambda: JobFilter.model_validate({}),
        alias="from",
        description="Which of your jobs; those with a result unless `status` says otherwise",
    )


async def begin(gateway: Gateway, caller: Caller, wanted: Wanted, key: str | None, request_id: str | None) -> UUID:
    """Make a comparison and queue what is missing. The same key goes on with the one that it made.

    Raises Unprocessable (unknown, not to be compared, nothing or too much found) and Conflict (recalled).
    """
    async with gateway.begin() as session:
        begun = await _made(session, caller, wanted, key, gateway.settings.max_batch_items)
        await session.execute(audit.event(caller, "comparison.create", "comparison", str(begun.row.id), request_id))
    for side, version in (("first", begun.first), ("second", begun.second)):
        await _fill(gateway, caller, begun, version, side, request_id)
    return begun.row.id


async def _made(session: AsyncSession, caller: Caller, wanted: Wanted, key: str | None, most: int) -> Begun:
    first, second = await _comparable(session, wanted)
    states = wanted.from_.status or [JobState.SUCCEEDED]
    chosen = wanted.from_.model_copy(
        update={"modality": Modality(first.modality), "status": states, "cursor": None, "limit": 50}
    )
    said = chosen.model_dump(mode="json", exclude_defaults=True)
    if not await _found(session, caller, chosen, most):
        raise Unprocessable("comparison_empty")
    ids = {"id": new_id(), "tenant_id": caller.tenant_id, "principal_id": caller.principal_id, "key": key}
    versions_ = {"first_id": first.id, "second_id": second.id}
    made = await session.scalar(comparisons.make(**ids, **versions_, wanted=said))
    if made is not None:
        await session.execute(comparisons.gather(caller.tenant_id, made, chosen.wanted()))
        return await find(session, caller, made)
    assert key is not None
    row = (await session.scalars(comparisons.of_key(caller.principal_id, key))).one()
    if (row.first_id, row.second_id, row.wanted) != (first.id, second.id, said):
        raise Unprocessable("idempotency_mismatch")
    return Begun(row, first, second)


async def _found(session: AsyncSession, caller: Caller, chosen: JobFilter, most: int) -> int:
    """How many jobs there are. Raises Unprocessable: too many."""
    count = await session.scalar(jobs.count(caller.tenant_id, chosen.wanted(), most + 1)) or 0
    if count > most:
        raise Unprocessable("batch_too_large", most=most)
    return count


async def _comparable(session: AsyncSession, wanted: Wanted) -> tuple[Version, Version]:
    first = await _version(session, wanted.first, wanted.from_.modality)
    second = await _version(session, wanted.second, Modality(first.modality))
    if first.id == second.id:
        raise Unprocessable("comparison_same")
    if first.finding != second.finding:
        raise Unprocessable("comparison_findings")
    if first.recalled_at is not None or second.recalled_at is not None:
        raise Conflict("version_recalled")
    return first, second


async def _version(session: AsyncSession, name: str, modality: Modality | None) -> Version:
    """By sha256 or name; a name that several modalities have must come with one. Raises Unprocessable."""
    places = [modality] if modality is not None else list(Modality)
    found = [version for place in places if (version := await session.scalar(versions.named(place, name)))]
    if not found:
        raise Unprocessable("version_unknown")
    if len(found) > 1:
        raise Unprocessable("comparison_ambiguous", name=name)
    return found[0]


async def _fill(
    gateway: Gateway, caller: Caller, begun: Begun, version: Version, side: str, request_id: str | None
) -> None:
    """Queue jobs for what the version has not answered, in a batch of the comparison's own."""
    async with gateway.begin() as session:
        lacks = await session.scalar(comparisons.lacks(caller.tenant_id, begun.row.id, version.id)) or 0
    if not lacks:
        return
    key = f"comparison {begun.row.id} {side}"
    async with gateway.begin() as session:
        values = {"id": new_id(), "tenant": caller.tenant_id, "principal": caller.principal_id, "key": key}
        named = say("comparison.batch", recipe=version.recipe, name=version.name)
        await session.execute(batches.make(**values, client_ref=named, comparison=begun.row.id))
        batch = (await session.scalars(batches.of_key(caller.principal_id, key))).one()
    filling = Filling(gateway, caller, batch, request_id)
    with gateway.admission.room(caller.tenant_id, 0, lacks, bulk=True):
        await filling.from_items(_items(gateway, caller, begun, version))


async def _items(gateway: Gateway, caller: Caller, begun: Begun, version: Version) -> AsyncIterator[Found]:
    after = ""
    while rows := await _missing(gateway, caller, begun, version, after):
        after = rows[-1].JobInput.sha256
        yield [_item(row, version) for row in rows]


async def _missing(gateway: Gateway, caller: Caller, begun: Begun, version: Version, after: str) -> list[Row[Any]]:
    async with gateway.begin() as session:
        query = comparisons.missing(caller.tenant_id, begun.row.id, version.id, after)
        return list((await session.execute(query)).all())


def _item(row: Row[Any], version: Version) -> Item:
    """An input with what its job said, without its study: what it becomes is no result of that study."""
    job: Job = row.Job
    said: Mapping[str, Any] = {name: getattr(job, name) for name in _COPIED}
    fields = JobFields(modality=Modality(job.modality), version=version.sha256, priority=Priority.BULK, **said)
    return Item(0, row.JobInput.sha256, fields, row.JobInput.sha256, row.JobInput.size_bytes, row.JobInput.media_type)
