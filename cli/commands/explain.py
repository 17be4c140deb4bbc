"""`thoracle explain`: what moved the score of a result."""

import time
from pathlib import Path
from typing import Annotated

import typer

from cli.client import Answer, Client
from cli.output import Json, emit, facts, say, show, table
from shared.errors import Conflict, NotFound
from shared.settings import Settings

_WAIT_S = 20
_PAUSE_S = 0.5
_SHOWN = 12


def explain(
    job_id: Annotated[str, typer.Argument(help="The job's id.")],
    png: Annotated[
        Path | None, typer.Option(help="Write the heat map here: a PNG to lay over the picture.", dir_okay=False)
    ] = None,
    wait: Annotated[float, typer.Option(min=0, help="Most seconds to wait; it is made after all waiting jobs.")] = 300,
    json_: Json = False,
) -> None:
    """What moved the score of this result, with the check against chance. Not where a disease is.

    A heat map for X-rays and spectrograms, contributions for versions that read measured features.
    """
    with Client(Settings()) as client:
        answer = _made(client, job_id, time.monotonic() + wait)
        if png is not None:
            if "heat" not in answer["links"]:
                raise NotFound(detail="This version reads measured features, not a picture: it has no heat map.")
            png.write_bytes(client.body(f"/v1/jobs/{job_id}/renditions/heat"))
    if json_:
        emit(answer)
        return
    _show(answer)
    if png is not None:
        say(f"Heat map: {png}")


def _made(client: Client, job_id: str, until: float) -> Answer:
    while True:
        left = max(0, min(_WAIT_S, int(until - time.monotonic())))
        answer: Answer = client.get(f"/v1/jobs/{job_id}/explanation", headers={"Prefer": f"wait={left}"})
        if "method" in answer:
            return answer
        if time.monotonic() >= until:
            raise Conflict(detail="It is not made yet: other work goes first. Ask again later.")
        time.sleep(_PAUSE_S)


def _show(answer: Answer) -> None:
    show(answer["caution"])
    show(answer["said"])
    show(answer["checked"])
    check = answer["check"]
    facts(
        {
            "Version": f"{answer['version']['recipe']} {answer['version']['name']} {answer['version']['sha256']}",
            "Score": f"{answer['score']:.2f} (of the background alone {answer['empty_score']:.2f})",
            "Deletion, insertion": f"{check['deletion']:.2f}, {check['insertion']:.2f}",
            "In random orders": f"{check['random_mean']:.2f} ({check['random_low']:.2f} to {check['random_high']:.2f})",
            "Lungs": answer["lungs"],
        }
    )
    rows = [(one["label"], f"{one['value']:+.3f}") for one in (answer["contributions"] or [])[:_SHOWN]]
    if rows:
        table("The largest contributions (log-odds)", ("Features", "Added to the score"), rows)
    elif answer["heat_map"]:
        values = answer["heat_map"]["values"]
        most = max((value, row, column) for row, line in enumerate(values) for column, value in enumerate(line))
        show(f"Heat map of {len(values)} by {len(values[0])} cells; the strongest: {_where(answer, *most)}.")


def _where(answer: Answer, value: float, row: int, column: int) -> str:
    heat = answer["heat_map"]
    rows, columns = len(heat["values"]), len(heat["values"][0])
    down, right = (row + 0.5) / rows, (column + 0.5) / columns
    if heat["seconds"] is None:
        top, left, bottom, end = heat["box"]
        down, right = top + down * (bottom - top), left + right * (end - left)
        return f"{value:+.3f} at {100 * right:.0f} % from the left and {100 * down:.0f} % from the top"
    seconds, hertz = heat["seconds"], heat["hertz"]
    at, pitch = seconds[0] + right * (seconds[1] - seconds[0]), hertz[1] - down * (hertz[1] - hertz[0])
    return f"{value:+.3f} at {at:.1f} s and {pitch:.0f} Hz"
