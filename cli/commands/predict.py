"""`thoracle predict`: a folder of files through the service into one CSV. Stopped and called again, it goes on."""

import csv
import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.client import Client
from cli.folders import files_of
from cli.output import say
from cli.progress import progress
from shared.errors import BadRequest, ThoracleError
from shared.schemas import Modality, Priority
from shared.settings import Settings

# Only ever added to, at the end.
COLUMNS = (
    "file", "sha256", "job_id", "status", "modality", "decision", "probability", "threshold", "finding", "sentence",
    "quality", "reasons", "recipe", "version", "version_sha256", "error_code", "error_detail",
    "use",
)  # fmt: skip
_FINAL = frozenset({"succeeded", "rejected", "refused"})  # asking again would give the same row
_AHEAD = 64  # jobs at the service while the oldest is waited for
_FATAL = ("unavailable", "unauthenticated", "forbidden", "version_unknown", "version_recalled")

Row = dict[str, str]


@dataclass(frozen=True)
class _File:
    """One file: where it lies, its path within the folder, and its content's sha256."""

    path: Path
    name: str
    sha256: str


def predict(
    folder: Annotated[Path, typer.Argument(help="Folder with the files, and folders in it.", exists=True)],
    csv_: Annotated[Path, typer.Option("--csv", help="Where the rows go. An earlier run's rows are kept.")],
    modality: Annotated[Modality | None, typer.Option(help="What the files are. Needed for sounds.")] = None,
    version: Annotated[str | None, typer.Option(help="Name or sha256 of the version that must answer.")] = None,
    priority: Annotated[Priority, typer.Option(help="Urgency.")] = Priority.BULK,
    timeout: Annotated[float, typer.Option(help="Longest wait for one file, in seconds.")] = 600.0,
) -> None:
    """Classify every file of a folder: one row a file. Exit code 1 when one of them has no result."""
    given = {"modality": modality, "version": version, "priority": priority}
    fields = {name: str(value) for name, value in given.items() if value is not None}
    files = _files(folder, csv_)
    kept = _kept(csv_, {file.name: file.sha256 for file in files})
    left = [file for file in files if file.name not in kept]
    without = sum(row["status"] != "succeeded" for row in kept.values())
    with Client(Settings()) as client, _table(csv_, kept.values()) as write, progress("Classifying", len(left)) as step:
        for row in _rows(client, left, fields, timeout):
            write(step(row))
            without += row["status"] != "succeeded"
    say(f"{len(files)} files, {len(kept)} of them from an earlier run; {without} have no result.")
    if without:
        raise typer.Exit(1)


def _files(folder: Path, table: Path) -> list[_File]:
    """All files but hidden ones and the table itself, by name."""
    found = []
    for path, name in files_of(folder):
        if path.resolve() != table.resolve():
            with path.open("rb") as stream:
                found.append(_File(path, name, hashlib.file_digest(stream, "sha256").hexdigest()))
    return found


def _kept(table: Path, present: Mapping[str, str]) -> dict[str, Row]:
    """Rows of an earlier run that stand, by file. Raises BadRequest when the file is no table of ours."""
    if not table.exists():
        return {}
    with table.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise BadRequest(detail="The CSV file was not written by this version of 'predict'. Name another one.")
        rows = [row for row in reader if None not in row.values()]  # a row that was cut off is done again
    return {r["file"]: r for r in rows if r["status"] in _FINAL and present.get(r["file"]) == r["sha256"]}


@contextmanager
def _table(table: Path, kept: Iterable[Row]) -> Iterator[Callable[[Row], None]]:
    """Begin the table with the rows that stand; each further row is on disk before the next file is asked for."""
    draft = table.with_name(f".{table.name}.draft")
    with draft.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(kept)
        stream.flush()
        draft.replace(table)

        def write(row: Row) -> None:
            writer.writerow(row)
            stream.flush()

        yield write


def _rows(client: Client, files: Iterable[_File], fields: Mapping[str, str], timeout: float) -> Iterator[Row]:
    """Rows in the order of the files, some jobs ahead of the one that is waited for."""
    waiting: deque[tuple[_File, dict[str, Any]]] = deque()
    for file in files:
        waiting.append((file, _sent(client, file, fields)))
        if len(waiting) > _AHEAD:
            yield _ended(client, *waiting.popleft(), timeout)
    while waiting:
        yield _ended(client, *waiting.popleft(), timeout)


def _sent(client: Client, file: _File, fields: Mapping[str, str]) -> dict[str, Any]:
    """The job of a file; the same content and fields are the same job for a day, and a failed one is tried again."""
    said = "\n".join([file.sha256, *(f"{name}={value}" for name, value in sorted(fields.items()))])
    key = f"predict-{hashlib.sha256(said.encode()).hexdigest()}"
    try:
        job = client.submit(file.path, fields, key)
        if job["status"] in ("failed", "dead"):
            job = client.call("POST", f"/v1/jobs/{job['id']}/retry")
    except ThoracleError as problem:
        if problem.code in _FATAL:
            raise
        return {"status": "refused", "error": {"code": problem.code, "detail": problem.detail}}
    except OSError as problem:
        return {"status": "unreadable", "error": {"code": "file_unreadable", "detail": f"{problem.strerror}."}}
    return job


def _ended(client: Client, file: _File, job: dict[str, Any], timeout: float) -> Row:
    if "id" in job:
        job = client.finished(job["id"], time.monotonic() + timeout)
    result, error = job.get("result") or {}, job.get("error") or {}
    version = result.get("version") or {}
    plain = ("decision", "probability", "threshold", "finding", "sentence")
    values = {
        "file": file.name,
        "sha256": file.sha256,
        "job_id": job.get("id"),
        "status": job["status"],
        "modality": job.get("modality"),
        **{name: result.get(name) for name in plain},
        **{name: " ".join(note["code"] for note in result.get(name, [])) for name in ("quality", "reasons")},
        "recipe": version.get("recipe"),
        "version": version.get("name"),
        "version_sha256": version.get("sha256"),
        "error_code": error.get("code"),
        "error_detail": error.get("detail"),
        "use": "research",
    }
    return {name: "" if values[name] is None else str(values[name]) for name in COLUMNS}
