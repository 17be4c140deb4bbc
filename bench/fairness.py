"""Must show: beside another hospital's 5,000 bulk jobs, one's routine studies are served as if it were nearly alone.

`python -m bench.fairness`. One worker, one modality (the cough starter). Rounds alternate between the studies of the
hospital alone and beside the bulk, which is cancelled at the end of each round.
"""

import statistics
import time
from dataclasses import dataclass

from bench.record import Claim, at_least, figure, tell
from bench.singles import Backlog, Singles, p95
from bench.stack import Bench, bench
from shared.deployments import install_starters
from shared.schemas import Modality

JOBS, SINGLES, ROUNDS = 5000, 40, 3


@dataclass(frozen=True)
class Round:
    """Milliseconds of each study alone and beside the bulk; the bulk's own jobs a second, and what was left of it."""

    alone: list[float]
    beside: list[float]
    rate: float
    left: int


def main() -> None:
    """Measure and write."""
    with bench(rate_per_s=0) as place:
        install_starters(place.settings, place.database)
        place.gateway()
        place.worker()
        tell("fairness", _judged(_rounds(place)))


def _rounds(place: Bench) -> list[Round]:
    singles = Singles(place, "north", Modality.COUGH, "routine")
    bulk = Backlog(place, "south", Modality.COUGH)
    singles.send(5)  # whatever is done only once
    return [_round(singles, bulk) for _ in range(ROUNDS)]


def _round(singles: Singles, bulk: Backlog) -> Round:
    alone = singles.send(SINGLES)
    bulk.begin(JOBS)
    before, begun = bulk.count("succeeded"), time.monotonic()
    beside = singles.send(SINGLES)
    rate = (bulk.count("succeeded") - before) / (time.monotonic() - begun)
    left = bulk.count("queued")
    bulk.end()
    return Round(alone, beside, rate, left)


def _judged(rounds: list[Round]) -> list[Claim]:
    picks = (("median", statistics.median), ("p95", p95))
    return [
        *(figure(f"a routine study alone, {name}", [pick(one.alone) for one in rounds], "ms") for name, pick in picks),
        *(
            figure(f"a routine study beside {JOBS:,} bulk jobs, {name}", [pick(one.beside) for one in rounds], "ms")
            for name, pick in picks
        ),
        figure("the bulk meanwhile", [one.rate for one in rounds], "jobs/s"),
        figure("what the bulk would take if it went first", [JOBS / one.rate for one in rounds], "s"),
        at_least("bulk jobs left when the last study had its result", [min(one.left for one in rounds)], "jobs", 1),
    ]


if __name__ == "__main__":
    main()
