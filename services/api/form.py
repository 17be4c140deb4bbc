"""A multipart form as it arrives: one file straight into a blob writer, a few short text fields, nothing else kept.

File names are never looked at. Memory holds one piece of the body and the text fields, whatever the file's size.
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


class Form:
    """Feed it the body; then `fields` and the writer hold what it carried."""

    def __init__(self, boundary: bytes, writer: BlobWriter, most: int) -> None:
        self.fields: dict[str, str] = {}
        self.has_file = False
        self._writer, self._most = writer, most
        self._parts, self._ended = 0, False
        self._header, self._value, self._disposition = b"", b"", b""
        self._name, self._text = "", b""
        self._parser = _parser(boundary, self)

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the body. Raises TooLarge, FormBroken, FieldRefused, BadRequest, StorageFull."""
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise FormBroken from error

    def finish(self) -> None:
        """The body is over. Raises FormBroken when the form is not, BadRequest when it held no file."""
        if not self._ended:
            raise FormBroken
        if not self.has_file:
            raise BadRequest("file_missing")

    def on_part_begin(self) -> None:
        """Count parts."""
        self._parts += 1
        if self._parts > _PARTS:
            raise BadRequest(detail=f"The form has more than {_PARTS} parts.")
        self._disposition, self._text = b"", b""

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
        self._name = _field_name(self._disposition)
        if self._name == "file":
            if self.has_file:
                raise BadRequest("file_repeated")
            self.has_file = True
        elif self._name in self.fields:
            raise FieldRefused(self._name, "it was sent more than once.")

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        """A piece of a part's content."""
        if self._name == "file":
            self._to_file(data[start:end])
        elif len(self._text) + end - start > _FIELD_BYTES:
            raise FieldRefused(self._name, f"it is longer than {_FIELD_BYTES} bytes.")
        else:
            self._text += data[start:end]

    def on_part_end(self) -> None:
        """A part is whole."""
        if self._name != "file":
            self.fields[self._name] = _decoded(self._name, self._text)

    def on_end(self) -> None:
        """The closing boundary was seen."""
        self._ended = True

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


def _parser(boundary: bytes, form: Form) -> MultipartParser:
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


def _field_name(disposition: bytes) -> str:
    kind, options = parse_options_header(disposition.decode("latin-1"))
    name = options.get(b"name", b"").decode("latin-1")
    if kind != b"form-data" or not name or len(name) > _NAME_BYTES:
        raise FormBroken
    return name


def _decoded(name: str, text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise FieldRefused(name, "it is not UTF-8 text.") from None
