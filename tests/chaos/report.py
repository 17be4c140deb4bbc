"""What a run says, from its outcome alone: the page docs/reliability.md, and docs/reliability.json for programs."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from bench import record
from shared.faults import POINTS
from tests.chaos.arena import MISSED
from tests.chaos.failpoints import ACTIONS
from tests.chaos.planted import BUGS
from tests.chaos.recovery import percentile
from tests.chaos.run import Outcome
from tests.support.stack import ROOT

PAGE, DATA = ROOT / "docs" / "reliability.md", ROOT / "docs" / "reliability.json"
KILLS, RECOVERY_S = 300, 45.0
INVARIANTS = {
    "I1": "every accepted job exists",
    "I2": "every job ends, once",
    "I3": "succeeded means exactly one result",
    "I4": "the right patient, by the content of every answer",
    "I5": "every result names what made it, and that is what was published",
    "I6": "promotion is atomic; no claim mixes versions",
    "I7": "a repeated request makes nothing twice",
    "I8": "attempts are bounded; poison dies alone",
    "I9": "who lost its lease commits nothing",
    "I11": "told to end, a process ends well and in time",
    "I12": "who is turned away is told when to come again",
    "I14": "only legal changes of state, in order",
    "I15": "every row's stored bytes are there, unchanged",
    "I16": "every change and reading is in the audit log",
    "I17": "nothing of a patient in logs, Redis, metrics",
    "I19": "leases follow the database's clock alone",
    "I20": "webhooks arrive at least once, under one id, signed",
    "I21": "a contested result is read once more, by somebody else; its review says what stands",
    "I22": "an explanation is of its own job's result",
    "I23": "shadows compute the same inputs; rollups count every end once",
    "I24": "a retraining goes with its run and its own hospital's labels",
}


def write(outcome: Outcome, caught: Mapping[str, bool]) -> None:
    """Write both files; `caught` says of every planted bug whether it was."""
    PAGE.write_text(f"{page(outcome)}\n\n{_planted(caught)}\n", encoding="utf-8")
    missed = record.at_most("planted bugs that were not caught", [sum(not found for found in caught.values())], "", 0)
    told = {"claims": [asdict(claim) for claim in (*claims(outcome), missed)], "planted": dict(caught)}
    run = {name: value for name, value in outcome.as_json().items() if name not in ("done", "kills")}
    DATA.write_text(json.dumps({**told, "run": run}, indent=1, default=str) + "\n", encoding="utf-8")


def claims(outcome: Outcome) -> list[record.Claim]:
    """What the run is held against."""
    return [
        record.at_most("violations of invariants", [len(outcome.violations)], "", 0),
        record.at_least("kills", [len(outcome.kills)], "", KILLS),
        record.at_most("recovery after a worker's kill, p95", [percentile(outcome.recoveries, 0.95)], "s", RECOVERY_S),
        record.figure("recovery after a worker's kill, p50", [percentile(outcome.recoveries, 0.5)], "s"),
        record.figure("jobs accepted", [sum(outcome.jobs.values())], ""),
    ]


def page(outcome: Outcome) -> str:
    """Markdown."""
    sections = [
        _head(outcome),
        _against(outcome),
        _invariants(outcome),
        _kills(outcome),
        _failpoints(outcome),
        _faults(outcome),
    ]
    return "\n\n".join([*sections, _jobs(outcome)])


def _head(outcome: Outcome) -> str:
    violated, rest = len(outcome.violations), "never" if outcome.rested is None else f"after {outcome.rested:.0f} s"
    found = outcome.recoveries
    rows = [
        ("seed", outcome.seed),
        ("minutes of faults", f"{outcome.seconds / 60:.1f}"),
        ("lease, heartbeat", f"{outcome.settings['lease_s']:g} s, {outcome.settings['heartbeat_s']:g} s"),
        ("kills (-9)", len(outcome.kills)),
        ("other faults", sum(not done.fault.startswith("kill -9") for done in outcome.done)),
        ("jobs accepted", sum(outcome.jobs.values())),
        ("violations", violated),
        ("recovery p50, p95, longest", ", ".join(f"{v:.1f} s" for v in _recovery(found)) + f" of {len(found)} kills"),
        ("at rest", rest),
        ("webhook messages", outcome.messages),
    ]
    return (
        "# Reliability\n\nWritten by `make chaos`, from one run; the streams of faults are drawn from the seed, what "
        "they meet is not.\nRecovery: from the kill of a worker that held jobs until the last of them had ended or was "
        "claimed again, whatever else was killed\nmeanwhile and however much waited before it.\n\n"
        + _table(("", "this run"), rows)
    )


def _against(outcome: Outcome) -> str:
    held = [claim for claim in claims(outcome) if claim.limit is not None]
    rows = [(c.claim, f"{c.value:g} {c.unit}", f"{c.bound} {c.limit:g}", "yes" if c.holds else "MISSED") for c in held]
    return _table(("", "value", "limit", "holds"), rows)


def _recovery(found: list[float]) -> list[float]:
    return [percentile(found, 0.5), percentile(found, 0.95), found[-1] if found else 0.0]


def _invariants(outcome: Outcome) -> str:
    found: dict[str, list[str]] = defaultdict(list)
    for violation in outcome.violations:
        found[violation.invariant].append(f"not so: {violation.what} ({len(violation.rows)} shown)")
    unknown = {name: "" for name in found if name not in INVARIANTS}
    rows = [(name, what, len(found[name]), "; ".join(found[name])) for name, what in {**INVARIANTS, **unknown}.items()]
    return "## Invariants\n\n" + _table(("", "promise", "violations", ""), rows)


def _kills(outcome: Outcome) -> str:
    counts = Counter((kill.process, "failpoint" if kill.how in POINTS else kill.how) for kill in outcome.kills)
    rows = [(process, how, count) for (process, how), count in sorted(counts.items())]
    crashes = [
        (name, f"exit {code}", count) for name, codes in outcome.crashes.items() for code, count in codes.items()
    ]
    text = "## Kills\n\n" + _table(("process", "how", "times"), rows)
    return text + (
        "\n\nEnds that no fault explains:\n\n" + _table(("process", "", "times"), crashes) if crashes else ""
    )


def _failpoints(outcome: Outcome) -> str:
    struck = Counter(done.fault for done in outcome.done if done.outcome == "struck")
    rows = [(point, *(struck[f"{point}:{action}"] for action in ACTIONS)) for point in sorted(POINTS)]
    missed = [row[0] for row in rows if not any(row[1:])]
    said = f"\n\nNot reached in this run: {', '.join(missed)}." if missed else ""
    return "## Failpoints struck\n\n" + _table(("point", *ACTIONS), rows) + said


def _faults(outcome: Outcome) -> str:
    times, outcomes = Counter[tuple[str, str]](), defaultdict[tuple[str, str], Counter[str]](Counter)
    for done in outcome.done:
        if ":" in done.fault and done.fault.partition(":")[0] in POINTS:
            continue
        times[done.victim, done.fault] += 1
        outcomes[done.victim, done.fault][done.outcome] += 1
    rows = [(*key, count, _most(outcomes[key])) for key, count in sorted(times.items())]
    missed = sum(done.outcome == MISSED for done in outcome.done)
    return (
        f"## Other faults\n\n{_table(('victim', 'fault', 'times', 'came of it'), rows)}\n\n{missed} were not reached."
    )


def _most(outcomes: Counter[str]) -> str:
    return "; ".join(
        f"{outcome}" if count == 1 else f"{outcome} ({count})" for outcome, count in outcomes.most_common(3)
    )


def _jobs(outcome: Outcome) -> str:
    states = _table(("jobs", "number"), sorted(outcome.jobs.items()))
    return f"## Jobs and calls\n\n{states}\n\n{_table(('call, answer', 'number'), sorted(outcome.calls.items()))}"


def _planted(caught: Mapping[str, bool]) -> str:
    rows = [(BUGS[name].invariant, BUGS[name].wrong, "yes" if found else "NO") for name, found in caught.items()]
    head = ("breaks", "bug, put into a running service by the tests alone", "caught")
    return f"## Planted bugs\n\n{sum(caught.values())} of {len(caught)} are caught.\n\n{_table(head, rows)}"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)])
