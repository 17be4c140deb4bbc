"""From lines to committed jobs: a few hundred at a time, blobs before rows, what is bad told and the rest goes on."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from anyio import to_thread
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.auth import Caller
from services.api.bulk.archive import Archive
from services.api.bulk.contracts import Contracts
from services.api.bulk.items import Found, Item, row, told, whole
from services.api.bulk.manifest import Line, Lines, Refusal
from services.api.gateway import Gateway
from shared.db.statements import audit, batch_ends, batches
from shared.db.tables import Batch
from shared.errors import Conflict, StorageFull, ThoracleError, TooLarge, Unprocessable
from shared.faults import fault
from shared.storage import BlobGroup, BlobWriter
from shared.telemetry import JOBS_ACCEPTED

LEASE_S = 600.0  # most seconds between two parts of a request, after which it counts as given up
_CHUNK_BYTES = 64 << 20


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
    _contracts: Contracts = field(init=False)

    def __post_init__(self) -> None:
        self._contracts = Contracts(self.gateway, self.caller.tenant_id, self.batch.pinned)

    async def from_archive(self, archive: Archive, lines: Lines) -> None:
        """Every line with a file of the archive."""
        for chunk in _chunks(archive, lines):
            with self.gateway.store.group(self.caller.tenant_id) as group:
                found = await to_thread.run_sync(self._unpack, archive, chunk, group)
                await self._add(found, group)

    async def from_files(self, files: Sequence[tuple[Line, BlobWriter | ThoracleError]]) -> None:
        """Lines with what came for each: a whole file, or why there is none."""
        with self.gateway.store.group(self.caller.tenant_id) as group:
            for _, got in files:
                if isinstance(got, BlobWriter):
                    group.take(got)
            await self._add([_received(line, got, group) for line, got in files], group)

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
            fault("batch.filled")
        self.receipt.made += len(fresh)
        self.receipt.known += known
        self.receipt.refused += refused
        for item in fresh:
            JOBS_ACCEPTED.labels(item.modality, item.fields.priority).inc()
        for modality in {item.modality for item in fresh}:
            self.gateway.wake(modality)

    async def _fresh(self, session: AsyncSession, items: list[Item]) -> tuple[list[Item], list[Refusal], int]:
        """What the batch lacks, what says something else now, how many it has. Locks the batch. Raises Conflict."""
        query = batches.one(self.caller.tenant_id, self.batch.id).with_for_update()
        batch = (await session.scalars(query.execution_options(populate_existing=True))).one()
        if batch.cancelled_at is not None:
            raise Conflict("batch_cancelled")
        await session.execute(batch_ends.later(batch.id, LEASE_S))
        found = await session.execute(batches.known(batch.id, [item.key for item in items]))
        held = {job.item: job for job in found}
        changed = [
            Refusal(item.number, item.key, Unprocessable("item_changed"))
            for item in items
            if item.key in held and item.differs(held[item.key])
        ]
        return [item for item in items if item.key not in held], changed, len(held) - len(changed)

    async def _write(self, session: AsyncSession, fresh: list[Item], refused: list[Refusal]) -> None:
        tenant, batch = self.caller.tenant_id, self.batch.id
        if fresh:
            rows = [row(item) for item in fresh]
            await session.execute(batches.fill(tenant, self.caller.principal_id, batch, rows))
            await session.execute(batches.accepted(batch, [item.key for item in fresh]))
        lasting = [refusal for refusal in refused if refusal.problem.code != "item_changed"]
        if lasting:
            await session.execute(batches.refuse([told(tenant, batch, refusal) for refusal in lasting]))
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
            return whole(line, fields, writer)
        except StorageFull:
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
                await self._contracts.check(item)
                items.append(item)
            except ThoracleError as problem:
                refused.append(Refusal(item.number, item.key, problem))
                if group is not None and item.writer is not None:
                    group.drop(item.writer)
        return items, refused


def _received(line: Line, got: BlobWriter | ThoracleError, group: BlobGroup) -> Item | Refusal:
    if isinstance(got, ThoracleError):
        return Refusal(line.number, line.key, got)
    try:
        return whole(line, line.fields(), got)
    except StorageFull:
        raise
    except ThoracleError as problem:
        group.drop(got)
        return Refusal(line.number, line.key, problem)


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
