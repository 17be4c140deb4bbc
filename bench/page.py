"""docs/bench.md: what was measured, its limits and what misses, as tables and one picture. Nothing is typed in."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.record import RESULTS, Claim
from services.trainer.figures.canvas import WITH, WITHOUT, label, page
from services.trainer.reports.markdown import NONE, table

DOCS = Path(__file__).parents[1] / "docs"
PICTURE = "bench-limits.svg"
TITLES = {
    "throughput": "Jobs a second against the limit of the arithmetic",
    "peers": "The same model through other servers",
    "latency": "Submitting against the floor of one fsynced file and one commit",
    "bulk": "Accepting an archive against unpacking it",
    "ten_thousand": "Ten thousand coughs from one command",
    "urgency": "Urgent jobs behind a backlog",
    "fairness": "One hospital beside another's bulk",
    "claims": "The price of a claim as the queue grows",
    "pressure": "More than can be done: liveness and long polls",
    "drift": "The drift board over a million results",
    "promotions": "Promotions during load",
    "rollbacks": "A hundred promotions and rollbacks while workers are killed",
    "runtimes": "Runtimes",
    "features": "Features of a recording",
    "training": "Training against a bare loop",
    "memory": "Memory",
    "startup": "Start-up",
}
_HEAD = (
    "# Bench",
    "",
    'Written by `make bench`; nothing here is typed in by hand. `make bench ARGS="throughput latency"` measures some '
    "of it again and writes this page anew. Each table is one run in which what is compared was interleaved; values "
    "are medians, in brackets the lowest and the highest of the runs. A claim that misses says why.",
)
_SHARE = 2.0  # the picture ends at twice the limit


@dataclass(frozen=True)
class Result:
    """One measurement as its file tells it."""

    name: str
    at: str
    machine: str
    claims: Sequence[Claim]


def results(folder: Path = RESULTS) -> list[Result]:
    """What was measured, in the page's order. Raises KeyError for a file of no known measurement."""
    order = list(TITLES)
    found = [_read(path) for path in folder.glob("*.json")]
    return sorted(found, key=lambda result: order.index(result.name))


def write_page(folder: Path = RESULTS, docs: Path = DOCS) -> Path:
    """Write bench.md and its picture; the path of the page."""
    found = results(folder)
    (docs / "pictures").mkdir(parents=True, exist_ok=True)
    (docs / "pictures" / PICTURE).write_text(
        _picture([claim for claim in _held(found) if claim.limit]), encoding="utf-8"
    )
    path = docs / "bench.md"
    path.write_text("\n".join(_lines(found)) + "\n", encoding="utf-8")
    return path


def _lines(found: Sequence[Result]) -> Iterator[str]:
    held = _held(found)
    missed = [claim for claim in held if not claim.holds]
    yield from _HEAD
    yield from ("", f"{len(held) - len(missed)} of {len(held)} limits hold.")
    yield from ("", f"![Each claim against its limit](pictures/{PICTURE})")
    for result in found:
        yield from ("", f"## {TITLES[result.name]}", "", f"`bench.{result.name}`, {result.at}, {result.machine}.", "")
        yield from table(("claim", "value", "limit", "holds"), map(_row, result.claims))
        for claim in result.claims:
            if claim.note:
                yield from ("", f"*{claim.claim}*: {claim.note}")


def _row(claim: Claim) -> tuple[object, ...]:
    spread = f" ({_number(claim.low)} to {_number(claim.high)})" if claim.runs > 1 else ""
    limit = NONE if claim.limit is None else f"{claim.bound} {_number(claim.limit)}"
    holds = NONE if claim.holds is None else "yes" if claim.holds else "**no**"
    return claim.claim, f"{_number(claim.value)}{spread} {claim.unit}", limit, holds


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def _held(found: Sequence[Result]) -> list[Claim]:
    return [claim for result in found for claim in result.claims if claim.holds is not None]


def _picture(claims: Sequence[Claim]) -> str:
    """A bar a claim whose limit is not nought: its value as a share of it, the dashed line at the limit itself."""
    says = "Claims as a share of their limits. " + "; ".join(f"{claim.claim}: {claim.value}" for claim in claims)
    with page(says, size=(11, 1.5 + 0.36 * max(1, len(claims)))) as made:
        axes = made.at()
        for place, claim in enumerate(claims):
            share = min(_SHARE, claim.value / claim.limit) if claim.limit else 0.0
            axes.barh(place, share, color=WITHOUT if claim.holds else WITH, hatch="" if claim.holds else "///")
            axes.text(_SHARE + 0.02, place, f"{claim.bound} limit: {'holds' if claim.holds else 'misses'}", va="center")
        axes.axvline(1, linestyle="--", linewidth=1)
        axes.set_yticks(range(len(claims)), [claim.claim for claim in claims])
        axes.set(xlim=(0, _SHARE + 0.45), ylim=(max(1, len(claims)) - 0.5, -0.5), xticks=[0, 0.5, 1, 1.5, 2])
        label(axes, x="value as a share of the limit (dashed)")
    return made.svg()


def _read(path: Path) -> Result:
    body = json.loads(path.read_text(encoding="utf-8"))
    machine = body["machine"]
    words = f"{machine['cores']} cores, {machine['processor']}, Python {machine['python']}"
    return Result(path.stem, body["at"], words, [Claim(**claim) for claim in body["claims"]])


if __name__ == "__main__":
    write_page()
