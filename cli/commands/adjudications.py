"""`thoracle adjudications`, `adjudicate`: what waits for a second reader, and the second reader's verdict."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from cli.client import Client
from cli.output import Json, Most, emit, facts, listed, table, words
from shared.schemas import AdjudicationState, Basis, Modality
from shared.settings import Settings

app = typer.Typer(help="What waits for a second reader.", no_args_is_help=True)

AdjudicationId = Annotated[str, typer.Argument(help="Its id, from 'adjudications list'.")]


class Answer(StrEnum):
    """What a second reader can say."""

    PRESENT = "present"
    ABSENT = "absent"
    UNDETERMINED = "undetermined"


class Reason(StrEnum):
    """Why there is a second reading."""

    REFER = "refer"
    DISAGREEMENT = "disagreement"


@app.command("list")
def list_(
    state: Annotated[AdjudicationState, typer.Option(help="Which ones.")] = AdjudicationState.OPEN,
    modality: Annotated[Modality | None, typer.Option(help="Only this kind of input.")] = None,
    reason: Annotated[Reason | None, typer.Option(help="Only for this reason.")] = None,
    limit: Most = 20,
    json_: Json = False,
) -> None:
    """The worklist: what was referred first, then disagreements, the oldest first."""
    with Client(Settings()) as client:
        page = client.get("/v1/adjudications", state=state, modality=modality, reason=reason, limit=limit)
    columns = ("Second reading", "Kind", "Why", "Since", "For you", "Label", "Your reference")
    listed(page, "Second readings", columns, [_row(one) for one in page["adjudications"]], as_json=json_)


@app.command("show")
def show_(adjudication_id: AdjudicationId, json_: Json = False) -> None:
    """One of them: while it is open, without what the model and other readers said."""
    with Client(Settings()) as client:
        one = client.get(f"/v1/adjudications/{adjudication_id}")
    _told(one, json_)


def adjudicate(
    adjudication_id: AdjudicationId,
    answer: Annotated[Answer, typer.Argument(help="Whether the finding is there.")],
    basis: Annotated[Basis, typer.Option(help="What the verdict rests on.")],
    seen: Annotated[
        bool, typer.Option("--saw-result-first/--blind", help="Whether you knew what the model or another reader said.")
    ] = False,
    comment: Annotated[str | None, typer.Option(help="For whoever reads it later. No names.")] = None,
    json_: Json = False,
) -> None:
    """Give the second reader's verdict, which closes it. Not for who has judged the result before."""
    body = {"label": answer, "basis": basis, "saw_result_first": seen, "comment": comment}
    with Client(Settings()) as client:
        one = client.call("POST", f"/v1/adjudications/{adjudication_id}/verdict", body)
    _told(one, json_)


def _row(one: dict[str, Any]) -> list[object]:
    about = one["about"] or {}
    mine = "yes" if one["open_to_you"] else "no"
    return [
        one["id"],
        words(one["modality"]),
        one["reason"],
        one["opened_at"],
        mine,
        one["label"],
        about.get("client_ref"),
    ]


def _told(one: dict[str, Any], as_json: bool) -> None:
    if as_json:
        emit(one)
        return
    about = {words(name).capitalize(): value for name, value in (one["about"] or {}).items() if value is not None}
    facts(
        {
            "Second reading": one["id"],
            "Kind": words(one["modality"]),
            "Look for": words(one["finding"]),
            "Why": one["reason"],
            "State": one["state"],
            "Since": one["opened_at"],
            "Closed": one["closed_at"],
            "Label": one["label"],
            "Basis": words(one["basis"]),
            "Reader": one["reader"],
            **about,
            "Input": one["links"]["input"],
        }
    )
    if one["verdicts"]:
        columns = ("Reader", "Verdict", "Label", "Basis", "Saw the result first", "Comment")
        names = ("reader", "verdict", "label", "basis", "saw_result_first", "comment")
        table("What others said", columns, [[said[name] for name in names] for said in one["verdicts"]])
