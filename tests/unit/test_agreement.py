"""Agreement of two versions, against values that are published or that scipy computes."""

import math
import random

import pytest
from scipy import stats

from shared.agreement import Answer, Tally, kappa, mcnemar, student, wilson


def pairs(table: dict[tuple[str, str], int]) -> Tally:
    tally = Tally()
    for (one, other), count in table.items():
        for _ in range(count):
            tally.add(Answer(one, 0.5), Answer(other, 0.5))
    return tally


# Fleiss, Levin and Paik, Statistical Methods for Rates and Proportions, 3rd ed., table 18.1: kappa 0.676.
PUBLISHED = {
    ("flagged", "flagged"): 75, ("flagged", "not_flagged"): 1, ("flagged", "refer"): 4,
    ("not_flagged", "flagged"): 5, ("not_flagged", "not_flagged"): 4, ("not_flagged", "refer"): 1,
    ("refer", "flagged"): 0, ("refer", "not_flagged"): 0, ("refer", "refer"): 10,
}  # fmt: skip


def test_kappa_as_published() -> None:
    found = kappa(PUBLISHED)
    assert found is not None
    assert found.value == pytest.approx(0.676, abs=5e-4)
    assert pairs(PUBLISHED).agreement().kappa == found


def test_the_error_of_kappa_is_that_of_the_delta_method() -> None:
    """The multinomial's variance through a numerical gradient: nothing of the closed formula is in it."""
    n, step = 100_000, 10
    at = kappa({pair: 1000 * count for pair, count in PUBLISHED.items()})
    assert at is not None
    gradient = {}
    for pair in PUBLISHED:
        moved = kappa({other: 1000 * count + (step if other == pair else 0) for other, count in PUBLISHED.items()})
        assert moved is not None
        gradient[pair] = (moved.value - at.value) / step * n
    shares = {pair: count / 100 for pair, count in PUBLISHED.items()}
    mean = sum(shares[pair] * slope for pair, slope in gradient.items())
    variance = sum(shares[pair] * (slope - mean) ** 2 for pair, slope in gradient.items()) / n
    assert (at.high - at.low) / 2 / 1.959964 == pytest.approx(math.sqrt(variance), rel=0.001)


def test_where_chance_alone_agrees_there_is_no_kappa() -> None:
    assert kappa({("flagged", "flagged"): 9}) is None
    assert kappa({}) is None
    assert kappa({("flagged", "flagged"): 5, ("not_flagged", "flagged"): 5}) is None, "the second says one thing only"
    opposite = kappa({("flagged", "not_flagged"): 5, ("not_flagged", "flagged"): 5})
    assert opposite is not None
    assert opposite.value == -1


def test_flips_count_both_ways_and_a_referral_is_none() -> None:
    found = pairs(
        {("flagged", "not_flagged"): 3, ("not_flagged", "flagged"): 2, ("refer", "flagged"): 7, ("refer", "refer"): 8}
    ).agreement()
    assert (found.flips.to_flagged, found.flips.to_not_flagged, found.n) == (2, 3, 20)
    assert found.table["refer"] == {"flagged": 7, "not_flagged": 0, "refer": 8}
    assert found.agreed is not None
    assert found.agreed.value == 0.4


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 9), (10, 10), (3, 40), (300, 500)])
def test_mcnemar_is_the_exact_binomial_test(first: int, second: int) -> None:
    expected = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(expected, rel=1e-9)
    assert mcnemar(second, first) == mcnemar(first, second)


def test_mcnemar_of_many_is_near_the_exact_one() -> None:
    assert mcnemar(900, 1000) == pytest.approx(stats.binomtest(900, 1900).pvalue, rel=0.01)


@pytest.mark.parametrize("degrees", [1, 2, 3, 5, 30, 1000])
def test_students_t(degrees: int) -> None:
    assert student(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=2e-3)


def test_wilson() -> None:
    low, high = stats.binomtest(19, 20).proportion_ci(method="wilson")
    found = wilson(19, 20)
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert wilson(0, 0) is None


def test_the_mean_difference_is_the_paired_t_interval_when_everyone_is_someone_else() -> None:
    chance, tally = random.Random(7), Tally()
    gaps = []
    for _ in range(40):
        one, other = chance.random(), chance.random()
        gaps.append(other - one)
        tally.add(Answer("flagged", one), Answer("flagged", other))
    found = tally.agreement()
    low, high = stats.ttest_1samp(gaps, 0).confidence_interval()
    assert found.difference.mean is not None
    assert found.difference.mean.low == pytest.approx(low, abs=1e-4)
    assert found.difference.mean.high == pytest.approx(high, abs=1e-4)
    assert found.difference.deviation == pytest.approx(stats.tstd(gaps))
    assert sum(found.difference.histogram) == found.subjects == 40


def test_one_persons_many_inputs_do_not_narrow_the_interval() -> None:
    once, often = Tally(), Tally()
    for number, gap in enumerate((0.1, 0.2, 0.3, 0.4)):
        once.add(Answer("flagged", 0.5), Answer("flagged", 0.5 + gap), f"s{number}")
        for _ in range(25):
            often.add(Answer("flagged", 0.5), Answer("flagged", 0.5 + gap), f"s{number}")
    one, other = once.agreement().difference.mean, often.agreement().difference.mean
    assert one is not None
    assert other is not None
    assert (one.low, one.high) == (pytest.approx(other.low), pytest.approx(other.high))


def test_judged_inputs_that_somebody_refers_do_not_count() -> None:
    tally = Tally()
    flagged, not_flagged, refer = (Answer(name, 0.5) for name in ("flagged", "not_flagged", "refer"))
    tally.add(flagged, flagged, present=True)
    tally.add(flagged, not_flagged, present=False)
    tally.add(refer, flagged, present=True)
    tally.add(flagged, flagged)
    judged = tally.agreement().judged
    assert judged is not None
    assert (judged.n, judged.both_right, judged.second_only, judged.first_only) == (2, 1, 1, 0)
    assert judged.p == 1.0


def test_nothing_is_a_whole_answer() -> None:
    found = Tally().agreement()
    assert (found.n, found.agreed, found.kappa, found.flips.share, found.judged) == (0, None, None, None, None)
    assert found.difference.mean is None
    assert math.isfinite(found.difference.deviation)


def test_the_ends_of_the_histogram() -> None:
    tally = Tally()
    tally.add(Answer("flagged", 1.0), Answer("not_flagged", 0.0))
    tally.add(Answer("not_flagged", 0.0), Answer("flagged", 1.0))
    histogram = tally.agreement().difference.histogram
    assert (histogram[0], histogram[-1]) == (1, 1)
    with pytest.raises(ValueError, match="no such decision"):
        tally.add(Answer("positive", 0.1), Answer("flagged", 0.1))
