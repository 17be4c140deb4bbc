"""`thoracle promote`, `rollback` and what belongs to them: who has a version ready, its gates, a second person."""

import time
from typing import Annotated, Any

import typer

from cli.client import Client, ServerProblem
from cli.commands import versions
from cli.commands.versions import Named, Of, Reason, all_versions, choose
from cli.output import Json, emit, table, words
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
    if json_:
        emit(found)
        return
    rows: list[list[object]] = [[one["worker"], one["state"], one["detail"]] for one in found["standings"]]
    table("Workers", ("Worker", "State", "Why"), rows)


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
    if json_:
        emit(found)
        return
    rows: list[list[object]] = [[one["name"], words(one["outcome"]), one["detail"]] for one in found["gates"]]
    table("Gates", ("Gate", "Outcome", "Why"), rows)


def approve(
    modality: Annotated[Modality, typer.Argument(help="Which kind of input.")], reason: Reason, json_: Json = False
) -> None:
    """Approve the promotion that another person proposed."""
    with Client(Settings()) as client:
        path = f"/v1/deployments/{modality}/proposals"
        waiting = client.get(path)["proposals"]
        if not waiting:
            raise ThoracleError("not_found", detail=f"No promotion of a {words(modality)} version waits for approval.")
        deployment = client.call("POST", f"{path}/{waiting[0]['id']}/approve", {"reason": reason})
    told(deployment, json_)


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
