"""`thoracle runs`: start a training on a trainer, look, cancel, try again."""

import time
from typing import Annotated, Any

import typer

from cli.client import TERMINAL, Answer, Client
from cli.commands.train import Mode
from cli.output import Json, Most, emit, facts, listed, say, show
from shared.settings import Settings

app = typer.Typer(help="Train on a trainer: start a run, look, cancel one, try one again.", no_args_is_help=True)

RunId = Annotated[str, typer.Argument(help="The run's id.")]
Follow = Annotated[bool, typer.Option("--follow", help="Stay until it has ended, with a bar in a terminal.")]
_EVERY_S = 1.0


@app.command("list")
def list_(limit: Most = 20, json_: Json = False) -> None:
    """The newest runs."""
    with Client(Settings()) as client:
        page = client.get("/v1/training-runs", limit=limit)
    columns = ("Run", "Recipe", "Mode", "Data", "State", "Stage", "AUROC", "Begun")
    listed(page, "Training runs, newest first", columns, [_row(run) for run in page["runs"]], as_json=json_)


@app.command("start")
def start(
    recipe: Annotated[str, typer.Argument(help="Name from 'thoracle recipes'.")],
    data: Annotated[str, typer.Option(help="Name of a folder that a trainer has, in THORACLE_DATASETS_DIR.")],
    mode: Annotated[Mode, typer.Option(help="The document's settings, or ours.")] = Mode.SOUND,
    seed: Annotated[int, typer.Option(min=0, help="Start of every random choice.")] = 7,
    name: Annotated[str | None, typer.Option(help="Name of the version.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's number.")] = None,
    folds: Annotated[int | None, typer.Option(min=2, help="Instead of the recipe's number.")] = None,
    follow: Follow = False,
    json_: Json = False,
) -> None:
    """Queue a training. A trainer ('thoracle up --trainer') takes it when it has time."""
    fields = {"recipe": recipe, "dataset": data, "mode": mode.value, "seed": seed}
    wishes = {"name": name, "epochs": epochs, "folds": folds}
    with Client(Settings()) as client:
        body = {**fields, **{key: value for key, value in wishes.items() if value is not None}}
        run = client.call("POST", "/v1/training-runs", body)
        _one(_followed(client, run) if follow else run, json_)


@app.command("show")
def show_(run_id: RunId, follow: Follow = False, json_: Json = False) -> None:
    """One run with its progress, figures and version."""
    with Client(Settings()) as client:
        run = client.get(f"/v1/training-runs/{run_id}")
        _one(_followed(client, run) if follow else run, json_)


@app.command("cancel")
def cancel(run_id: RunId, json_: Json = False) -> None:
    """Cancel a run that still waits or is being trained."""
    with Client(Settings()) as client:
        _one(client.call("DELETE", f"/v1/training-runs/{run_id}"), json_)


@app.command("retry")
def retry(run_id: RunId, json_: Json = False) -> None:
    """Train again, from the beginning, what ended without a version."""
    with Client(Settings()) as client:
        _one(client.call("POST", f"/v1/training-runs/{run_id}/retry"), json_)


def _followed(client: Client, run: Answer) -> Answer:
    """The run once it has ended. Ctrl-C ends the looking, not the run."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task, last = bar.add_task("", left=""), ""
        while run["status"] not in TERMINAL:
            at = run["progress"] or {"stage": run["sentence"], "done": 0, "total": 1, "seconds_left": None}
            if not console.is_terminal and at["stage"] != last:
                say(at["stage"])
            last = at["stage"]
            bar.update(task, description=last, completed=at["done"], total=at["total"], left=_left(run, at))
            time.sleep(_EVERY_S)
            run = client.get(f"/v1/training-runs/{run['id']}")
    return run


def _left(run: Answer, at: Answer) -> str:
    """Loss and accuracy of the latest epoch, and the time that is left."""
    parts = []
    if run["curve"]:
        point = run["curve"][-1]
        loss = "none" if point["loss"] is None else f"{point['loss']:.3f}"
        parts.append(f"epoch {point['epoch']}, loss {loss}, accuracy {point['accuracy']:.2f}")
    if at["seconds_left"] is not None:
        parts.append(f"{at['seconds_left'] / 60:.1f} min left")
    return ", ".join(parts)


def _row(run: Answer) -> list[object]:
    stage = (run["progress"] or {}).get("stage")
    area = _interval((run["figures"] or {}).get("auroc"))
    return [run["id"], run["recipe"], run["mode"], run["dataset"], run["status"], stage, area, run["created_at"]]


def _one(run: Answer, as_json: bool) -> None:
    """Show a run; exit code 1 when it has ended without a version and was not cancelled."""
    if as_json:
        emit(run)
    else:
        _show(run)
    if run["status"] in ("failed", "dead"):
        raise typer.Exit(1)


def _show(run: Answer) -> None:
    at, figures, version = run["progress"] or {}, run["figures"] or {}, run["version"]
    facts(
        {
            "Run": run["id"],
            "Recipe": f"{run['recipe']} ({run['mode']}, seed {run['seed']})",
            "Data": run["dataset"],
            "State": run["status"],
            "Progress": f"{at['stage']}, {at['done']} of {at['total']}" if at else None,
            "AUROC": _interval(figures.get("auroc")),
            "Sensitivity": _interval(figures.get("sensitivity")),
            "Specificity": _interval(figures.get("specificity")),
            "Version": f"{version['name']} {version['sha256']}" if version else None,
            "Attempts": run["attempts"],
            "Queued": run["created_at"],
            "Finished": run["finished_at"],
        }
    )
    error = run["error"]
    show(f"{run['sentence']} {error['detail']}" if error else run["sentence"])
    for note in run["notes"]:
        show(note["text"])


def _interval(value: dict[str, Any] | None) -> str | None:
    return None if value is None else f"{value['value']:.2f} ({value['low']:.2f} to {value['high']:.2f})"
