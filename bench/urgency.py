"""Stat studies behind a backlog of 10,000 bulk jobs, of the same modality and of another.

`python -m bench.urgency`. Limit: two of the backlog's group times and the study's own service, all measured in the same
run. Own service is its time on an idle worker; a group time is the median time between two commits of the backlog.
"""

import itertools
import statistics
import time
from dataclasses import dataclass, field

from sqlalchemy import text

from bench.record import Claim, at_most, figure, tell
from bench.singles import Backlog, Singles, p95
from bench.stack import Bench, bench
from shared.deployments import install_starters
from shared.schemas import Modality

JOBS, SINGLES, ROUNDS = 10_000, 30, 3
GROUPS_S = 4
_COMMITS = text(
    "SELECT DISTINCT extract(epoch FROM finished_at)::float8 AS at FROM jobs "
    "WHERE state = 'succeeded' AND finished_at > now() - make_interval(secs => :seconds) ORDER BY at"
)


@dataclass
class Kind:
    """Stat studies of one modality: milliseconds of each on the idle worker and behind the backlog, by round."""

    name: str
    singles: Singles
    own: list[list[float]] = field(default_factory=list)
    behind: list[list[float]] = field(default_factory=list)


def main() -> None:
    """Measure and write."""
    with bench(rate_per_s=0) as place:
        install_starters(place.settings, place.database)
        place.gateway()
        place.worker()
        kinds = [
            Kind("same modality", Singles(place, "north", Modality.CHEST_XRAY, "stat")),
            Kind("other modality", Singles(place, "north", Modality.COUGH, "stat")),
        ]
        groups = _measured(place, kinds)
        tell("urgency", _judged(kinds, groups))


def _measured(place: Bench, kinds: list[Kind]) -> list[float]:
    """Fill the kinds; the group time of each round in milliseconds."""
    backlog = Backlog(place, "south", Modality.CHEST_XRAY)
    for kind in kinds:
        kind.singles.send(5)  # whatever is done only once
    groups = []
    for _ in range(ROUNDS):
        for kind in kinds:
            kind.own.append(kind.singles.send(SINGLES))
        backlog.begin(JOBS)
        groups.append(_group_ms(place))
        for kind in kinds:
            kind.behind.append(kind.singles.send(SINGLES))
        assert backlog.count("queued"), "the backlog was over before the studies were"
        backlog.end()
    return groups


def _group_ms(place: Bench) -> float:
    time.sleep(GROUPS_S)
    with place.database.begin() as session:
        commits: list[float] = list(session.scalars(_COMMITS, {"seconds": GROUPS_S}))
    return statistics.median(after - before for before, after in itertools.pairwise(commits)) * 1000


def _judged(kinds: list[Kind], groups: list[float]) -> list[Claim]:
    claims = [figure("a group of the backlog", groups, "ms")]
    for kind in kinds:
        own = [statistics.median(one) for one in kind.own]
        limit = round(2 * statistics.median(groups) + statistics.median(own), 1)
        claims += [
            figure(f"a stat study's own service, {kind.name}, median", own, "ms"),
            figure(f"a stat study's own service, {kind.name}, p95", [p95(one) for one in kind.own], "ms"),
            figure(f"behind {JOBS:,}, {kind.name}, median", [statistics.median(one) for one in kind.behind], "ms"),
            at_most(f"behind {JOBS:,}, {kind.name}, p95", [p95(one) for one in kind.behind], "ms", limit),
        ]
    return claims


if __name__ == "__main__":
    main()
