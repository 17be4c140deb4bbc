"""A multipart form as it arrives: one file straight into a blob writer, a few short text fields, nothing else kept.

Memory holds one piece of the body and the text fields, whatever the file's size.
"""

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from services.api.fields import FieldRefused
from shared.errors import BadRequest, TooLarge, UnsupportedInput
from shared.storage import BlobWriter

_PARTS = 32
_FIELD_BYTES = 2048
_NAME_BYTES = 64


class FormBroken(BadRequest):
    """The body is not the form that its header promises."""

    code = "form_broken"


class Parts:
    """The parts of a multipart body as they arrive. Who extends it says what becomes of each part."""

    def __init__(self, boundary: bytes, most_parts: int) -> None:
        self._most_parts, self._parts, self._ended = most_parts, 0, False
        self._header, self._value, self._disposition = b"", b"", b""
        self._parser = _parser(boundary, self)

    def begun(self, name: str, file_name: str) -> None:
        """A part of this name comes."""

    def data(self, piece: bytes) -> None:
        """A piece of its content."""

    def ended(self) -> None:
        """It is whole."""

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the body. Raises FormBroken, BadRequest, and what becoming of a part raises."""
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise FormBroken from error

    def finish(self) -> None:
        """The body is over. Raises FormBroken when the form is not."""
        if not self._ended:
            raise FormBroken

    def on_part_begin(self) -> None:
        """Count parts."""
        self._parts += 1
        if self._parts > self._most_parts:
            raise BadRequest(detail=f"The form has more than {self._most_parts} parts.")
        self._disposition = b""

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        """A piece of a part header's name; the parser bounds its length."""
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        """A piece of its value."""
        self._value += data[start:end]

    def on_header_end(self) -> None:
        """Of a part's headers only the disposition counts."""
        if self._header.strip().lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def on_headers_finished(self) -> None:
        """A part's content comes next."""
        self.begun(*_names(self._disposition))

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        """A piece of a part's content."""
        self.data(data[start:end])

    def on_part_end(self) -> None:
        """A part is whole."""
        self.ended()

    def on_end(self) -> None:
        """The closing boundary was seen."""
        self._ended = True


class Form(Parts):
    """Feed it the body; then `fields` and the writer hold what it carried."""

    def __init__(self, boundary: bytes, writer: BlobWriter, most: int) -> None:
        super().__init__(boundary, _PARTS)
        self.fields: dict[str, str] = {}
        self.has_file = False
        self._writer, self._most = writer, most
        self._name, self._text = "", b""

    def finish(self) -> None:
        """The body is over. Raises FormBroken when the form is not, BadRequest when it held no file."""
        super().finish()
        if not self.has_file:
            raise BadRequest("file_missing")

    def begun(self, name: str, file_name: str) -> None:
        """One file, and every field once; what the file is called is not looked at."""
        del file_name
        self._name, self._text = name, b""
        if name == "file":
            if self.has_file:
                raise BadRequest("file_repeated")
            self.has_file = True
        elif name in self.fields:
            raise FieldRefused(name, "it was sent more than once.")

    def data(self, piece: bytes) -> None:
        """Raises TooLarge, FieldRefused, StorageFull."""
        if self._name == "file":
            self._to_file(piece)
        elif len(self._text) + len(piece) > _FIELD_BYTES:
            raise FieldRefused(self._name, f"it is longer than {_FIELD_BYTES} bytes.")
        else:
            self._text += piece

    def ended(self) -> None:
        """A field's text is whole."""
        if self._name != "file":
            self.fields[self._name] = _decoded(self._name, self._text)

    def _to_file(self, piece: bytes) -> None:
        if self._writer.size_bytes + len(piece) > self._most:
            raise TooLarge(limit_mb=self._most // 2**20)
        self._writer.write(piece)


def boundary_of(request: Request) -> bytes:
    """The boundary of a multipart request. Raises UnsupportedInput when it is something else."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedInput("encoding_refused")
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 0 < len(boundary) <= 70:
        raise UnsupportedInput("form_required")
    return boundary


def _parser(boundary: bytes, form: Parts) -> MultipartParser:
    return MultipartParser(
        boundary,
        {
            "on_part_begin": form.on_part_begin,
            "on_header_field": form.on_header_field,
            "on_header_value": form.on_header_value,
            "on_header_end": form.on_header_end,
            "on_headers_finished": form.on_headers_finished,
            "on_part_data": form.on_part_data,
            "on_part_end": form.on_part_end,
            "on_end": form.on_end,
        },
    )


def _names(disposition: bytes) -> tuple[str, str]:
    """The name of a part, and of the file in it."""
    kind, options = parse_options_header(disposition.decode("latin-1"))
    name = options.get(b"name", b"").decode("latin-1")
    if kind != b"form-data" or not name or len(name) > _NAME_BYTES:
        raise FormBroken
    return name, options.get(b"filename", b"").decode("utf-8", "replace")


def _decoded(name: str, text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise FieldRefused(name, "it is not UTF-8 text.") from None
