"""One request for a batch: which of three kinds it is, room for it, the batch of its key, and filling that."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO
from uuid import UUID

from anyio import to_thread
from fastapi import Request
from pydantic import ValidationError

from services.api.auth import Caller
from services.api.bulk import manifest, rerun
from services.api.bulk.archive import MANIFEST, Archive, EntryDamaged
from services.api.bulk.filling import LEASE_S, Filling, Receipt
from services.api.bulk.manifest import Line, Lines
from services.api.bulk.parted import Matching, PartedForm
from services.api.bulk.rerun import Rerun
from services.api.fields import FieldRefused
from services.api.form import boundary_of
from services.api.gateway import Gateway, of
from services.api.intake import announced, pieces
from services.api.problems import request_id
from shared.db.statements import batch_ends, batches
from shared.db.tables import new_id
from shared.errors import Conflict, StorageFull, TooLarge, Unprocessable, UnsupportedInput


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
            "multipart/form-data": self._form,
        }
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if self.request.headers.get("content-encoding", "identity").lower() != "identity":
            raise UnsupportedInput("encoding_refused")
        if kind not in kinds:
            raise UnsupportedInput("batch_format")
        return await self._whole(await kinds[kind]())

    async def again(self, values: Rerun) -> tuple[UUID, Receipt]:
        """The same for a filter that is no request's body."""
        return await self._whole(await self._refilled(values))

    async def _whole(self, filling: Filling) -> tuple[UUID, Receipt]:
        """Nothing more comes with this request: the batch may be at its end."""
        async with self._gateway.begin() as session:
            await session.execute(batch_ends.later(filling.batch.id, 0))
        return filling.batch.id, filling.receipt

    async def _archive(self) -> Filling:
        settings = self._gateway.settings
        most = settings.max_batch_mb << 20
        with self._room(1, announced(self.request)), self._gateway.store.scratch() as file:
            await self._receive(file)
            archive = await to_thread.run_sync(Archive, file, settings.max_batch_items, most)
            lines = await to_thread.run_sync(_manifest, archive, settings.max_batch_items)
            size = sum(archive.size(line.source) or 0 for line in lines if isinstance(line, Line))
            with self._room(_some(lines), size):
                filling = await self._filling()
                await filling.from_archive(archive, lines)
        return filling

    async def _form(self) -> Filling:
        gateway, settings = self._gateway, self._gateway.settings
        writer = partial(gateway.store.writer, self.caller.tenant_id)
        boundary, most = boundary_of(self.request), settings.max_batch_items
        with PartedForm(boundary, writer, most, settings.max_upload_mb << 20) as form, ExitStack() as rooms:
            rooms.enter_context(self._room(1, announced(self.request)))
            stream = self._pieces(settings.max_batch_mb)
            body = await form.first(stream)
            lines = await to_thread.run_sync(partial(manifest.from_ndjson, [body], most, files=True))
            rooms.enter_context(self._room(_some(lines), 0))
            filling = await self._filling()
            matching = Matching(lines)
            async for piece in stream:
                form.feed(piece)
                if form.full:
                    await filling.from_files(matching.pairs(form.take()))
            form.finish()
            await filling.from_files(matching.pairs(form.take()))
            await filling.from_stored(matching.rest())
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
        most = self._gateway.settings.max_batch_items
        count = await rerun.count(self._gateway, self.caller, values, most + 1)
        if count > most:
            raise Unprocessable("batch_too_large", most=most)
        with self._room(count, 0):
            filling = await self._filling()
            await filling.from_items(rerun.found(self._gateway, self.caller, values, filling.batch))
        return filling

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
            await session.execute(batch_ends.later(batch.id, LEASE_S))
        if batch.cancelled_at is not None:
            raise Conflict("batch_cancelled")
        return Filling(gateway, caller, batch, request_id(self.request))

    async def _receive(self, file: BinaryIO) -> None:
        try:
            async for piece in self._pieces(self._gateway.settings.max_batch_mb):
                file.write(piece)
            file.flush()
        except OSError as error:
            raise StorageFull from error

    async def _body(self) -> bytes:
        return b"".join([piece async for piece in self._pieces(manifest.MOST_BYTES >> 20)])

    async def _pieces(self, most_mb: int) -> AsyncIterator[bytes]:
        """The body's pieces, so many megabytes at most. Raises TooLarge, TooSlow."""
        left = most_mb << 20
        if announced(self.request) > left:
            raise TooLarge(limit_mb=most_mb)
        async for piece in pieces(self.request):
            left -= len(piece)
            if left < 0:
                raise TooLarge(limit_mb=most_mb)
            yield piece

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
