"""A form with many files as it arrives: first the manifest, then the files that its lines name, each into a writer.

Names only connect lines of the manifest with files; nothing is ever opened or created under them.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Self

from services.api.bulk.manifest import MOST_BYTES, Line, Lines, Refusal
from services.api.form import FormBroken, Parts
from shared.errors import ThoracleError, TooLarge, Unprocessable
from shared.storage import BlobWriter

_CHUNK_FILES, _CHUNK_BYTES = 500, 64 << 20

File = tuple[str, BlobWriter | ThoracleError]


class PartedForm(Parts):
    """Feed it the body; `manifest` is there once its part is whole, `take` hands over the files that are.

    Use it as a context manager: files that nobody took are removed.
    """

    def __init__(self, boundary: bytes, writer: Callable[[], BlobWriter], most_files: int, most_bytes: int) -> None:
        super().__init__(boundary, most_files + 1)
        self.manifest: bytes | None = None
        self._new, self._most = writer, most_bytes
        self._lines = bytearray()
        self._name = ""
        self._writer: BlobWriter | None = None
        self._problem: ThoracleError | None = None
        self._files: list[File] = []
        self._size = 0

    @property
    def full(self) -> bool:
        """Whether enough is there for one transaction."""
        return len(self._files) >= _CHUNK_FILES or self._size > _CHUNK_BYTES

    async def first(self, stream: AsyncIterator[bytes]) -> bytes:
        """The manifest, as soon as it is whole; the stream goes on behind it. Raises Unprocessable, FormBroken."""
        async for piece in stream:
            self.feed(piece)
            if self.manifest is not None:
                return self.manifest
        self.finish()
        raise Unprocessable("manifest_first")

    def take(self) -> list[File]:
        """Whole files by name since the last call: a writer that the caller now owns, or why there is none."""
        files, self._files, self._size = self._files, [], 0
        return files

    def begun(self, name: str, file_name: str) -> None:
        """Raises Unprocessable when the manifest is not first, FormBroken, StorageFull."""
        if self.manifest is None:
            if name != "manifest":
                raise Unprocessable("manifest_first")
        elif name != "file":
            raise FormBroken
        else:
            self._name, self._problem, self._writer = file_name, None, self._new()

    def data(self, piece: bytes) -> None:
        """Raises Unprocessable for a manifest that is too long, StorageFull."""
        if self._writer is not None:
            self._to_file(self._writer, piece)
        elif self._problem is None:
            self._lines += piece
            if len(self._lines) > MOST_BYTES:
                raise Unprocessable("manifest_broken", why=f"it is larger than {MOST_BYTES >> 20} MB.")

    def ended(self) -> None:
        """The manifest, or a file, is whole."""
        if self._problem is not None:
            self._files.append((self._name, self._problem))
        elif self._writer is not None:
            self._files.append((self._name, self._writer))
            self._size += self._writer.size_bytes
            self._writer = None
        else:
            self.manifest = bytes(self._lines)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for writer in (self._writer, *(got for _, got in self._files)):
            if isinstance(writer, BlobWriter):
                writer.discard()

    def _to_file(self, writer: BlobWriter, piece: bytes) -> None:
        if writer.size_bytes + len(piece) <= self._most:
            writer.write(piece)
            return
        self._problem, self._writer = TooLarge(limit_mb=self._most >> 20), None
        writer.discard()


class Matching:
    """The lines of a manifest, and which of them have got their file."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._waiting: dict[str, Line] = {}
        self._met: set[int] = set()
        for line in lines:
            if isinstance(line, Line) and line.pointer == "file":
                self._waiting.setdefault(line.source, line)

    def pairs(self, files: Sequence[File]) -> list[tuple[Line, BlobWriter | ThoracleError]]:
        """Files with their lines; one that no line names, or that comes twice, is removed."""
        found = []
        for name, got in files:
            line = self._waiting.pop(name, None)
            if line is not None:
                self._met.add(line.number)
                found.append((line, got))
            elif isinstance(got, BlobWriter):
                got.discard()
        return found

    def rest(self) -> Lines:
        """What has no file: stored inputs, and refusals, also of lines whose file did not come."""
        return [_rest(line) for line in self._lines if line.number not in self._met]


def _rest(line: Line | Refusal) -> Line | Refusal:
    if isinstance(line, Refusal) or line.pointer == "sha256":
        return line
    return Refusal(line.number, line.key, Unprocessable("item_file_missing"))
