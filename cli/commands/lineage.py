"""`thoracle lineage`: from a result or a version back to the first click."""

from typing import Annotated, Any
from uuid import UUID

import typer

from cli.client import Client
from cli.commands.versions import all_versions, choose
from cli.output import Json, emit, show, words
from shared.settings import Settings

_SHOWN = 5  # verdicts; --json has them all


def lineage(
    of: Annotated[str, typer.Argument(help="Id of a job, or name or beginning of the sha256 of a version.")],
    json_: Json = False,
) -> None:
    """Say where a result comes from: its version, who let it answer and why, its training, and the first click."""
    with Client(Settings()) as client:
        job = client.get(f"/v1/jobs/{of}") if _is_id(of) else None
        sha256 = _answered(job) if job else choose(all_versions(client, None), of)["version"]["sha256"]
        found = client.get(f"/v1/versions/{sha256}/lineage")
    if json_:
        emit({"job": job, **found} if job else found)
        return
    for line in told(found, job):
        show(line)


def told(found: dict[str, Any], job: dict[str, Any] | None = None) -> list[str]:
    """A lineage as lines, from the latest to the earliest."""
    version = found["version"]
    lines = [f"Result {job['id']}: {words(job['result']['decision'])}, at {job['finished_at']}"] if job else []
    lines.append(f"Version {version['name']} ({version['recipe']}, {version['sha256'][:12]})")
    if found["recalled_at"]:
        lines.append(f"  {found['recalled_at']}  recalled: {found['recall_reason']}")
    lines += [_moved(move) for move in reversed(found["moves"])]
    lines.append(f"Published {found['published_at']} by {found['published_by']}")
    data = found["data"]
    if run := found["run"]:
        lines.append(f"Training run {run['id']}: {run['recipe']}, seed {run['seed']}, started by {run['started_by']}")
    lines.append(f"Data {data['fingerprint'][:12]}: {data['n']} files of {data['patients']} patients")
    return lines + (_origin(found["retraining"]) if found["retraining"] else [])


def _moved(move: dict[str, Any]) -> str:
    approved = f", approved by {move['approved_by']}" if move["approved_by"] else ""
    override = f" (not every gate passed: {move['override']})" if move["override"] else ""
    who = f"{words(move['action'])} ({move['role']}) by {move['actor']}{approved}"
    return f"  {move['at']}  {who}: {move['reason']}{override}"


def _origin(origin: dict[str, Any]) -> list[str]:
    verdicts = origin["verdicts"]
    bases = ", ".join(f"{words(basis)} {count}" for basis, count in verdicts["by_basis"].items())
    answered = ", ".join(f"{name} {count}" for name, count in verdicts["answered_by"].items())
    lines = [
        f"Retraining {origin['id']}: {origin['reason']} ({words(origin['cause'])}, {origin['asked_by']})",
        f"Verdicts: {verdicts['trained']} trained on, {verdicts['held_out']} held out ({bases}); base {origin['base']}",
        f"On results of: {answered}",
    ]
    for one in verdicts["each"][:_SHOWN]:
        clicks = ", ".join(one["feedback"])
        lines.append(f"  {one['first_at']}  {one['label']} on job {one['job_id']}: feedback {clicks}")
    rest = len(verdicts["each"]) - _SHOWN
    return lines + ([f"  and {rest} more (--json)"] if rest > 0 else [])


def _is_id(word: str) -> bool:
    try:
        return str(UUID(word)) == word.lower()
    except ValueError:
        return False


def _answered(job: dict[str, Any]) -> str:
    if not job.get("result"):
        raise typer.BadParameter("This job has no result, so no version answered it.")
    sha256: str = job["result"]["version"]["sha256"]
    return sha256
