"""One request for a batch: which of three kinds it is, room for it, the batch of its key, and filling that."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO
from uuid import UUID

from anyio import to_thread
from fastapi import Request
from pydantic import ConfigDict, ValidationError

from services.api.auth import Caller
from services.api.bulk import manifest
from services.api.bulk.archive import MANIFEST, Archive, EntryDamaged
from services.api.bulk.filling import Filling, Found, Item, Receipt
from services.api.bulk.manifest import Line, Lines
from services.api.fields import FieldRefused
from services.api.gateway import Gateway, of
from services.api.intake import announced, pieces
from services.api.problems import request_id
from services.api.routes.jobs import JobFilter
from services.api.views import JobRow
from shared.db.statements import batches, jobs
from shared.db.tables import Batch, new_id
from shared.errors import Conflict, StorageFull, TooLarge, Unprocessable, UnsupportedInput
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


@dataclass
class Submission:
    """One request of one caller for the batch of a key."""

    request: Request
    caller: Caller
    key: str
    client_ref: str | None

    async def accept(self) -> tuple[UUID, Receipt]:
        """Commit every job that can be made. Raises ThoracleError; what was committed before stays and is known."""
        kinds = {
            "application/zip": self._archive,
            "application/x-ndjson": self._references,
            "application/json": self._rerun,
        }
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if self.request.headers.get("content-encoding", "identity").lower() != "identity":
            raise UnsupportedInput("encoding_refused")
        if kind not in kinds:
            raise UnsupportedInput("batch_format")
        filling = await kinds[kind]()
        return filling.batch.id, filling.receipt

    async def again(self, values: Rerun) -> tuple[UUID, Receipt]:
        """The same for a filter that is no request's body."""
        filling = await self._refilled(values)
        return filling.batch.id, filling.receipt

    async def _archive(self) -> Filling:
        settings = self._gateway.settings
        most = settings.max_batch_mb << 20
        with self._room(1, announced(self.request)), self._gateway.store.scratch() as file:
            await self._receive(file, most)
            archive = await to_thread.run_sync(Archive, file, settings.max_batch_items, most)
            lines = await to_thread.run_sync(_manifest, archive, settings.max_batch_items)
            size = sum(archive.size(line.source) or 0 for line in lines if isinstance(line, Line))
            with self._room(_some(lines), size):
                filling = await self._filling()
                await filling.from_archive(archive, lines)
        return filling

    async def _references(self) -> Filling:
        body = await self._body()
        lines = await to_thread.run_sync(manifest.from_ndjson, [body], self._gateway.settings.max_batch_items)
        with self._room(_some(lines), 0):
            filling = await self._filling()
            await filling.from_stored(lines)
        return filling

    async def _rerun(self) -> Filling:
        body = await self._body()
        try:
            values = Rerun.model_validate_json(body.replace(b'"from"', b'"from_"', 1))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            raise FieldRefused(".".join(str(part) for part in first["loc"]), f"{first['msg']}.") from None
        return await self._refilled(values)

    async def _refilled(self, values: Rerun) -> Filling:
        filling = await self._filling()
        with self._room(1, 0):
            await filling.from_items(self._again(values, filling.batch))
        return filling

    async def _again(self, rerun: Rerun, batch: Batch) -> AsyncIterator[Found]:
        """The inputs of the jobs that were there before the batch, newest first."""
        wanted, left = rerun.from_.wanted(), self._gateway.settings.max_batch_items
        bound = min(wanted.created_before or batch.created_at, batch.created_at)
        before = wanted.before
        while True:
            now = jobs.Wanted(**{**wanted.__dict__, "created_before": bound, "before": before})
            async with self._gateway.begin() as session:
                found = await session.execute(jobs.page(self.caller.tenant_id, now, _PAGE))
                rows = [JobRow.of(row) for row in found]
            left -= len(rows)
            if left < 0:
                raise Unprocessable("batch_too_large", most=self._gateway.settings.max_batch_items)
            if not rows:
                return
            before = rows[-1].job.id
            yield [_item(row, rerun) for row in rows]

    async def _filling(self) -> Filling:
        """The batch of the key, made now or before."""
        caller, gateway = self.caller, self._gateway
        async with gateway.begin() as session:
            await session.execute(
                batches.make(
                    id=new_id(),
                    tenant=caller.tenant_id,
                    principal=caller.principal_id,
                    key=self.key,
                    client_ref=self.client_ref,
                )
            )
            batch = (await session.scalars(batches.of_key(caller.principal_id, self.key))).one()
        if batch.cancelled_at is not None:
            raise Conflict("batch_cancelled")
        return Filling(gateway, caller, batch, request_id(self.request))

    async def _receive(self, file: BinaryIO, most: int) -> None:
        if announced(self.request) > most:
            raise TooLarge(limit_mb=most >> 20)
        async for piece in pieces(self.request):
            most -= len(piece)
            if most < 0:
                raise TooLarge(limit_mb=self._gateway.settings.max_batch_mb)
            try:
                file.write(piece)
            except OSError as error:
                raise StorageFull from error

    async def _body(self) -> bytes:
        if announced(self.request) > manifest.MOST_BYTES:
            raise TooLarge(limit_mb=manifest.MOST_BYTES >> 20)
        whole = bytearray()
        async for piece in pieces(self.request):
            whole += piece
            if len(whole) > manifest.MOST_BYTES:
                raise TooLarge(limit_mb=manifest.MOST_BYTES >> 20)
        return bytes(whole)

    def _room(self, count: int, size_bytes: int) -> AbstractContextManager[None]:
        return self._gateway.admission.room(self.caller.tenant_id, size_bytes, count, bulk=True)

    @property
    def _gateway(self) -> Gateway:
        return of(self.request)


def _some(lines: Lines) -> int:
    if not lines:
        raise Unprocessable("batch_empty")
    return len(lines)


def _manifest(archive: Archive, most: int) -> Lines:
    if archive.size(MANIFEST) is None:
        raise Unprocessable("manifest_missing")
    try:
        return manifest.from_csv(archive.pieces(MANIFEST, manifest.MOST_BYTES), most)
    except EntryDamaged:
        raise Unprocessable("manifest_broken", why="it is damaged, or larger than it may be.") from None


def _item(row: JobRow, rerun: Rerun) -> Item:
    """A job's input with what its job said, and the version that was asked for."""
    job, stored = row.job, row.input
    fields = JobFields(
        modality=Modality(job.modality),
        version=rerun.version,
        priority=rerun.priority,
        study_id=row.study,
        **{name: getattr(job, name) for name in _COPIED},
    )
    return Item(0, str(job.id), fields, stored.sha256, stored.size_bytes, stored.media_type)
