"""Must show: 100 promotions and rollbacks against 2,000 jobs with workers killed meanwhile.

`python -m bench.rollbacks`. Two workers, two versions of one modality whose arithmetic is nothing, all of it over HTTP.
Half of the jobs come one by one, half in batches; every tenth move a worker is killed with -9 and another started.
"""

import time
from pathlib import Path

from bench.record import Claim, at_least, at_most, figure, tell
from bench.stack import Bench, bench
from shared.deployments import open_deployment, publish
from shared.registry import store
from shared.schemas import Modality
from shared.transforms import sample_files
from tests.support.swings import Seen, Swing
from tests.support.versions import tiny

MOVES, SINGLES, BATCH, EVERY = 100, 10, 100, 10
JOBS = MOVES * SINGLES + MOVES // EVERY * BATCH


def main() -> None:
    """Measure and write."""
    with bench(rate_per_s=0) as place:
        away = _versions(place)
        place.gateway()
        workers = [place.worker(), place.worker()]

        def kill() -> None:
            workers.pop(0).kill()
            workers.append(place.worker())

        body = sample_files.xray("PNG")
        swing = Swing(place.settings, place.database, place.client(), Modality.CHEST_XRAY, away, body)
        begun = time.monotonic()
        seen = swing.run(MOVES, SINGLES, BATCH, EVERY, kill)
        tell("rollbacks", _judged(seen, time.monotonic() - begun))


def _versions(place: Bench) -> str:
    """One version active, another published; the other's sha256."""
    folder = Path(place.settings.home)
    for name, bias in (("tiny-1", 0.0), ("tiny-2", 3.0)):
        artefact = store(tiny(folder / name, Modality.CHEST_XRAY, name, bias), place.settings.versions_dir)
        with place.database.begin() as session:
            open_deployment(session, publish(session, artefact, "bench"), "bench")
    return artefact.sha256


def _judged(seen: Seen, seconds: float) -> list[Claim]:
    answers = sorted(seen.answers)
    whole = seen.actions == ["install", *["promote", "rollback"] * (MOVES // 2)]
    return [
        at_least("jobs that ended with a result", [seen.states.get("succeeded", 0)], "jobs", JOBS),
        at_most("jobs that ended without one", [sum(seen.states.values()) - seen.states["succeeded"]], "jobs", 0),
        figure("looks at the pointer, each in one snapshot", [seen.looks], "looks"),
        at_most("looks that saw other than one active version, where its history says", [seen.wrong_looks], "looks", 0),
        at_most("batches, claims and jobs that mix two versions", [seen.mixed], "cases", 0),
        at_most("invariants of results and pointers that the rows break", [len(seen.violations)], "queries", 0),
        at_least("moves in the history, in order and without a gap", [MOVES if whole else 0], "moves", MOVES),
        at_most("first answers after a rollback by another version", [seen.wrong_answers], "answers", 0),
        figure("rollback to the first answer, median", [answers[len(answers) // 2]], "s"),
        at_most("rollback to the first answer, slowest", [answers[-1]], "s", 2.0),
        figure("all of it", [seconds], "s"),
    ]


if __name__ == "__main__":
    main()
