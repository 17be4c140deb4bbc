"""What a caller says about a job: from text fields of a form to `JobFields`, with refusals that name the field."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from shared.errors import Unprocessable
from shared.schemas import JobFields


class FieldRefused(Unprocessable):
    """One field's value cannot be accepted; the sentence names the field, never the value."""

    code = "field_invalid"

    def __init__(self, field: str, why: str, code: str = "field_invalid") -> None:
        named = _printable(field)
        super().__init__(code, field=named, why=why)
        self.errors = [{"field": named, "detail": why}]


def parse(texts: Mapping[str, str]) -> JobFields:
    """The fields of a submission. An empty one counts as not sent: browsers send every field of a form.

    Raises FieldRefused: unknown, unusable, without a time zone, or with control characters.
    """
    filled = {name: text for name, text in texts.items() if text.strip()}
    for name, text in filled.items():
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
            raise FieldRefused(name, "it holds control characters.")
    try:
        fields = JobFields.model_validate(filled)
    except ValidationError as error:
        raise _refusal(error) from None
    _require_zones(fields)
    return fields


def fields_schema() -> dict[str, Any]:
    """The properties of `JobFields` for the API's description, without references."""
    schema = JobFields.model_json_schema()
    return {name: _inlined(field, schema.get("$defs", {})) for name, field in schema["properties"].items()}


def _inlined(node: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return definitions[node["$ref"].rsplit("/", 1)[-1]]
    return {key: _inlined(value, definitions) for key, value in node.items()}


def _refusal(error: ValidationError) -> FieldRefused:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "extra_forbidden":
        return FieldRefused(field, "not known", "field_unknown")
    return FieldRefused(field, f"{first['msg']}.")


def _require_zones(fields: JobFields) -> None:
    for name in ("acquired_at", "not_before", "not_after"):
        value: datetime | None = getattr(fields, name)
        if value is not None and value.tzinfo is None:
            raise FieldRefused(name, "a time needs its zone, as in 2026-01-31T12:00:00Z.")


def _printable(field: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in field[:64])
