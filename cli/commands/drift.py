"""`thoracle drift`, `thoracle alerts`: how versions do in service. Needs an administrator's or auditor's key."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from cli.client import Client
from cli.commands.versions import Of
from cli.output import Json, emit, listed, show, table, words
from shared.settings import Settings

app = typer.Typer(help="Drift alerts: raised, acknowledged, cleared.", no_args_is_help=True)


class State(StrEnum):
    """Of an alert."""

    OPEN = "open"
    CLEARED = "cleared"


def drift(
    modality: Of = None,
    site: Annotated[str, typer.Option(help="Only results of this site.")] = "",
    device: Annotated[str, typer.Option(help="Only results of this device.")] = "",
    version: Annotated[str | None, typer.Option(help="Name or sha256; needs --modality.")] = None,
    days: Annotated[int, typer.Option(help="How far back.", min=1, max=365)] = 7,
    series: Annotated[bool, typer.Option("--series", help="Day by day instead.")] = False,
    json_: Json = False,
) -> None:
    """Scores, inputs and outcomes of each version against its first results, and what verdicts say of them."""
    path = "/v1/drift/series" if series else "/v1/drift"
    wanted: dict[str, Any] = {"modality": modality, "site": site, "device": device, "version": version, "days": days}
    with Client(Settings()) as client:
        found = client.get(path, **{name: value for name, value in wanted.items() if value})
    if json_:
        emit(found)
    elif series:
        _lines(found)
    else:
        _board(found)


@app.command("list")
def list_(state: Annotated[State | None, typer.Option(help="Both when left out.")] = None, json_: Json = False) -> None:
    """Your hospital's alerts, newest first."""
    with Client(Settings()) as client:
        wanted: dict[str, Any] = {} if state is None else {"state": str(state)}
        found = client.get("/v1/alerts", **wanted)
    columns = ("Alert", "State", "Version", "Where", "Measure", "PSI", "Worst", "Raised")
    listed(found, "Alerts, newest first", columns, [_alert(one) for one in found["alerts"]], as_json=json_)


@app.command("acknowledge")
def acknowledge(
    alert: Annotated[str, typer.Argument(help="The alert's id.")],
    note: Annotated[str | None, typer.Option(help="What you make of it.")] = None,
    json_: Json = False,
) -> None:
    """Say that you have seen an alert: it no longer holds the promotion of another version."""
    with Client(Settings()) as client:
        found = client.call("POST", f"/v1/alerts/{alert}/acknowledge", {"note": note})
    if json_:
        emit(found)
    else:
        show(f"{found['detail']} Acknowledged by {found['acknowledged_by']}.")


def _board(found: dict[str, Any]) -> None:
    if not found["versions"]:
        show("No version has answered in this time. Results are counted about a minute after they are made.")
    for one in found["versions"]:
        _version(one)
    if found["alerts"]:
        columns = ("Alert", "State", "Version", "Where", "Measure", "PSI", "Worst", "Raised")
        table("Open alerts", columns, [_alert(alert) for alert in found["alerts"]])


def _version(one: dict[str, Any]) -> None:
    rates = ", ".join(f"{words(name)} {rate['value']:.1%}" for name, rate in one["rates"].items())
    reference = f"reference: the first {one['referred']} results{'' if one['complete'] else ', not whole yet'}"
    title = f"{one['version']['name']}, {words(one['modality'])}"
    show(f"{title}: {one['jobs']} jobs; {rates}; {reference}.")
    rows = [_measure(measure) for measure in one["measures"]]
    table(title, ("Measure", "Results", "PSI", "By chance", "KS", "Standing"), rows)
    told = one["feedback"]
    if told is not None:
        rates = ", ".join(f"{name} {_spread(told[name])}" for name in ("agreement", "sensitivity", "specificity"))
        show(f"{told['judged']} judged: {rates}. {told['note']}")


def _measure(one: dict[str, Any]) -> list[object]:
    figures = [None if one[name] is None else f"{one[name]:.3f}" for name in ("psi", "noise", "ks")]
    return [words(one["name"]), one["results"], *figures, words(one["standing"])]


def _lines(found: dict[str, Any]) -> None:
    for line in found["lines"]:
        rows: list[list[object]] = [
            [point["since"], point["jobs"], *(f"{point['psi'][name]:.3f}" if name in point["psi"] else None for name in
                                              ("probability", "outcome")), _worst(point["psi"])]
            for point in line["points"]
        ]  # fmt: skip
        title = f"{line['version']['name']}, {words(line['modality'])}"
        table(title, ("Since", "Jobs", "PSI of probability", "PSI of outcome", "Furthest measure"), rows)
        if line["judged"]:
            columns = ("Seven days up to", "Sensitivity", "Judged with the finding", "Specificity", "Judged without")
            table(f"{title}: what readers say", columns, [_week(week) for week in line["judged"]])
            show(found["note"])


def _week(one: dict[str, Any]) -> list[object]:
    rates = {name: _spread(one[name]) if one[name] else "too few labels" for name in ("sensitivity", "specificity")}
    return [one["until"], rates["sensitivity"], one["present"], rates["specificity"], one["absent"]]


def _worst(psi: dict[str, float]) -> str | None:
    return max(((value, name) for name, value in psi.items()), default=(0.0, None))[1]


def _alert(one: dict[str, Any]) -> list[object]:
    where = ", ".join(filter(None, (one["site"], one["device"]))) or "everywhere"
    figures = (f"{one['psi']:.2f}", f"{one['worst_psi']:.2f}")
    return [one["id"], one["state"], one["version"]["name"], where, words(one["measure"]), *figures, one["raised_at"]]


def _spread(interval: dict[str, Any] | None) -> str:
    return "unknown" if interval is None else "{value:.2f} ({low:.2f} to {high:.2f})".format(**interval)
