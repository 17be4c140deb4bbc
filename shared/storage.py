"""Blobs by tenant and sha256 on a local disk. A blob exists whole or not at all; the same bytes are kept once."""

import contextlib
import ctypes
import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, BinaryIO, Self
from uuid import UUID

from shared.errors import StorageFull, ThoracleError
from shared.faults import fault


class BlobMissing(ThoracleError):
    """The blob is not there, or no longer the bytes that were stored."""

    code, status = "integrity", 500


@dataclass(frozen=True)
class Blob:
    """A stored blob."""

    sha256: str
    size_bytes: int


class BlobStore:
    """`root/tenant/ab/sha256`; incoming files lie in `root/.incoming` on the same disk, so that a rename commits."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / ".incoming"

    def writer(self, tenant: UUID) -> "BlobWriter":
        """Open a writer; use it as a context manager. Raises StorageFull."""
        try:
            return self._opened(tenant, self._incoming / secrets.token_hex(16))
        except OSError as error:
            raise StorageFull from error

    def _opened(self, tenant: UUID, scratch: Path) -> "BlobWriter":
        try:
            return BlobWriter(self, tenant, scratch)
        except FileNotFoundError:  # the first one
            self._incoming.mkdir(parents=True, exist_ok=True)
            return BlobWriter(self, tenant, scratch)

    def put(self, tenant: UUID, body: bytes) -> Blob:
        """Store bytes that are in memory already."""
        with self.writer(tenant) as writer:
            writer.write(body)
            return writer.commit()

    @contextlib.contextmanager
    def scratch(self) -> Iterator[BinaryIO]:
        """A file without a name on the store's disk: it is gone at the end, or with the process. Raises StorageFull."""
        try:
            self._incoming.mkdir(parents=True, exist_ok=True)
            file = tempfile.TemporaryFile(dir=self._incoming)  # noqa: SIM115 - closed below, whatever the disk says
        except OSError as error:
            raise StorageFull from error
        try:
            yield file
        finally:
            _close(file)

    def group(self, tenant: UUID) -> "BlobGroup":
        """Many blobs that become durable together; use it as a context manager."""
        return BlobGroup(self, tenant, self._root)

    def path(self, tenant: UUID, sha256: str) -> Path:
        """Where a blob lies."""
        return self._root / str(tenant) / sha256[:2] / sha256

    def verified_path(self, tenant: UUID, sha256: str) -> Path:
        """The path of a blob whose bytes still have their sha256. Raises BlobMissing."""
        path = self.path(tenant, sha256)
        try:
            with path.open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() == sha256:
                    return path
        except OSError as error:
            raise BlobMissing from error
        raise BlobMissing

    def chunks(self, tenant: UUID, sha256: str, size: int = 1 << 18) -> Iterator[bytes]:
        """The bytes of a blob, a piece at a time. Raises BlobMissing before the first piece."""
        try:
            stream = self.path(tenant, sha256).open("rb")
        except OSError as error:
            raise BlobMissing from error
        return _pieces(stream, size)


class BlobWriter:
    """Takes bytes as they arrive, counts and hashes them; `commit` makes them durable under their sha256."""

    def __init__(self, store: BlobStore, tenant: UUID, scratch: Path) -> None:
        self._store, self._tenant, self._scratch = store, tenant, scratch
        self._hash, self._placed = hashlib.sha256(), False
        self.size_bytes = 0
        self.head = b""
        self._file = scratch.open("xb")

    def write(self, piece: bytes) -> None:
        """Append. `head` keeps the first 4 KiB for sniffing. Raises StorageFull."""
        if len(self.head) < 4096:
            self.head += piece[: 4096 - len(self.head)]
        self._hash.update(piece)
        self.size_bytes += len(piece)
        try:
            self._file.write(piece)
        except OSError as error:
            raise StorageFull from error

    @property
    def sha256(self) -> str:
        """The address of what was written so far."""
        return self._hash.hexdigest()

    def commit(self) -> Blob:
        """fsync, rename, fsync the folder: after this the blob survives a power cut. Raises StorageFull."""
        blob = Blob(self._hash.hexdigest(), self.size_bytes)
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            fault("blob.synced")
            sync_folder(self.place())
        except OSError as error:
            raise StorageFull from error
        fault("blob.kept")
        return blob

    def close(self) -> None:
        """Hand everything to the operating system; a `BlobGroup` makes it durable. Raises StorageFull."""
        try:
            self._file.close()
        except OSError as error:
            raise StorageFull from error

    def discard(self) -> None:
        """Remove what was written, unless it has been placed."""
        _close(self._file)
        if not self._placed:
            self._scratch.unlink(missing_ok=True)

    def place(self) -> Path:
        """Rename to the blob's address, without waiting for the disk; returns the folder. Raises OSError."""
        target = self._store.path(self._tenant, self.sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        self._scratch.rename(target)
        self._placed = True
        return target.parent

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.discard()


class BlobGroup:
    """Blobs that are synced with the whole disk, twice, instead of each with its folder.

    The first sync comes before any rename: a rename over a blob that others hold must not put bytes in its place that
    a power cut could still take.
    """

    def __init__(self, store: BlobStore, tenant: UUID, root: Path) -> None:
        self._store, self._tenant, self._root = store, tenant, root
        self._writers: list[BlobWriter] = []

    def writer(self) -> BlobWriter:
        """A writer that belongs to the group; `close` it when it is full. Raises StorageFull."""
        writer = self._store.writer(self._tenant)
        self.take(writer)
        return writer

    def take(self, writer: BlobWriter) -> None:
        """Let a writer of the same tenant belong to the group."""
        self._writers.append(writer)

    def drop(self, writer: BlobWriter) -> None:
        """Forget one that turned out to be unusable."""
        self._writers.remove(writer)
        writer.discard()

    def commit(self) -> None:
        """Make all of them durable under their sha256. Raises StorageFull."""
        if not self._writers:
            return
        try:
            _sync_disk(self._root)
            for writer in self._writers:
                writer.place()
            _sync_disk(self._root)
        except OSError as error:
            raise StorageFull from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for writer in self._writers:
            writer.discard()


def _close(file: IO[bytes]) -> None:
    """Close what nobody wants: a full disk has no room for what was still to be written, nor need it have."""
    with contextlib.suppress(OSError):
        file.close()


def _sync_disk(folder: Path) -> None:
    """Wait until everything written to the folder's disk is on it."""
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:  # not Linux
        os.sync()
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        if syncfs(handle) != 0:
            raise OSError(ctypes.get_errno(), "syncfs")
    finally:
        os.close(handle)


def _pieces(stream: BinaryIO, size: int) -> Iterator[bytes]:
    with stream:
        while piece := stream.read(size):
            yield piece


def sync_folder(folder: Path) -> None:
    """Wait until what was made, renamed or removed in a folder is on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
