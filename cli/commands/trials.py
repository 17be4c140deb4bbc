"""`thoracle canary`, `shadow`: a version answers a share of the studies, or computes beside and answers nobody."""

from typing import Annotated, Any

import typer

from cli.client import Client
from cli.commands.pointers import when_prepared
from cli.commands.versions import Of, Reason, all_versions, choose
from cli.output import Json, emit, show, words
from shared.errors import ThoracleError
from shared.schemas import Modality
from shared.settings import Settings

Tried = Annotated[str | None, typer.Argument(help="Name of the version, or the beginning of its sha256.")]
End = Annotated[Modality | None, typer.Option(help="End the one of this kind of input instead.")]
Wait = Annotated[float, typer.Option(help="Most seconds for workers to load it.")]


def canary(
    reason: Reason,
    version: Tried = None,
    share: Annotated[float, typer.Option(help="Share of the studies, 0.5 at most.", min=0.0, max=0.5)] = 0.1,
    end: End = None,
    modality: Of = None,
    wait: Wait = 120.0,
    json_: Json = False,
) -> None:
    """Let a version answer a share of the studies; all jobs of one study go the same way."""
    _moved("canary", {"share": share}, reason, version, end, modality, wait, json_)


def shadow(
    reason: Reason,
    version: Tried = None,
    end: End = None,
    modality: Of = None,
    wait: Wait = 120.0,
    json_: Json = False,
) -> None:
    """Let a version compute what the active one has answered, while nothing waits; it answers nobody."""
    _moved("shadow", {}, reason, version, end, modality, wait, json_)


def _moved(
    pointer: str,
    more: dict[str, Any],
    reason: str,
    version: str | None,
    end: Modality | None,
    modality: Modality | None,
    wait: float,
    as_json: bool,
) -> None:
    with Client(Settings()) as client:
        if end is not None:
            deployment = _ended(client, f"/v1/deployments/{end}", pointer, reason)
        elif version is not None:
            chosen = choose(all_versions(client, modality), version)
            path = f"/v1/deployments/{chosen['modality']}"
            generation = client.get(path)["generation"]
            body = {"version": chosen["version"]["sha256"], "reason": reason, **more}
            deployment = when_prepared(client, f"{path}/{pointer}", body, generation, wait)
        else:
            raise ThoracleError("version_unknown", detail="Name a version, or --end and a kind of input.")
    if as_json:
        emit(deployment)
    else:
        show(_said(deployment, pointer))


def _ended(client: Client, path: str, pointer: str, reason: str) -> dict[str, Any]:
    headers = {"If-Match": f'"{client.get(path)["generation"]}"'}
    answer: dict[str, Any] = client.call("DELETE", f"{path}/{pointer}", headers=headers, reason=reason)
    return answer


def _said(deployment: dict[str, Any], pointer: str) -> str:
    kind, version = words(deployment["modality"]), deployment[pointer]
    if version is None:
        return f"No {pointer} for {kind} any more; generation {deployment['generation']}."
    part = f" of {deployment['canary_share']:.0%} of the studies" if pointer == "canary" else ""
    return f"{version['name']} ({version['sha256'][:12]}) is the {pointer}{part} for {kind}."
