"""docs/openapi.json is the description of the routes as they are, and the page at /docs can draw it."""

import json
from typing import Any

from services.api.docs import for_swagger
from services.api.openapi import FILE, main, rendered


def test_the_committed_description_is_up_to_date() -> None:
    assert FILE.read_text() == rendered(), "run: python -m services.api.openapi"
    assert main(["--check"]) == 0


def test_every_reference_leads_somewhere() -> None:
    description = json.loads(FILE.read_text())
    for reference in _references(description):
        node = description
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_the_upload_form_names_every_field() -> None:
    form = json.loads(FILE.read_text())["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert {"file", "modality", "version", "priority", "client_ref", "not_after"} <= set(form["schema"]["properties"])


def test_swagger_gets_what_it_can_draw() -> None:
    older = for_swagger(json.loads(FILE.read_text()))
    assert older["openapi"].startswith("3.0")
    assert '{"type": "null"}' not in json.dumps(older)


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in _references(value)]
    return [found for item in node for found in _references(item)] if isinstance(node, list) else []
