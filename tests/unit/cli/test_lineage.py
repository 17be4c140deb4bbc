"""A lineage as lines: from the result back to the first click."""

from typing import Any

from cli.commands.lineage import told

VERSION = {"name": "retrained-1", "recipe": "cough/gbdt", "sha256": "a" * 64}
ALONE = {"approved_by": None, "override": None}
BOTH = {"approved_by": "north/dan", "override": "few verdicts"}
CLICK = {"first_at": "t0", "label": "absent", "job_id": "job-1", "feedback": ["click-1", "click-2"]}
FOUND: dict[str, Any] = {
    "version": VERSION,
    "published_by": "north/ada",
    "published_at": "t3",
    "recalled_at": "t6",
    "recall_reason": "a bad microphone",
    "moves": [
        {"at": "t4", "action": "shadow", "role": "to", "actor": "system", "reason": "trained", **ALONE},
        {"at": "t5", "action": "promote", "role": "to", "actor": "north/ada", "reason": "better", **BOTH},
    ],
    "run": {"id": "run-1", "recipe": "cough/gbdt", "seed": 7, "started_by": "ada"},
    "data": {"fingerprint": "f" * 64, "n": 440, "patients": 439},
    "retraining": {
        "id": "retraining-1",
        "cause": "labels",
        "reason": "112 new confirmed labels.",
        "asked_by": "ada",
        "base": "coughs",
        "verdicts": {
            "trained": 5,
            "held_out": 2,
            "by_basis": {"follow_up": 7},
            "answered_by": {"first": 7},
            "each": [CLICK] * 7,
        },
    },
}


def test_from_the_latest_to_the_first() -> None:
    job = {"id": "job-9", "finished_at": "t5", "result": {"decision": "not_flagged"}}
    lines = told(FOUND, job)
    places = [next(i for i, line in enumerate(lines) if word in line) for word in _ORDER]
    assert places == sorted(places)
    assert lines[0] == "Result job-9: not flagged, at t5"
    assert lines[-1] == "  and 2 more (--json)"
    promoted = "  t5  promote (to) by north/ada, approved by north/dan: better (not every gate passed: few verdicts)"
    assert promoted in lines


def test_a_version_from_elsewhere_ends_with_its_data() -> None:
    lines = told({**FOUND, "retraining": None, "run": None, "recalled_at": None})
    assert lines[-1] == f"Data {'f' * 12}: 440 files of 439 patients"
    assert not [line for line in lines if "recalled" in line or "Training run" in line]


_ORDER = (
    "job-9",
    "retrained-1",
    "recalled",
    "promote",
    "shadow",
    "Published",
    "run-1",
    "440 files",
    "112 new",
    "click-1",
)
