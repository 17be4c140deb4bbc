"""`thoracle retrain`: train from verdicts, follow it, set the rule that asks for it."""

from typing import Annotated, Any

import typer

from cli.client import Client
from cli.commands.train import Mode
from cli.commands.versions import Reason
from cli.output import Json, Most, emit, facts, listed, show, table, words
from shared.schemas import Modality
from shared.settings import Settings

app = typer.Typer(help="Train from clinicians' verdicts: ask for it, follow it, set the rule.", no_args_is_help=True)

Kind = Annotated[Modality, typer.Argument(help="Which kind of input.")]
Recipe = Annotated[str, typer.Option(help="Name from 'thoracle recipes'.")]
Basis = Annotated[list[str], typer.Option(help="pcr, radiologist, follow_up or impression; may be repeated.")]
Base = Annotated[str | None, typer.Option(help="Folder of a trainer that the judged inputs are added to.")]
HoldOut = Annotated[float, typer.Option(min=0, max=0.5, help="Share of the patients who are never trained on.")]
Trust = Annotated[bool, typer.Option("--trust-labels", help="Vouch for the labels; the card says so.")]


@app.command("start")
def start(
    modality: Kind,
    recipe: Recipe,
    basis: Basis,
    reason: Reason,
    base: Base = None,
    hold_out: HoldOut = 0.2,
    mode: Annotated[Mode, typer.Option(help="The document's settings, or ours.")] = Mode.SOUND,
    trust_labels: Trust = False,
    json_: Json = False,
) -> None:
    """Train from the confirmed verdicts so far. What is published computes in the shadow, if there is none."""
    plan = {"recipe": recipe, "bases": basis, "base": base, "hold_out": hold_out, "mode": mode.value}
    plan["trust_labels"] = trust_labels
    with Client(Settings()) as client:
        found = client.call("POST", "/v1/retrainings", {"modality": modality, "plan": plan, "reason": reason})
    _one(found, json_)


@app.command("list")
def list_(limit: Most = 20, json_: Json = False) -> None:
    """The newest trainings from verdicts."""
    with Client(Settings()) as client:
        page = client.get("/v1/retrainings", limit=limit)
    columns = ("Retraining", "Kind", "Cause", "State of the run", "Outcome", "Version", "Begun")
    rows = [_row(one) for one in page["retrainings"]]
    listed(page, "Trainings from verdicts, newest first", columns, rows, as_json=json_)


@app.command("show")
def show_(retraining: Annotated[str, typer.Argument(help="Its id.")], json_: Json = False) -> None:
    """One training from verdicts, step by step."""
    with Client(Settings()) as client:
        _one(client.get(f"/v1/retrainings/{retraining}"), json_)


@app.command("rules")
def rules(json_: Json = False) -> None:
    """The rules, and how near each is."""
    with Client(Settings()) as client:
        found = client.get("/v1/retraining-rules")
    if json_:
        emit(found)
    else:
        _rules(found["rules"])


@app.command("rule")
def rule(
    modality: Kind,
    recipe: Recipe,
    basis: Basis,
    base: Base = None,
    labels: Annotated[int | None, typer.Option(min=1, help="So many new confirmed labels.")] = None,
    on_drift: Annotated[bool, typer.Option("--on-drift", help="Also when an alert is raised.")] = False,
    hold_out: HoldOut = 0.2,
    trust_labels: Trust = False,
    off: Annotated[bool, typer.Option("--off", help="Keep the rule, and do not follow it.")] = False,
    json_: Json = False,
) -> None:
    """Set when verdicts of this kind of input are trained on by themselves."""
    plan = {"recipe": recipe, "bases": basis, "base": base, "hold_out": hold_out, "trust_labels": trust_labels}
    body = {"plan": plan, "min_labels": labels, "on_drift": on_drift, "enabled": not off}
    with Client(Settings()) as client:
        found = client.call("PUT", f"/v1/retraining-rules/{modality}", body)
    if json_:
        emit(found)
    else:
        _rules([found])


def _rules(found: list[dict[str, Any]]) -> None:
    if not found:
        show("No rule: verdicts are trained on when somebody asks for it ('thoracle retrain start').")
        return
    columns = ("Kind", "Recipe", "Bases", "New labels", "When drifting", "Followed", "Set by")
    table("Rules", columns, [_rule(one) for one in found])


def _rule(one: dict[str, Any]) -> list[object]:
    wanted = one["min_labels"]
    near = f"{one['labels']} of {wanted}" if wanted else one["labels"]
    plan, yes = one["plan"], {True: "yes", False: "no"}
    bases = ", ".join(words(basis) for basis in plan["bases"])
    return [
        words(one["modality"]),
        plan["recipe"],
        bases,
        near,
        yes[one["on_drift"]],
        yes[one["enabled"]],
        one["set_by"],
    ]


def _row(one: dict[str, Any]) -> list[object]:
    version = one["version"]["name"] if one["version"] else None
    return [
        one["id"],
        words(one["modality"]),
        one["cause"],
        one["run"]["status"],
        one["outcome"],
        version,
        one["created_at"],
    ]


def _one(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        emit(found)
        return
    facts({"Retraining": found["id"], "Kind": words(found["modality"]), "Run": found["run"]["id"]})
    rows: list[list[object]] = [[step["step"], step["at"], step["detail"]] for step in found["steps"]]
    table("Steps", ("Step", "Done", "What"), rows)
