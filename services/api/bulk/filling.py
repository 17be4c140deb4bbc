"""From lines to committed jobs: a few hundred at a time, blobs before rows, what is bad told and the rest goes on."""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from anyio import to_thread
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.accept import answering, possible_modality
from services.api.auth import Caller
from services.api.bulk.archive import Archive
from services.api.bulk.manifest import Line, Lines, Refusal
from services.api.gateway import Gateway
from shared.db.statements import audit, batches
from shared.db.tables import PRIORITY_RANK, Batch, Version, new_id
from shared.errors import Conflict, StorageFull, ThoracleError, TooLarge, Unavailable, Unprocessable, UnsupportedInput
from shared.schemas import Card, JobFields, Modality
from shared.sniff import sniff
from shared.storage import BlobGroup, BlobWriter
from shared.telemetry import JOBS_ACCEPTED

_CHUNK_BYTES = 64 << 20
_TOLD = ("client_ref", "subject_id", "site", "device", "acquired_at", "age_years", "view", "not_before", "not_after")
_FATAL = (StorageFull,)


@dataclass
class Item:
    """A line whose input is at hand: its bytes in a writer that is not yet durable, or stored before."""

    number: int
    key: str
    fields: JobFields
    sha256: str
    size_bytes: int
    media_type: str
    writer: BlobWriter | None = None
    version: UUID | None = None

    @property
    def modality(self) -> Modality:
        """What the file is taken for. Raises Unprocessable, UnsupportedInput."""
        return possible_modality(self.media_type, self.fields.modality)


Found = list[Item | Refusal]


@dataclass
class Receipt:
    """What one request did to its batch."""

    made: int = 0
    known: int = 0
    refused: list[Refusal] = field(default_factory=list)


@dataclass
class Filling:
    """One request that fills one batch."""

    gateway: Gateway
    caller: Caller
    batch: Batch
    request_id: str | None
    receipt: Receipt = field(default_factory=Receipt)
    _versions: dict[tuple[Modality, str | None], tuple[UUID, Card] | ThoracleError] = field(default_factory=dict)

    async def from_archive(self, archive: Archive, lines: Lines) -> None:
        """Every line with a file of the archive."""
        for chunk in _chunks(archive, lines):
            with self.gateway.store.group(self.caller.tenant_id) as group:
                found = await to_thread.run_sync(self._unpack, archive, chunk, group)
                await self._add(found, group)

    async def from_stored(self, lines: Lines) -> None:
        """Every line with an input of the tenant that is stored already."""
        for at in range(0, len(lines), batches.SLICE):
            await self._add(await self._stored(lines[at : at + batches.SLICE]), None)

    async def from_items(self, chunks: AsyncIterator[Found]) -> None:
        """Items that were found in another way."""
        async for chunk in chunks:
            await self._add(chunk, None)

    async def _add(self, found: Found, group: BlobGroup | None) -> None:
        items, refused = await self._checked(found, group)
        if group is not None:
            await to_thread.run_sync(group.commit)
        async with self.gateway.begin() as session:
            fresh, changed, known = await self._fresh(session, items)
            refused += changed
            await self._write(session, fresh, refused)
        self.receipt.made += len(fresh)
        self.receipt.known += known
        self.receipt.refused += refused
        for item in fresh:
            JOBS_ACCEPTED.labels(item.modality, item.fields.priority).inc()
        for modality in {item.modality for item in fresh}:
            self.gateway.wake(modality)

    async def _fresh(self, session: AsyncSession, items: list[Item]) -> tuple[list[Item], list[Refusal], int]:
        """What the batch lacks, what came with other bytes, how many it has. Locks the batch. Raises Conflict."""
        query = batches.one(self.caller.tenant_id, self.batch.id).with_for_update()
        batch = (await session.scalars(query.execution_options(populate_existing=True))).one()
        if batch.cancelled_at is not None:
            raise Conflict("batch_cancelled")
        rows = await session.execute(batches.known(batch.id, [item.key for item in items]))
        held: dict[str, str] = {row.item: row.sha256 for row in rows}
        changed = [
            Refusal(item.number, item.key, Unprocessable("item_changed"))
            for item in items
            if item.sha256 != held.get(item.key, item.sha256)
        ]
        return [item for item in items if item.key not in held], changed, len(held) - len(changed)

    async def _write(self, session: AsyncSession, fresh: list[Item], refused: list[Refusal]) -> None:
        tenant, batch = self.caller.tenant_id, self.batch.id
        if fresh:
            rows = [_row(item) for item in fresh]
            await session.execute(batches.fill(tenant, self.caller.principal_id, batch, rows))
            await session.execute(batches.accepted(batch, [item.key for item in fresh]))
        told = [refusal for refusal in refused if refusal.problem.code != "item_changed"]
        if told:
            await session.execute(batches.refuse([_told(tenant, batch, refusal) for refusal in told]))
        await session.execute(audit.event(self.caller, "batch.submit", "batch", str(batch), self.request_id))

    def _unpack(self, archive: Archive, lines: Lines, group: BlobGroup) -> Found:
        return [line if isinstance(line, Refusal) else self._unpacked(archive, line, group) for line in lines]

    def _unpacked(self, archive: Archive, line: Line, group: BlobGroup) -> Item | Refusal:
        most = self.gateway.settings.max_upload_mb << 20
        writer: BlobWriter | None = None
        try:
            fields, size = line.fields(), archive.size(line.source)
            if size is None:
                raise Unprocessable("item_file_missing")
            if size > most:
                raise TooLarge(limit_mb=most >> 20)
            writer = group.writer()
            for piece in archive.pieces(line.source, most):
                writer.write(piece)
            return _whole(line, fields, writer)
        except _FATAL:
            raise
        except ThoracleError as problem:
            if writer is not None:
                group.drop(writer)
            return Refusal(line.number, line.key, problem)

    async def _stored(self, lines: Lines) -> Found:
        addresses = [line.source for line in lines if isinstance(line, Line)]
        async with self.gateway.look() as connection:
            rows = (await connection.execute(batches.inputs(self.caller.tenant_id, addresses))).all()
        held = {row.sha256: (row.size_bytes, row.media_type) for row in rows}
        return [line if isinstance(line, Refusal) else self._held(line, held) for line in lines]

    def _held(self, line: Line, held: Mapping[str, tuple[int, str]]) -> Item | Refusal:
        try:
            known = held.get(line.source)
            if known is None or not self.gateway.store.path(self.caller.tenant_id, line.source).is_file():
                raise Unprocessable("input_unknown")
            return Item(line.number, line.key, line.fields(), line.source, *known)
        except ThoracleError as problem:
            return Refusal(line.number, line.key, problem)

    async def _checked(self, found: Found, group: BlobGroup | None) -> tuple[list[Item], list[Refusal]]:
        """Items that a version will answer, and refusals with those that none will."""
        items: list[Item] = []
        refused = [line for line in found if isinstance(line, Refusal)]
        for item in found:
            if isinstance(item, Refusal):
                continue
            try:
                await self._check(item)
                items.append(item)
            except ThoracleError as problem:
                refused.append(Refusal(item.number, item.key, problem))
                if group is not None and item.writer is not None:
                    group.drop(item.writer)
        return items, refused

    async def _check(self, item: Item) -> None:
        wanted = (item.modality, item.fields.version)
        if wanted not in self._versions:
            self._versions[wanted] = await self._answering(*wanted)
        answer = self._versions[wanted]
        if isinstance(answer, ThoracleError):
            raise answer
        contract = answer[1].input
        if item.media_type not in contract.media_types:
            raise UnsupportedInput
        if item.size_bytes > contract.max_bytes:
            raise TooLarge(limit_mb=contract.max_bytes >> 20)
        item.version = answer[0]

    async def _answering(self, modality: Modality, name: str | None) -> tuple[UUID, Card] | ThoracleError:
        pinned = self.batch.pinned.get(modality)
        try:
            async with self.gateway.begin() as session:
                if name is None and pinned is not None:
                    version = await session.get_one(Version, UUID(pinned))
                    if version.recalled_at is not None:
                        raise Conflict("version_recalled")
                elif name is None:
                    raise Unavailable("no_version")
                else:
                    version = await answering(session, self.caller.tenant_id, modality, name)
                return version.id, (await self.gateway.cards.of(session, [version.id]))[version.id]
        except ThoracleError as problem:
            return problem


