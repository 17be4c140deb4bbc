"""`thoracle doctor`: is everything there that a result needs? Says what is wrong and what to do about it."""

from typing import TYPE_CHECKING

import typer

from cli.output import Json, emit, say, table
from shared.settings import Settings

if TYPE_CHECKING:
    from cli.checks import Check


def doctor(json_: Json = False) -> None:
    """Check libraries, engines, schema, versions and the gateway. Exit code 1 when something is wrong."""
    from cli.checks import CHECKS, resident_memory, version_memory
    from infra.stack import open_engines

    with open_engines(Settings()) as (settings, _):
        checks = [check(settings) for check in CHECKS]
        versions = version_memory(settings)
    memory = resident_memory(settings)
    if json_:
        emit({"checks": [check.as_json() for check in checks], "resident_mb": memory, "versions_mb": versions})
    else:
        _show(checks, memory)
        table("Loaded versions", ("Worker", "Version", "MB"), [tuple(row.values()) for row in versions])
    if any(check.state == "wrong" for check in checks):
        raise typer.Exit(1)


def _show(checks: "list[Check]", memory: dict[str, int]) -> None:
    table("Doctor", ("What", "State", "Found"), [(check.name, check.state, check.found) for check in checks])
    table("Resident memory", ("Process", "MB"), list(memory.items()))
    for check in checks:
        if check.advice:
            say(f"{check.name}: {check.advice}")
