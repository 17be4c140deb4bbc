"""`thoracle promote`, `rollback` and what belongs to them: who has a version ready, its gates, a second person."""

import time
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cli.client import Client, ServerProblem
from cli.commands import versions
from cli.commands.versions import Named, Of, Reason, all_versions, choose
from cli.output import Json, Most, emit, listed, show, table, words
from cli.told import told
from shared.errors import ThoracleError
from shared.schemas import Modality
from shared.settings import Settings

_LONG_POLL_S = 20


def promote(
    version: Named,
    reason: Reason,
    modality: Of = None,
    override: Annotated[str | None, typer.Option(help="Why, although some gates do not pass.")] = None,
    wait: Annotated[float, typer.Option(help="Most seconds for workers to load it.")] = 120.0,
    json_: Json = False,
) -> None:
    """Make a version the active one, once every worker has it loaded and proven and its gates pass.

    Fails when somebody else moves the pointer at the same time.
    """
    with Client(Settings()) as client:
        chosen = choose(all_versions(client, modality), version)
        path = f"/v1/deployments/{chosen['modality']}"
        generation = client.get(path)["generation"]
        body = {"version": chosen["version"]["sha256"], "reason": reason, "override": override}
        deployment = when_prepared(client, path, body, generation, wait)
    told(deployment, json_)


def rollback(
    modality: Annotated[Modality, typer.Argument(help="Which kind of input.")], reason: Reason, json_: Json = False
) -> None:
    """Make the previous version active again."""
    with Client(Settings()) as client:
        path = f"/v1/deployments/{modality}"
        generation = client.get(path)["generation"]
        deployment = client.call("POST", f"{path}/rollback", {"reason": reason}, {"If-Match": f'"{generation}"'})
    told(deployment, json_)


def prepare(
    version: Named,
    modality: Of = None,
    json_: Json = False,
) -> None:
    """Let workers load and prove a version ahead of a move, and say who has it."""
    with Client(Settings()) as client:
        chosen = choose(all_versions(client, modality), version)
        path = f"/v1/deployments/{chosen['modality']}/prepare"
        found = client.call("POST", path, {"version": chosen["version"]["sha256"]})
    rows: list[list[object]] = [[one["worker"], one["state"], one["detail"]] for one in found["standings"]]
    listed(found, "Workers", ("Worker", "State", "Why"), rows, as_json=json_)


def gates(
    version: Named,
    modality: Of = None,
    json_: Json = False,
) -> None:
    """Which gates a version passes against what is active now."""
    with Client(Settings()) as client:
        chosen = choose(all_versions(client, modality), version)
        path = f"/v1/deployments/{chosen['modality']}/gates"
        found = client.get(path, version=chosen["version"]["sha256"])
    rows: list[list[object]] = [[one["name"], words(one["outcome"]), one["detail"]] for one in found["gates"]]
    listed(found, "Gates", ("Gate", "Outcome", "Why"), rows, as_json=json_)


def approve(
    modality: Annotated[Modality, typer.Argument(help="Which kind of input.")], reason: Reason, json_: Json = False
) -> None:
    """Approve the promotion that another person proposed."""
    with Client(Settings()) as client:
        path = f"/v1/deployments/{modality}/proposals"
        proposal = _waiting(client, path, modality)
        deployment = client.call("POST", f"{path}/{proposal['id']}/approve", {"reason": reason})
    told(deployment, json_)


def withdraw(modality: Annotated[Modality, typer.Argument(help="Which kind of input.")], json_: Json = False) -> None:
    """Withdraw, or reject, the promotion that waits for a second person."""
    with Client(Settings()) as client:
        path = f"/v1/deployments/{modality}/proposals"
        proposal = _waiting(client, path, modality)
        client.call("DELETE", f"{path}/{proposal['id']}")
    if json_:
        emit({"withdrawn": proposal})
        return
    show(f"The promotion of {proposal['version']['name']} is withdrawn. Nothing was moved.")


def history(
    modality: Annotated[Modality, typer.Argument(help="Which kind of input.")],
    at: Annotated[datetime | None, typer.Option(help="Which version answered then (UTC), and who let it.")] = None,
    limit: Most = 20,
    json_: Json = False,
) -> None:
    """Every move of a pointer, newest first."""
    moment = at.replace(tzinfo=UTC).isoformat() if at else None
    with Client(Settings()) as client:
        found = client.get(f"/v1/deployments/{modality}/history", limit=limit, at=moment)
    if json_:
        emit(found)
        return
    if found["then"]:
        show(_answered(found["then"]))
    rows = [
        [one["at"][:19], words(one["action"]), *_between(one), one["actor"], one["reason"]] for one in found["moves"]
    ]
    table("Moves, newest first", ("When", "Move", "From", "To", "Who", "Why"), rows)


def _waiting(client: Client, path: str, modality: Modality) -> dict[str, Any]:
    waiting: list[dict[str, Any]] = client.get(path)["proposals"]
    if not waiting:
        raise ThoracleError("not_found", detail=f"No promotion of a {words(modality)} version waits for approval.")
    return waiting[0]


def _between(move: dict[str, Any]) -> list[object]:
    return [move[end]["name"] if move[end] else None for end in ("before", "after")]


def _answered(then: dict[str, Any]) -> str:
    if then["active"] is None:
        return f"Nothing answered at {then['at']}."
    said = f"At {then['at']} {then['active']['name']} ({then['active']['sha256'][:12]}) answered"
    by = then["by"]
    return f"{said}, since {by['at']} by {by['actor']}: {by['reason']}" if by else f"{said}."


def when_prepared(client: Client, path: str, body: dict[str, Any], generation: int, wait: float) -> dict[str, Any]:
    """Ask until workers are ready, `wait` seconds at most."""
    until = time.monotonic() + wait
    while True:
        longest = max(0, min(_LONG_POLL_S, int(until - time.monotonic())))
        try:
            headers = {"If-Match": f'"{generation}"', "Prefer": f"wait={longest}"}
            answer: dict[str, Any] = client.call("PUT", path, body, headers)
            return answer
        except ServerProblem as problem:
            if problem.code != "not_prepared" or time.monotonic() >= until:
                raise


versions.app.command("prepare")(prepare)
versions.app.command("gates")(gates)
versions.app.command("approve")(approve)
versions.app.command("withdraw")(withdraw)
versions.app.command("history")(history)
