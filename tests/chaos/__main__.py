"""`python -m tests.chaos --seed 7 --minutes 20`: faults for so long, then the judgement. The seed is printed first."""

import argparse
import json
import random
import sys
from pathlib import Path

from tests.chaos.honesty import caught
from tests.chaos.report import page, write
from tests.chaos.run import Outcome, run

_REPORT = "report.json"


def main() -> int:
    """0 when nothing was violated."""
    asked = _arguments()
    outcome = _again(asked.again) if asked.again else _anew(asked)
    if asked.keep:
        _say("Hunting the planted bugs.")
        write(outcome, caught())
    _say(page(outcome))
    return int(bool(outcome.violations))


def _anew(asked: argparse.Namespace) -> Outcome:
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(10**6)
    _say(f"SEED={seed} MINUTES={asked.minutes:g}")
    outcome = run(seed, asked.minutes * 60, quick=asked.quick, longest=1.0, say=_say, home=asked.home)
    if asked.home is not None:
        (asked.home / _REPORT).write_text(json.dumps(outcome.as_json(), indent=1, default=str))
    return outcome


def _again(home: Path) -> Outcome:
    return Outcome.of_json(json.loads((home / _REPORT).read_text()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="draws the faults; a new one when left out")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--quick", action="store_true", help="short leases instead of the shipped ones")
    parser.add_argument("--keep", action="store_true", help="write docs/reliability.md and docs/reliability.json")
    parser.add_argument("--home", type=Path, help=f"a folder for everything, which stays, with {_REPORT}")
    parser.add_argument("--again", type=Path, help="tell once more what a run left in this folder, without running")
    return parser.parse_args()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
