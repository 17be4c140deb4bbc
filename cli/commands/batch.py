"""`thoracle batch`: many inputs in one command, how far they are, and their outcomes while they come."""

import sys
import time
import uuid
from pathlib import Path
from typing import Annotated

import typer

from cli.bulk import items_of
from cli.client import TERMINAL, Answer, Client
from cli.outcomes import Format, Outcomes
from cli.output import Json, emit, facts, listed, show
from cli.progress import progress
from cli.sending import Sending
from shared.schemas import Modality, Priority
from shared.settings import Settings

app = typer.Typer(help="Submit many inputs at once and read their outcomes.", no_args_is_help=True)

BatchId = Annotated[str, typer.Argument(help="The batch's id.")]
_LOOK_S = 1.0
_SHOWN_ERRORS = 20


@app.command("submit")
def submit(
    source: Annotated[Path, typer.Argument(help="A folder, a zip, or a manifest (.csv, .ndjson).", exists=True)],
    modality: Annotated[Modality | None, typer.Option(help="What the files are. Needed for sounds.")] = None,
    priority: Annotated[Priority, typer.Option(help="Urgency.")] = Priority.BULK,
    version: Annotated[str | None, typer.Option(help="Name or sha256 of the version that must answer.")] = None,
    client_ref: Annotated[str | None, typer.Option(help="Your own reference of the batch.")] = None,
    key: Annotated[str | None, typer.Option(help="Go on with the batch that this key began.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Wait until every job has ended.")] = False,
    json_: Json = False,
) -> None:
    """Submit everything in it. Exit code 1 when something was refused or, with --watch, did not succeed.

    A manifest names a `file` beside it or a stored input's `sha256` in each line, and may say `modality`, `priority`,
    `client_ref`, `age_years` and what else a job has; options fill what it leaves open.
    """
    given = {"modality": modality, "priority": priority, "version": version}
    defaults = {name: str(value) for name, value in given.items() if value is not None}
    with Client(Settings()) as client:
        with items_of(source, defaults) as items:
            batch = Sending(client, key or uuid.uuid4().hex, client_ref).all(items)
        if watch:
            batch = {**batch, **_watched(client, batch["id"]), "errors": batch["errors"]}
    _show(batch, json_)
    if batch["errors"] or (watch and batch["states"].get("succeeded", 0) != batch["jobs"]):
        raise typer.Exit(1)


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=50, help="At most so many.")] = 20, json_: Json = False
) -> None:
    """The newest batches."""
    with Client(Settings()) as client:
        page = client.get("/v1/batches", limit=limit)
    columns = ("Batch", "Your reference", "Accepted", "Jobs", "Ended", "Refused")
    names = ("id", "client_ref", "created_at", "jobs")
    rows = [[*(one[name] for name in names), _ended(one), one["refused"]] for one in page["batches"]]
    listed(page, "Batches, newest first", columns, rows, as_json=json_)


@app.command("status")
def status(
    batch_id: BatchId,
    watch: Annotated[bool, typer.Option("--watch", help="Wait until every job has ended.")] = False,
    json_: Json = False,
) -> None:
    """How many jobs are in which state, and the time left."""
    with Client(Settings()) as client:
        batch = _watched(client, batch_id) if watch else client.get(f"/v1/batches/{batch_id}")
    _show(batch, json_)


@app.command("results")
def results(
    batch_id: BatchId,
    format_: Annotated[Format, typer.Option("--format", help="How they are written.")] = Format.CSV,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the last job has ended.")] = False,
) -> None:
    """The outcomes on standard output, each once, in the order in which they ended."""
    with Client(Settings()) as client:
        outcomes = Outcomes(client, batch_id, format_)
        while True:
            done = not follow or client.get(f"/v1/batches/{batch_id}")["done"]
            outcomes.write(sys.stdout)
            if done:
                return
            time.sleep(_LOOK_S)


@app.command("cancel")
def cancel(batch_id: BatchId, json_: Json = False) -> None:
    """End what has not ended; what is there stays."""
    with Client(Settings()) as client:
        batch = client.call("DELETE", f"/v1/batches/{batch_id}")
    _show(batch, json_)


@app.command("retry")
def retry(batch_id: BatchId, json_: Json = False) -> None:
    """Try every job again that failed or was given up."""
    with Client(Settings()) as client:
        batch = client.call("POST", f"/v1/batches/{batch_id}/retry")
    _show(batch, json_)


def _watched(client: Client, batch_id: str) -> Answer:
    """The batch once every job has ended and can be read."""
    batch: Answer = client.get(f"/v1/batches/{batch_id}")
    with progress("Waiting", batch["jobs"]) as step:
        seen = 0
        while True:
            for _ in range(_ended(batch) - seen):
                step(None)
            seen = _ended(batch)
            if batch["done"]:
                return batch
            time.sleep(_LOOK_S)
            batch = client.get(f"/v1/batches/{batch_id}")


def _ended(batch: Answer) -> int:
    return sum(count for state, count in batch["states"].items() if state in TERMINAL)


def _show(batch: Answer, as_json: bool) -> None:
    if as_json:
        emit(batch)
        return
    left = batch["seconds_left"]
    facts(
        {
            "Batch": batch["id"],
            "Your reference": batch["client_ref"],
            "Accepted": batch["created_at"],
            "Cancelled": batch["cancelled_at"],
            "Jobs": batch["jobs"],
            **{name.capitalize(): count for name, count in batch["states"].items()},
            "Refused": batch["refused"],
            "Time left": None if left is None else f"{left:.0f} s",
            "Done": "yes" if batch["done"] else "no",
        }
    )
    for error in batch["errors"][:_SHOWN_ERRORS]:
        show(f"{error['key']}: {error['detail']}")
    if len(batch["errors"]) > _SHOWN_ERRORS:
        show(f"... and {len(batch['errors']) - _SHOWN_ERRORS} more; --json names all.")
