"""What documents name is there: files, commands with their options, addresses, settings, codes, links."""

import ast
import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main

from cli.main import app
from services.api.openapi import FILE
from shared.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("**/*.md"))]
API = ROOT / "docs" / "api.md"
_FOLDERS = ("services", "shared", "cli", "infra", "tests", "bench", "docs")
_UNSAID = re.compile(r"\s{2,}#.*|[\[\]]")  # comments, and marks of what may be left out
_ERRORS = (
    "BadRequest",
    "Unauthenticated",
    "Forbidden",
    "NotFound",
    "Conflict",
    "Unprocessable",
    "TooMany",
    "Unavailable",
)


def named(page: Path) -> Iterator[str]:
    """What a page sets in code: between single marks, and the lines of its blocks."""
    text = page.read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    yield from (line for block in blocks for line in block.replace("\\\n", " ").splitlines())
    yield from re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def _of(page: Path) -> str:
    return str(page.relative_to(ROOT))


pages = pytest.mark.parametrize("page", PAGES, ids=_of)


@pages
def test_files_are_there(page: Path) -> None:
    paths = {word.rstrip(".,:;)") for code in named(page) for word in code.split() if word.startswith(_FOLDERS)}
    gone = [path for path in paths if re.fullmatch(r"[\w./-]+/[\w./-]*", path) and not (ROOT / path).exists()]
    assert not gone


@pages
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    assert not [to for to in targets if "://" not in to and not (page.parent / to).exists()]


@pages
def test_commands_and_their_options_are_there(page: Path) -> None:
    said = [line for code in named(page) if _is_ours(code) for line in _UNSAID.sub("", code).split(";")]
    assert not [wrong for line in said if "thoracle " in line for wrong in _unknown(line[line.index("thoracle ") :])]


@cache
def _thoracle() -> Any:
    return typer.main.get_command(app)


def _is_ours(code: str) -> bool:
    return re.match(r"(\S*/)?thoracle [a-z]|docker compose exec .*(api|worker) thoracle ", code.strip()) is not None


def _unknown(line: str) -> list[str]:
    command = _thoracle()
    try:
        words = shlex.split(line)[1:]
    except ValueError:
        words = line.split()[1:]
    for word in words:
        if word == "…":
            return []
        if hasattr(command, "commands") and re.fullmatch(r"[a-z|-]+", word):
            if not set(word.split("|")) <= set(command.commands):
                return [line]
            command = command.commands[word.partition("|")[0]]
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    asked = {word.partition("=")[0].rstrip(",.") for word in words if word.startswith("--")}
    return [f"{line}: {option}" for option in asked - options - {"--help"}]


@pages
def test_addresses_are_there(page: Path) -> None:
    known = _addresses()
    said = {found for code in named(page) for found in re.findall(r"/v1/(?:\{\w+\}|[^\s?\"'`,;)}])*", code)}
    paths = {path.rstrip("/.") for path in said if "…/" not in path and "*" not in path}
    assert not [path for path in paths if not any(re.fullmatch(one, path) for one in known)]


@cache
def _addresses() -> list[str]:
    return [re.sub(r"\{\w+\}", "[^/]+", path) for path in json.loads(FILE.read_text())["paths"]]


@pages
def test_settings_are_there(page: Path) -> None:
    known = {
        (str(field.validation_alias or f"THORACLE_{name}")).upper() for name, field in Settings.model_fields.items()
    }
    said = {found for code in named(page) for found in re.findall(r"THORACLE_[A-Z0-9_]*[A-Z0-9](?![A-Z0-9_…])", code)}
    assert not said - known


def test_codes_of_errors_are_told() -> None:
    """Every code that the gateway answers with by name stands in the table."""
    raised = {code for file in (ROOT / "services" / "api").glob("**/*.py") for code in _codes(file)}
    told = set(re.findall(r"`(\w+)`", API.read_text().partition("## Errors")[2]))
    assert raised
    assert not sorted(raised - told)


def _codes(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            name, first = node.exc.func, node.exc.args[0]
            if isinstance(name, ast.Name) and name.id in _ERRORS and isinstance(first, ast.Constant):
                yield str(first.value)
