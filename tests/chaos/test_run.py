"""The short form of `make chaos`: two minutes of every kind of fault on a real stack, and not one promise broken."""

import pytest

from tests.chaos.report import claims, page
from tests.chaos.run import run

SEED, SECONDS = 7, 120


@pytest.mark.trainer
@pytest.mark.timeout(1200)
def test_nothing_is_lost_doubled_or_mixed_up() -> None:
    outcome = run(SEED, SECONDS, quick=True, longest=1.0)
    assert outcome.violations == [], page(outcome)
    assert outcome.rested is not None, "all that was accepted has ended"
    assert not [done for done in outcome.done if done.outcome.startswith("error")], page(outcome)
    assert len(outcome.kills) >= 30
    assert sum(outcome.jobs.values()) >= 30
    assert claims(outcome)[0].holds
