"""`thoracle shadow-report`, `canary-report`: how versions that are tried out do beside the active one."""

from typing import Annotated, Any

import typer

from cli.client import Client
from cli.output import Json, emit, facts, show, table, words
from shared.schemas import Modality
from shared.settings import Settings

Kind = Annotated[Modality, typer.Argument(help="Which kind of input.")]


def shadow_report(modality: Kind, json_: Json = False) -> None:
    """What the shadow would have answered on inputs that the active version answered: agreement, flips, differences."""
    with Client(Settings()) as client:
        found = client.get(f"/v1/deployments/{modality}/shadow")
    if json_:
        emit(found)
        return
    agreed = found["agreement"]
    facts(
        {
            "Active": found["active"]["name"],
            "Shadow": found["shadow"]["name"],
            "Inputs": agreed["n"],
            "Same decision": _spread(agreed["agreed"]),
            "Kappa": _spread(agreed["kappa"]),
            "Flipped to flagged": agreed["flips"]["to_flagged"],
            "Flipped to not flagged": agreed["flips"]["to_not_flagged"],
            "Probability differs by": _spread(agreed["difference"]["mean"]),
            **{f"No answer: {words(code)}": count for code, count in found["unanswered"].items()},
            "Milliseconds an input": f"{found['cost']['shadow_ms']} (active {found['cost']['active_ms']})",
        }
    )


def canary_report(modality: Kind, json_: Json = False) -> None:
    """What the canary did beside the active version over the same time, and whether it is about to be ended."""
    with Client(Settings()) as client:
        found = client.get(f"/v1/deployments/{modality}/canary")
    if json_:
        emit(found)
        return
    sides = found["comparison"]
    names = ("jobs", "failed", "rejected", "flagged", "referred", "median_ms", "p95_ms")
    rows: list[list[object]] = [[words(name), sides["canary"][name], sides["active"][name]] for name in names]
    table(f"Canary, {found['share']:.0%} of the studies", ("Since it began", "Canary", "Active"), rows)
    for name in ("extra_errors", "slowdown", "shift"):
        if sides[name] is not None:
            show(f"{words(name)}: {sides[name]:.3f}")
    show(sides["trouble"]["detail"] if sides["trouble"] else "Nothing speaks for ending it.")


def _spread(interval: dict[str, Any] | None) -> str | None:
    return None if interval is None else "{value:.3f} ({low:.3f} to {high:.3f})".format(**interval)
