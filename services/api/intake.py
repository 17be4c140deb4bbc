"""From a request's bytes to a whole upload on disk that is not yet accepted: streamed, hashed, sniffed, capped.

Leaving the context without `commit` removes every trace of the upload.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from uuid import UUID

from anyio import to_thread
from fastapi import Request

from services.api.fields import parse
from services.api.form import Form, boundary_of
from services.api.gateway import of
from shared.errors import BadRequest, ThoracleError, TooLarge, TooSlow, Unprocessable, UnsupportedInput
from shared.schemas import JobFields
from shared.sniff import sniff
from shared.storage import Blob, BlobWriter

PROGRESS_S = 20.0
WHOLE_S = 900.0
_SLOWEST = 1024  # bytes a second, on average; who trickles is cut, so that open sockets cost the sender too
_DRAIN_S = 10.0
_AROUND_BYTES = 128 * 2**10  # text fields, part headers and boundaries around the file


@dataclass(frozen=True)
class Upload:
    """A whole file with what its sender said about it."""

    fields: JobFields
    media_type: str
    _writer: BlobWriter

    @property
    def sha256(self) -> str:
        """The address that the blob will have."""
        return self._writer.sha256

    @property
    def size_bytes(self) -> int:
        """Bytes of the file."""
        return self._writer.size_bytes

    async def commit(self) -> Blob:
        """Make the blob durable; the disk is waited for in a thread."""
        return await to_thread.run_sync(self._writer.commit)


@asynccontextmanager
async def received(request: Request, tenant: UUID, *, repeated: bool = False) -> AsyncIterator[Upload]:
    """Read the request into the tenant's store and check what can be checked without the database.

    Without room for one more job nothing is read, unless the request is `repeated` and will add none.
    """
    boundary = boundary_of(request)
    room = nullcontext() if repeated else of(request).admission.room(tenant, announced(request))
    with room, of(request).store.writer(tenant) as writer:
        form = Form(boundary, writer, _most(request))
        await _feed(request, form)
        form.finish()
        fields = parse(form.fields)
        if writer.size_bytes == 0:
            raise Unprocessable("input_empty")
        media_type = sniff(writer.head)
        if media_type is None:
            raise UnsupportedInput
        yield Upload(fields, media_type, writer)


async def _feed(request: Request, form: Form) -> None:
    stream = pieces(request)
    try:
        _check_length(request)
        room = _most(request) + _AROUND_BYTES
        async for piece in stream:
            room -= len(piece)
            if room < 0:
                raise _too_large(request)
            form.feed(piece)
    except TooSlow:
        raise
    except ThoracleError:
        # A client that is still sending would lose the answer to a closed connection: let it finish, within reason.
        await _drain(stream, 2 * _most(request))
        raise


def _check_length(request: Request) -> None:
    if announced(request) > _most(request) + _AROUND_BYTES:
        raise _too_large(request)


def announced(request: Request) -> int:
    """The length that the sender promises, 0 when it promises none. Raises BadRequest."""
    value = request.headers.get("content-length", "0")
    if not (value.isascii() and value.isdigit()):
        raise BadRequest
    return int(value)


async def pieces(request: Request) -> AsyncIterator[bytes]:
    """The body's pieces, each in time. Raises TooSlow; ClientDisconnect when the sender is gone."""
    clock = asyncio.get_running_loop().time
    begun, size = clock(), 0
    stream = request.stream()
    while True:
        due = min(begun + WHOLE_S, clock() + PROGRESS_S, begun + PROGRESS_S + size / _SLOWEST)
        try:
            async with asyncio.timeout_at(due):
                piece = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise TooSlow from None
        size += len(piece)
        yield piece


async def _drain(pieces: AsyncIterator[bytes], most: int) -> None:
    left = most
    try:
        async with asyncio.timeout(_DRAIN_S):
            async for piece in pieces:
                left -= len(piece)
                if left < 0:
                    return
    except (TimeoutError, TooSlow):
        return


def _most(request: Request) -> int:
    return of(request).settings.max_upload_mb * 2**20


def _too_large(request: Request) -> TooLarge:
    return TooLarge(limit_mb=of(request).settings.max_upload_mb)
