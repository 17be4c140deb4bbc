"""`thoracle webhooks`: addresses that are told when a job ends or is reviewed. Needs an administrator's key."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from cli.client import Client
from cli.output import Json, Most, emit, listed, say, show
from shared.settings import Settings

app = typer.Typer(help="Addresses that are told when a job ends or is reviewed.", no_args_is_help=True)

WebhookId = Annotated[str, typer.Argument(help="The webhook's id.")]


class Event(StrEnum):
    """What may be told."""

    JOB = "job.finished"
    REVIEW = "result.reviewed"
    BATCH = "batch.finished"
    DRIFT = "drift.alert"
    RECALLED = "version.recalled"


class State(StrEnum):
    """Of a delivery."""

    WAITING = "waiting"
    SENT = "sent"
    DEAD = "dead"


@app.command("list")
def list_(json_: Json = False) -> None:
    """Your hospital's webhooks."""
    with Client(Settings()) as client:
        found = client.get("/v1/webhooks")
    columns = ("Webhook", "Address", "Events", "Enabled", "Failures", "Paused until")
    listed(found, "Webhooks", columns, [_row(item) for item in found], as_json=json_)


@app.command("add")
def add(
    url: Annotated[str, typer.Argument(help="https://host/path")],
    event: Annotated[list[Event], typer.Option(help="May be given several times.")] = [Event.JOB],  # noqa: B006
    json_: Json = False,
) -> None:
    """Add one. Its secret is shown once."""
    with Client(Settings()) as client:
        made = client.call("POST", "/v1/webhooks", {"url": url, "events": [str(item) for item in event]})
    _secret(made, json_)


@app.command("rotate")
def rotate(webhook: WebhookId, json_: Json = False) -> None:
    """A new secret; for a day messages are signed with both."""
    with Client(Settings()) as client:
        made = client.call("POST", f"/v1/webhooks/{webhook}/secret")
    _secret(made, json_)


@app.command("test")
def send_test(webhook: WebhookId, json_: Json = False) -> None:
    """Send a test message."""
    with Client(Settings()) as client:
        sent = client.call("POST", f"/v1/webhooks/{webhook}/test")
    if json_:
        emit(sent)
        return
    say(f"It is on its way; see 'thoracle webhooks deliveries {webhook}'.")


@app.command("deliveries")
def deliveries(
    webhook: WebhookId,
    state: Annotated[State | None, typer.Option(help="Only these.")] = None,
    limit: Most = 20,
    json_: Json = False,
) -> None:
    """What was sent, waits or was given up, newest first."""
    with Client(Settings()) as client:
        page = client.get(f"/v1/webhooks/{webhook}/deliveries", state=state, limit=limit)
    names = ("id", "event", "job_id", "status", "state", "attempts", "answer", "due_at")
    columns = ("Delivery", "Event", "Job", "Says", "State", "Attempts", "Last answer", "Next attempt")
    rows = [[item[name] for name in names] for item in page["deliveries"]]
    listed(page, "Deliveries, newest first", columns, rows, as_json=json_)


@app.command("replay")
def replay(
    webhook: WebhookId,
    delivery: Annotated[str | None, typer.Option(help="Only this one.")] = None,
    json_: Json = False,
) -> None:
    """Send again what was given up."""
    query = f"?delivery={delivery}" if delivery else ""
    with Client(Settings()) as client:
        done = client.call("POST", f"/v1/webhooks/{webhook}/replay{query}")
    if json_:
        emit(done)
        return
    say(f"{done['replayed']} sent again.")


@app.command("pause")
def pause(webhook: WebhookId, json_: Json = False) -> None:
    """Tell it nothing until 'resume'; what happens meanwhile is never told to it."""
    _enabled(webhook, wanted=False, as_json=json_)


@app.command("resume")
def resume(webhook: WebhookId, json_: Json = False) -> None:
    """Tell it again, at once."""
    _enabled(webhook, wanted=True, as_json=json_)


def _enabled(webhook: str, *, wanted: bool, as_json: bool) -> None:
    with Client(Settings()) as client:
        changed = client.call("PATCH", f"/v1/webhooks/{webhook}", {"enabled": wanted})
    if as_json:
        emit(changed)
        return
    say("It is told again." if wanted else "Paused.")


@app.command("remove")
def remove(webhook: WebhookId, json_: Json = False) -> None:
    """Remove one; what waits for it is given up."""
    with Client(Settings()) as client:
        client.call("DELETE", f"/v1/webhooks/{webhook}")
    if json_:
        emit({"removed": webhook})
        return
    say("Removed.")


def _row(item: dict[str, Any]) -> list[object]:
    return [item["id"], item["url"], " ".join(item["events"]), item["enabled"], item["failures"], item["paused_until"]]


def _secret(made: dict[str, Any], as_json: bool) -> None:
    if as_json:
        emit(made)
        return
    say(f"Webhook {made['id']}. Keep this secret now; it cannot be shown again.")
    show(made["secret"])
