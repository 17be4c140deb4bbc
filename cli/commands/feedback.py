"""`thoracle feedback`: say whether results are right, one or many; look at what was said; take it back."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.client import Client
from cli.output import Json, Most, emit, facts, say, table, words
from cli.progress import progress
from cli.verdicts import given, lines
from shared.schemas import Basis, Label, Modality, Verdict
from shared.settings import Settings

app = typer.Typer(help="Say whether results are right, and look at what was said.", no_args_is_help=True)

JobId = Annotated[str, typer.Argument(help="The job's id.")]
_SEEN = "Whether the reader knew the model's answer before coming to the verdict."
_COLUMNS = ("Feedback", "Job", "Kind", "Decision", "Verdict", "Label", "Basis", "Reader", "Given", "Stands")


@app.command("give")
def give(
    job_id: JobId,
    verdict: Annotated[Verdict, typer.Argument(help="On what the model decided.")],
    basis: Annotated[Basis, typer.Option(help="What the verdict rests on.")],
    seen: Annotated[bool, typer.Option("--saw-result-first/--before-result", help=_SEEN)],
    label: Annotated[Label | None, typer.Option(help="Whether the finding is there. Needed to disagree.")] = None,
    comment: Annotated[str | None, typer.Option(help="For the next reader. No names.")] = None,
    json_: Json = False,
) -> None:
    """Judge one result. The same person's next verdict takes the place of the last."""
    body = {"verdict": verdict, "label": label, "basis": basis, "saw_result_first": seen, "comment": comment}
    with Client(Settings()) as client:
        one = client.call("POST", f"/v1/jobs/{job_id}/feedback", body)
    _told(one, json_)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A CSV; its columns are in 'docs/api.md'.", exists=True, dir_okay=False)],
    basis: Annotated[Basis | None, typer.Option(help="For lines without one.")] = None,
    seen: Annotated[bool | None, typer.Option("--saw-result-first/--before-result", help=_SEEN)] = None,
    json_: Json = False,
) -> None:
    """Judge many results: a line names a job (job_id, or client_ref) and gives a verdict, or a label alone.

    Sent again, the same lines give nothing twice. Exit code 1 when a line was refused; the others stand.
    """
    found = list(lines(file))
    with Client(Settings()) as client, progress("Judging", len(found)) as step:
        answers = [step(given(client, line, basis, seen)) for line in found]
    refused = [answer for answer in answers if answer["error"]]
    if json_:
        emit({"given": len(answers) - len(refused), "refused": len(refused), "lines": answers})
    else:
        for answer in refused:
            say(f"Line {answer['line']}: {answer['error']['detail']}")
        facts({"Given": len(answers) - len(refused), "Refused": len(refused)})
    if refused:
        raise typer.Exit(1)


@app.command("list")
def list_(
    verdict: Annotated[Verdict | None, typer.Option(help="Only these.")] = None,
    basis: Annotated[Basis | None, typer.Option(help="Only on this basis.")] = None,
    modality: Annotated[Modality | None, typer.Option(help="Only this kind of input.")] = None,
    version: Annotated[str | None, typer.Option(help="Only on answers of this version.")] = None,
    stands: Annotated[
        bool | None, typer.Option("--standing/--ended", help="Only what stands, or what does not.")
    ] = None,
    limit: Most = 20,
    json_: Json = False,
) -> None:
    """Your hospital's verdicts, newest first."""
    with Client(Settings()) as client:
        page = client.get(
            "/v1/feedback",
            verdict=verdict,
            basis=basis,
            modality=modality,
            version=version,
            stands=stands,
            limit=limit,
        )
    _listed(page, "Verdicts, newest first", json_)


@app.command("show")
def show_(job_id: JobId, json_: Json = False) -> None:
    """All that was said of one result."""
    with Client(Settings()) as client:
        page = client.get(f"/v1/jobs/{job_id}/feedback")
    _listed(page, f"Verdicts on {job_id}, newest first", json_)


@app.command("withdraw")
def withdraw(
    feedback_id: Annotated[str, typer.Argument(help="The verdict's id, from 'feedback list'.")], json_: Json = False
) -> None:
    """Take a verdict back. It is kept, with the time."""
    with Client(Settings()) as client:
        one = client.call("DELETE", f"/v1/feedback/{feedback_id}")
    _told(one, json_)


def _listed(page: dict[str, Any], title: str, as_json: bool) -> None:
    if as_json:
        emit(page)
        return
    table(title, _COLUMNS, [_row(one) for one in page["feedback"]])


def _row(one: dict[str, Any]) -> list[object]:
    kind, decision = words(one["modality"]), words(one["decision"])
    said = (one["verdict"], one["label"], words(one["basis"]), one["reader"], one["created_at"])
    return [one["id"], one["job_id"], kind, decision, *said, "yes" if one["stands"] else "no"]


def _told(one: dict[str, Any], as_json: bool) -> None:
    if as_json:
        emit(one)
        return
    review = one["review"]
    facts(
        {
            "Feedback": one["id"],
            "Job": one["job_id"],
            "Decision": words(one["decision"]),
            "Verdict": one["verdict"],
            "Label": one["label"],
            "Basis": words(one["basis"]),
            "Reader": one["reader"],
            "Withdrawn": one["withdrawn_at"],
            "Review of the result": " ".join(filter(None, (words(review["state"]), review["label"]))),
        }
    )
