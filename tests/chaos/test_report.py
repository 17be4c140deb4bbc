"""The page says what the outcome says, and nothing that it does not."""

from tests.chaos.arena import MISSED, Done
from tests.chaos.processes import Kill
from tests.chaos.query import Violation
from tests.chaos.report import claims, page
from tests.chaos.run import Outcome

OUTCOME = Outcome(
    seed=7,
    seconds=1200.0,
    settings={"lease_s": 15.0, "heartbeat_s": 3.0},
    done=[
        Done("blob.kept:kill9", "gateway", 1.0, 2.0, "struck"),
        Done("worker.claimed:hang", "worker-1", 3.0, 9.0, MISSED),
        Done("FLUSHALL", "valkey", 5.0, 0.1, "done"),
    ],
    kills=[Kill("gateway", 1, "blob.kept", 1.0), Kill("worker-1", 2, "kill -9", 3.0)],
    recoveries=[float(second) for second in range(1, 51)],
    jobs={"succeeded": 90, "dead": 1},
    rested=12.0,
)


def test_a_clean_run() -> None:
    text = page(OUTCOME)
    for row in (
        "| seed | 7 |",
        "| minutes of faults | 20.0 |",
        "| kills (-9) | 2 |",
        "| jobs accepted | 91 |",
        "| recovery p50, p95, longest | 26.0 s, 48.0 s, 50.0 s of 50 kills |",
        "| blob.kept | 1 | 0 | 0 |",
        "| worker.claimed | 0 | 0 | 0 |",
        "| valkey | FLUSHALL | 1 | done |",
        "| gateway | failpoint | 1 |",
        "| recovery after a worker's kill, p95 | 48 s | ≤ 45 | MISSED |",
        "| violations of invariants | 0  | ≤ 0 | yes |",
    ):
        assert row in text
    assert "Not reached in this run: batch.filled" in text


def test_a_violation_is_named_with_its_invariant() -> None:
    broken = Outcome(**{**vars(OUTCOME), "violations": [Violation("I9", "a stale fence never commits", ((1,), (2,)))]})
    assert "| I9 | who lost its lease commits nothing | 1 | not so: a stale fence never commits (2 shown) |" in page(
        broken
    )
    assert [claim.holds for claim in claims(broken)] == [False, False, False, None, None]


def test_an_end_that_no_fault_explains_is_shown() -> None:
    assert "no fault explains" not in page(OUTCOME)
    crashed = Outcome(**{**vars(OUTCOME), "crashes": {"worker-1": {1: 3}}})
    assert "| worker-1 | exit 1 | 3 |" in page(crashed)