def _whole(line: Line, fields: JobFields, writer: BlobWriter) -> Item:
    writer.close()
    if writer.size_bytes == 0:
        raise Unprocessable("input_empty")
    media_type = sniff(writer.head)
    if media_type is None:
        raise UnsupportedInput
    return Item(line.number, line.key, fields, writer.sha256, writer.size_bytes, media_type, writer)


def _chunks(archive: Archive, lines: Lines) -> Iterator[Lines]:
    """Runs of lines that are few and small enough for one transaction."""
    chunk: Lines = []
    size = 0
    for line in lines:
        if len(chunk) == batches.SLICE or size > _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(line)
        size += (archive.size(line.source) or 0) if isinstance(line, Line) else 0
    if chunk:
        yield chunk


def _row(item: Item) -> dict[str, Any]:
    """An item as `batches.fill` takes it: JSON values under the names of columns."""
    said = item.fields.model_dump(mode="json", include=set(_TOLD), exclude_none=True)
    return {
        **said,
        "id": str(new_id()),
        "input_id": str(new_id()),
        "study_id": str(new_id()) if item.fields.study_id else None,
        "study": item.fields.study_id,
        "item": item.key,
        "modality": item.modality,
        "priority": PRIORITY_RANK[item.fields.priority],
        "requested_id": str(item.version),
        "sex": item.fields.sex,
        "sha256": item.sha256,
        "size_bytes": item.size_bytes,
        "media_type": item.media_type,
    }


def _told(tenant: UUID, batch: UUID, refusal: Refusal) -> dict[str, Any]:
    problem = refusal.problem
    ids = {"batch_id": batch, "tenant_id": tenant, "item": refusal.key, "line": refusal.number}
    return {**ids, "code": problem.code, "detail": problem.detail}
