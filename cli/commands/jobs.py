"""`thoracle jobs`: look at jobs, cancel one, try one again, run one again, write its outcome as a row."""

import sys
from datetime import datetime
from typing import Annotated, Any

import typer

from cli.client import Client
from cli.outcomes import Format
from cli.output import Json, Most, decided, emit, explanation, facts, listed, show, words
from shared.schemas import Decision, JobState, Modality, Priority, ReviewState
from shared.settings import Settings

app = typer.Typer(help="Look at jobs, cancel one, try one again, run one again.", no_args_is_help=True)

Day = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]
JobId = Annotated[str, typer.Argument(help="The job's id.")]


@app.command("list")
def list_(
    status: Annotated[JobState | None, typer.Option(help="Only jobs in this state.")] = None,
    modality: Annotated[Modality | None, typer.Option(help="Only this kind of input.")] = None,
    version: Annotated[str | None, typer.Option(help="Only jobs that this version answered.")] = None,
    decision: Annotated[Decision | None, typer.Option(help="Only results that say this.")] = None,
    review: Annotated[ReviewState | None, typer.Option(help="Only results so far reviewed.")] = None,
    reference: Annotated[str | None, typer.Option(help="Only jobs whose reference begins so.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only this patient's, by pseudonym.")] = None,
    study: Annotated[str | None, typer.Option(help="Only this study's.")] = None,
    site: Annotated[str | None, typer.Option(help="Only from this site.")] = None,
    batch: Annotated[str | None, typer.Option(help="Only of this batch.")] = None,
    priority: Annotated[Priority | None, typer.Option(help="Only of this urgency.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=Day, help="Only accepted after this time, UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=Day, help="Only accepted before this time, UTC.")] = None,
    limit: Most = 20,
    json_: Json = False,
) -> None:
    """The newest jobs."""
    wanted: dict[str, Any] = {
        "status": status,
        "modality": modality,
        "version": version,
        "decision": decision,
        "review": review,
        "client_ref_prefix": reference,
        "subject_id": subject,
        "study_id": study,
        "site": site,
        "batch": batch,
        "priority": priority,
        "created_after": since and f"{since.isoformat()}Z",
        "created_before": until and f"{until.isoformat()}Z",
    }
    with Client(Settings()) as client:
        page = client.get("/v1/jobs", **wanted, limit=limit)
    columns = ("Job", "Kind", "State", "Decision", "Accepted", "Your reference")
    rows = [_row(job) for job in page["jobs"]]
    listed(page, "Jobs, newest first (research use only)", columns, rows, as_json=json_)


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


@app.command("rerun")
def rerun(job_id: JobId, json_: Json = False) -> None:
    """The same input again as a new job, for the version that is active now."""
    with Client(Settings()) as client:
        job = client.call("POST", f"/v1/jobs/{job_id}/rerun")
    _one(job, json_)


@app.command("results")
def results(
    job_id: JobId, format_: Annotated[Format, typer.Option("--format", help="How it is written.")] = Format.CSV
) -> None:
    """A job's outcome as a row on standard output, with the columns of a batch's results."""
    with Client(Settings()) as client:
        sys.stdout.writelines(client.lines(f"/v1/jobs/{job_id}/results", format=format_))


def _row(job: dict[str, Any]) -> list[object]:
    kind = words(job["modality"])
    return [job["id"], kind, job["status"], decided(job.get("result")), job["created_at"], job["client_ref"]]


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
            "Decision": decided(job.get("result")),
            "Probability": result.get("probability"),
            "Threshold": result.get("threshold"),
            "Version": f"{version['recipe']} {version['name']} {version['sha256']}" if version else None,
            "Accepted": job["created_at"],
            "Finished": job["finished_at"],
            "Attempts": job["attempts"],
            "Your reference": job["client_ref"],
            "Use": "research only, not for diagnosis",
        }
    )
    show(explanation(job))
