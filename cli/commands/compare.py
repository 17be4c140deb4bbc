"""`thoracle compare`: versions by their held-out figures, or two of them on the same studies."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.client import Answer, Client
from cli.commands import reports
from cli.output import Json, emit, facts, show, table, words
from cli.progress import progress
from shared.errors import BadRequest
from shared.schemas import Modality
from shared.settings import Settings

_LOOK_S = 1.0
_MANY = ("status",)


def compare(
    what: Annotated[list[str], typer.Argument(help="A kind of input; or two versions, by name or sha256.")],
    studies: Annotated[
        str | None,
        typer.Option(
            help="Which studies: a filter as of GET /v1/jobs, 'modality=cough&created_after=2026-11-01T00:00Z'."
        ),
    ] = None,
    cases: Annotated[int, typer.Option(min=0, max=200, help="Cases that are shown, flips first.")] = 20,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until both versions have answered.")] = True,
    versions: Annotated[
        list[Path] | None, typer.Option(help="Folder of a version or of several; may be repeated.", exists=True)
    ] = None,
    out: reports.Out = None,
    threads: reports.Threads = 2,
    json_: Json = False,
) -> None:
    """Put versions side by side.

    With a kind of input: their figures on held-out patients with intervals, seconds, bytes; only what can be compared.
    With two versions: both on the same stored studies of your hospital: flips, kappa, paired differences, the cases.
    """
    if len(what) == 1 and what[0] in set(Modality) and studies is None:
        reports.compare(Modality(what[0]), versions, out, threads, json_)
    elif len(what) == 2:
        _on_studies((what[0], what[1]), _filter(studies or ""), cases, wait, json_)
    else:
        raise BadRequest(detail=f"Name two versions, or one kind of input: {', '.join(Modality)}.")


def _on_studies(pair: tuple[str, str], wanted: dict[str, Any], cases: int, wait: bool, json_: bool) -> None:
    with Client(Settings()) as client:
        body = {"first": pair[0], "second": pair[1], "from": wanted}
        begun: Answer = client.call("POST", "/v1/comparisons", body)
        found = _ended(client, begun, cases) if wait else begun
    if json_:
        emit(found)
    else:
        _show(found)


def _filter(given: str) -> dict[str, Any]:
    """`name=value&name=value` as the body's `from`. Raises BadRequest."""
    wanted: dict[str, Any] = {}
    for part in given.split("&") if given else []:
        name, equals, value = part.partition("=")
        if not (name and equals and value):
            raise BadRequest(detail="--studies is name=value, several joined by '&'. Example: modality=cough.")
        wanted[name] = [*wanted.get(name, []), value] if name in _MANY else value
    return wanted


def _ended(client: Client, begun: Answer, cases: int) -> Answer:
    """The comparison once none of its jobs waits or runs."""
    address = f"/v1/comparisons/{begun['id']}"
    with progress("Answering", begun["waiting"]) as step:
        left = begun["waiting"]
        while True:
            found: Answer = client.get(address, limit=cases)
            for _ in range(left - found["waiting"]):
                step(None)
            left = min(left, found["waiting"])
            if found["done"]:
                return found
            time.sleep(_LOOK_S)


def _show(found: Answer) -> None:
    agreement, difference = found["agreement"], found["agreement"]["difference"]
    show(found["caution"])
    facts(
        {
            "Comparison": found["id"],
            "First": _version(found["first"]),
            "Second": _version(found["second"]),
            "Recalled since": ", ".join(found["recalled"]),
            "Inputs answered by both": f"{agreement['n']} of {found['inputs']} ({agreement['subjects']} subjects)",
            "Still waiting": found["waiting"],
            "Same decision": _spread(agreement["agreed"]),
            "Cohen's kappa": _spread(agreement["kappa"]),
            "Flipped to flagged": agreement["flips"]["to_flagged"],
            "Flipped to not flagged": agreement["flips"]["to_not_flagged"],
            "Mean difference of probability": _spread(difference["mean"]),
            "95 % of the differences": f"{difference['limits'][0]:.3f} to {difference['limits'][1]:.3f}",
            "Judged by readers": _judged(agreement["judged"]),
        }
    )
    rows = [_case(case) for case in found["cases"]]
    table("Cases, flips first", ("Study", "First", "p", "Second", "p", "Flipped"), rows)


def _case(case: dict[str, Any]) -> tuple[object, ...]:
    sides = (*_side(case["first"]), *_side(case["second"]))
    return case["client_ref"] or case["job"], *sides, "yes" if case["flipped"] else ""


def _version(ref: dict[str, str]) -> str:
    return f"{ref['recipe']} {ref['name']} {ref['sha256'][:12]}"


def _spread(figure: dict[str, float] | None) -> str | None:
    return None if figure is None else f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def _side(side: dict[str, Any]) -> tuple[str, str]:
    return words(side["decision"]), f"{side['probability']:.2f}"


def _judged(judged: dict[str, Any] | None) -> str | None:
    if judged is None:
        return None
    return (
        f"{judged['n']}: both right {judged['both_right']}, only the first {judged['first_only']}, only the second "
        f"{judged['second_only']}, neither {judged['neither']} (McNemar p = {judged['p']:.3f})"
    )
