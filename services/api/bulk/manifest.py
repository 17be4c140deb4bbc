"""The lines of a batch: CSV in an archive, or NDJSON that names stored inputs, or files of the same form."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from services.api.fields import FieldRefused, parse
from shared.errors import ThoracleError, Unprocessable
from shared.schemas import JobFields, Priority

MOST_BYTES = 16 << 20
_LINE_BYTES = 8192
_KEY_LETTERS = 255


@dataclass(frozen=True)
class Line:
    """One line: its number, what it points to, the item's key, and the other fields as texts.

    `pointer` is `file`, then `source` is a name; or `sha256`, then it is a stored input's address.
    """

    number: int
    pointer: str
    source: str
    key: str
    texts: Mapping[str, str]

    def fields(self) -> JobFields:
        """What the line says about the job; urgency is bulk unless it says otherwise. Raises FieldRefused."""
        return parse({"priority": Priority.BULK, **{name: text for name, text in self.texts.items() if text.strip()}})


@dataclass(frozen=True)
class Refusal:
    """A line that makes no job."""

    number: int
    key: str
    problem: ThoracleError


Lines = list[Line | Refusal]


def from_csv(pieces: Iterable[bytes], most: int) -> Lines:
    """The lines of a manifest.csv with a header; column `file` is needed. Raises Unprocessable."""
    rows = csv.reader(io.StringIO(_text(pieces), newline=""), strict=True)
    found: Lines = []
    try:
        header = [name.strip() for name in next(rows, [])]
        if "file" not in header or len(set(header)) != len(header):
            _broken("its first line must name the columns once each, and one of them must be 'file'.")
        for row in rows:
            if row:
                found.append(_csv_line(rows.line_num, header, row))
            if len(found) > most:
                raise Unprocessable("batch_too_large", most=most)
    except csv.Error:
        _broken(f"line {rows.line_num} is not CSV.")
    return _once(found)


def from_ndjson(pieces: Iterable[bytes], most: int, *, files: bool = False) -> Lines:
    """The lines of a list of stored inputs: `sha256` is needed in each, or `file` where files come too.

    Raises Unprocessable.
    """
    found: Lines = []
    for at, line in enumerate(io.StringIO(_text(pieces), newline="\n"), 1):
        if line.strip():
            found.append(_json_line(at, line, files))
        if len(found) > most:  # a line may be two bytes: never all of them at once
            raise Unprocessable("batch_too_large", most=most)
    return _once(found)


def _csv_line(number: int, header: list[str], row: list[str]) -> Line | Refusal:
    if len(row) != len(header):
        why = f"it has {len(row)} columns where the first line has {len(header)}."
        return Refusal(number, f"line {number}", Unprocessable("manifest_broken", why=why))
    return _line(number, dict(zip(header, row, strict=True)), "file")


def _json_line(number: int, text: str, files: bool) -> Line | Refusal:
    try:
        values = json.loads(text) if len(text) <= _LINE_BYTES else None
        json.dumps(values, ensure_ascii=False).encode()  # half a surrogate pair is no text: a ValueError
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        why = f"the line is not a JSON object of at most {_LINE_BYTES} letters."
        return Refusal(number, f"line {number}", Unprocessable("manifest_broken", why=why))
    plain = {name: value for name, value in values.items() if value is not None}
    odd = next((name for name, value in plain.items() if not _is_plain(value)), None)
    if odd is not None:
        return Refusal(number, f"line {number}", FieldRefused(odd, "it is neither text nor a number."))
    pointer = "file" if files and "sha256" not in plain else "sha256"
    return _line(number, {name: str(value) for name, value in plain.items()}, pointer)


def _line(number: int, texts: dict[str, str], pointer: str) -> Line | Refusal:
    source = texts.pop(pointer, "").strip()
    key = texts.pop("key", "").strip() or source
    if not source or "\0" in source:
        return Refusal(number, f"line {number}", FieldRefused(pointer, "it is empty, or no text."))
    if len(key) > _KEY_LETTERS or not key.isprintable():
        why = f"it is longer than {_KEY_LETTERS} letters or holds control characters."
        return Refusal(number, f"line {number}", FieldRefused("key", why))
    return Line(number, pointer, source, key, texts)


def _once(lines: Lines) -> Lines:
    """The same lines; who repeats a key is refused."""
    seen: set[str] = set()
    for at, line in enumerate(lines):
        if line.key in seen:
            lines[at] = Refusal(line.number, f"line {line.number}", Unprocessable("item_repeated"))
        seen.add(line.key)
    return lines


def _text(pieces: Iterable[bytes]) -> str:
    whole = bytearray()
    for piece in pieces:
        whole += piece
        if len(whole) > MOST_BYTES:
            _broken(f"it is larger than {MOST_BYTES >> 20} MB.")
    try:
        return whole.decode("utf-8-sig")
    except UnicodeDecodeError:
        _broken("it is not UTF-8 text.")


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _broken(why: str) -> NoReturn:
    raise Unprocessable("manifest_broken", why=why)
