"""`thoracle submit`: send files, wait, show the results."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.client import Client
from cli.output import RESULT_COLUMNS, Json, emit, result_rows, table
from cli.progress import progress
from shared.errors import ThoracleError
from shared.schemas import Modality, Priority
from shared.settings import Settings

Files = Annotated[list[Path], typer.Argument(help="X-rays (DICOM, PNG, JPEG, TIFF) or sounds (WAV, FLAC, MP3, OGG).")]


def submit(
    files: Files,
    modality: Annotated[Modality | None, typer.Option(help="What the files are. Needed for sounds.")] = None,
    priority: Annotated[Priority, typer.Option(help="Urgency.")] = Priority.ROUTINE,
    client_ref: Annotated[str | None, typer.Option(help="Your own reference; comes back with the result.")] = None,
    study_id: Annotated[str | None, typer.Option(help="Study that the files belong to.")] = None,
    version: Annotated[str | None, typer.Option(help="Name or sha256 of the version that must answer.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait for the results.")] = True,
    timeout: Annotated[float, typer.Option(help="Longest wait in seconds.")] = 300.0,
    json_: Json = False,
) -> None:
    """Submit files and show what comes of them. Exit code 1 when one of them did not succeed."""
    given = {
        "modality": modality,
        "priority": priority,
        "client_ref": client_ref,
        "study_id": study_id,
        "version": version,
    }
    fields = {name: str(value) for name, value in given.items() if value is not None}
    with Client(Settings()) as client:
        jobs = send_all(client, ((path, fields) for path in files), len(files))
        if wait:
            jobs = wait_for_all(client, jobs, timeout)
    show_results(jobs, json_)
    expected = {"succeeded"} if wait else {"succeeded", "queued", "running"}
    if any(job["status"] not in expected for job in jobs):
        raise typer.Exit(1)


def send_all(client: Client, files: Iterable[tuple[Path, Mapping[str, str]]], total: int) -> list[dict[str, Any]]:
    """Submit each file; one that is refused does not stop the others and has the status `refused`."""
    with progress("Sending", total) as step:
        return [step(_send(client, path, fields)) for path, fields in files]


def wait_for_all(client: Client, jobs: list[dict[str, Any]], timeout: float) -> list[dict[str, Any]]:
    """The jobs once they ended, or as they are after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    with progress("Waiting", len(jobs)) as step:
        return [step(_finish(client, job, deadline)) for job in jobs]


def show_results(jobs: list[dict[str, Any]], as_json: bool, title: str = "Results (research use only)") -> None:
    """Jobs as JSON or as a table."""
    if as_json:
        emit({"jobs": jobs})
    else:
        table(title, RESULT_COLUMNS, result_rows(jobs))


def _send(client: Client, path: Path, fields: Mapping[str, str]) -> dict[str, Any]:
    try:
        return {"file": path.name, **client.submit(path, fields)}
    except ThoracleError as problem:
        if problem.code in ("unavailable", "unauthenticated", "forbidden"):
            raise
        error = {"code": problem.code, "detail": problem.detail}
        modality = fields.get("modality")
        return {"file": path.name, "modality": modality, "status": "refused", "error": error, "result": None}


def _finish(client: Client, job: dict[str, Any], deadline: float) -> dict[str, Any]:
    return job if job["status"] == "refused" else {"file": job["file"], **client.finished(job["id"], deadline)}
