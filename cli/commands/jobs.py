"""`thoracle jobs`: look at jobs, cancel one, try one again."""

from typing import Annotated, Any

import typer

from cli.client import Client
from cli.output import Json, emit, explanation, facts, show, table, words
from shared.schemas import JobState, Modality
from shared.settings import Settings

app = typer.Typer(help="Look at jobs, cancel one, try one again.", no_args_is_help=True)

JobId = Annotated[str, typer.Argument(help="The job's id.")]


@app.command("list")
def list_(
    status: Annotated[JobState | None, typer.Option(help="Only jobs in this state.")] = None,
    modality: Annotated[Modality | None, typer.Option(help="Only this kind of input.")] = None,
    version: Annotated[str | None, typer.Option(help="Only jobs that this version answered.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 20,
    json_: Json = False,
) -> None:
    """The newest jobs."""
    with Client(Settings()) as client:
        page = client.get("/v1/jobs", status=status, modality=modality, version=version, limit=limit)
    if json_:
        emit(page)
        return
    columns = ("Job", "Kind", "State", "Decision", "Accepted", "Your reference")
    table("Jobs, newest first", columns, [_row(job) for job in page["jobs"]])


@app.command("show")
def show_(job_id: JobId, json_: Json = False) -> None:
    """One job with its result."""
    with Client(Settings()) as client:
        job = client.get(f"/v1/jobs/{job_id}")
    _one(job, json_)


@app.command("cancel")
def cancel(job_id: JobId, json_: Json = False) -> None:
    """Cancel a job that still waits or runs."""
    with Client(Settings()) as client:
        job = client.call("DELETE", f"/v1/jobs/{job_id}") or client.get(f"/v1/jobs/{job_id}")
    _one(job, json_)


@app.command("retry")
def retry(job_id: JobId, json_: Json = False) -> None:
    """Try a job again that failed or was given up."""
    with Client(Settings()) as client:
        job = client.call("POST", f"/v1/jobs/{job_id}/retry")
    _one(job, json_)


def _row(job: dict[str, Any]) -> list[object]:
    decision = (job.get("result") or {}).get("decision") or ""
    kind = words(job["modality"])
    return [job["id"], kind, job["status"], words(decision), job["created_at"], job["client_ref"]]


def _one(job: dict[str, Any], as_json: bool) -> None:
    if as_json:
        emit(job)
        return
    result = job.get("result") or {}
    version = result.get("version") or {}
    facts(
        {
            "Job": job["id"],
            "Kind": words(job["modality"]),
            "State": job["status"],
            "Decision": words(result.get("decision")),
            "Probability": result.get("probability"),
            "Threshold": result.get("threshold"),
            "Version": f"{version['recipe']} {version['name']} {version['sha256']}" if version else None,
            "Accepted": job["created_at"],
            "Finished": job["finished_at"],
            "Attempts": job["attempts"],
            "Your reference": job["client_ref"],
        }
    )
    show(explanation(job))
