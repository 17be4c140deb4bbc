"""`thoracle system`, `audit`: the state of the service, and who read or changed what. For administrators, auditors."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cli.client import Client
from cli.output import Json, emit, facts, listed, show, table, words
from shared.settings import Settings


def system(json_: Json = False) -> None:
    """Engines, queues, workers with what they have loaded, what ended in the last hour, dead jobs."""
    with Client(Settings()) as client:
        found = client.get("/v1/system")
    if json_:
        emit(found)
        return
    facts({words(name): "yes" if found["engines"][name] else "NO" for name in ("database", "storage", "queue")})
    queues = [[words(one["modality"]), one["priority"], one["waiting"], f"{one['oldest_s']:.0f} s"]
              for one in found["queues"]]  # fmt: skip
    table("Waiting", ("Kind", "Class", "Jobs", "Oldest"), queues)
    columns = ("Process", "What", "Alive", "Serves", "Loaded", "Refused")
    table("Workers and trainers", columns, [_worker(one) for one in found["workers"]])
    ended = [[words(one["modality"]), one["ended"], one["failed"], one["per_minute"]] for one in found["throughput"]]
    table("Ended in the last hour", ("Kind", "Jobs", "Failed", "A minute"), ended)
    for one in found["dead"]:
        show(f"{one['jobs']} {words(one['modality'])} jobs were given up: {one['code']}.")


def audit(
    action: Annotated[str | None, typer.Option(help="Whole, or a beginning that ends with a point: job.")] = None,
    object_id: Annotated[str | None, typer.Option("--object", help="Id of what was read or changed.")] = None,
    actor: Annotated[str | None, typer.Option(help="Name of whoever acted.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Not before (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(help="Before (UTC).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 50,
    json_: Json = False,
) -> None:
    """Who read or changed what in your hospital, newest first."""
    asked = {"action": action, "object_id": object_id, "actor": actor, "limit": limit}
    with Client(Settings()) as client:
        found = client.get("/v1/audit", None, since=_instant(since), until=_instant(until), **asked)
    names = ("at", "actor", "action", "object_type", "object_id", "request_id")
    columns = ("When", "Who", "What", "Of what", "Id", "Request")
    rows = [[event[name] for name in names] for event in found["events"]]
    listed(found, "Audit log, newest first", columns, rows, as_json=json_)


def _instant(moment: datetime | None) -> str | None:
    return moment.replace(tzinfo=UTC).isoformat() if moment else None


def _worker(one: dict[str, Any]) -> list[object]:
    loaded = ", ".join(version["name"] or version["sha256"][:12] for version in one["loaded"])
    refused = "; ".join(f"{version['name'] or version['sha256'][:12]}: {version['why']}" for version in one["refused"])
    alive = "yes" if one["alive"] else "NO"
    return [one["name"], one["kind"], alive, ", ".join(words(kind) for kind in one["modalities"]), loaded, refused]
