"""A canary's figures: exact tests against values that are known, and limits that end it for a reason only."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.api.canaries import Side, fisher, judged, kolmogorov, stability
from shared.settings import Settings

SETTINGS = Settings(_env_file=None)
EVEN = [50] * 20
LOW = [100] * 5 + [0] * 15


def side(jobs: int, failed: int = 0, p95: float = 30.0, histogram: list[int] | None = None) -> Side:
    return Side(
        jobs=jobs,
        succeeded=jobs - failed,
        rejected=0,
        failed=failed,
        flagged=0,
        referred=0,
        median_ms=10.0,
        p95_ms=p95,
        histogram=histogram or EVEN,
    )


def trouble(canary: Side, active: Side, **limits: Any) -> str | None:
    found = judged(datetime.now(UTC), canary, active, SETTINGS.changed(**limits)).trouble
    return found.code if found else None


def test_fisher_tastes_tea() -> None:
    """Fisher's own example, and the sum over everything."""
    assert fisher(3, 4, 1, 4) == pytest.approx(17 / 70)
    assert fisher(0, 10, 5, 90) == pytest.approx(1.0)


def test_the_same_spread_is_no_shift() -> None:
    assert stability(EVEN, [5] * 20) == pytest.approx(0.0, abs=0.01)
    assert kolmogorov(EVEN, [5] * 20) == (pytest.approx(0.0, abs=1e-9), 1.0)
    assert (stability(EVEN, [0] * 20), kolmogorov([0] * 20, EVEN)) == (None, (None, None))


def test_another_spread_is() -> None:
    gap, p = kolmogorov(EVEN, LOW)
    assert gap == pytest.approx(0.75)
    assert p is not None
    assert p < 1e-6
    assert (stability(EVEN, LOW) or 0.0) > 1.0


def test_p_of_kolmogorov_is_the_tables() -> None:
    """The 5 % point of the limit is 1.358: two samples of 200 with a gap of 0.1358."""
    one = [10_000, 0]
    other = [round(10_000 * (1 - 0.0192)), round(10_000 * 0.0192)]
    _, p = kolmogorov(one, other)
    assert p == pytest.approx(0.05, abs=0.001)


@pytest.mark.parametrize(
    ("canary", "active", "limits", "code"),
    [
        (side(60, failed=12), side(600, failed=3), {}, "errors"),
        (side(60, failed=12), side(600, failed=120), {}, None),
        (side(60, failed=1), side(600), {}, None),
        (side(60, failed=12), side(600), {"canary_max_errors": 0.0}, None),
        (side(40, failed=40), side(600), {}, None),
        (side(60, p95=90.0), side(600), {}, "slowdown"),
        (side(60, p95=9.0), side(600, p95=3.0), {}, None),
        (side(60, p95=90.0), side(600), {"canary_max_slowdown": 0.0}, None),
        (side(60, histogram=LOW), side(600), {}, "shift"),
        (side(60, histogram=LOW), side(600), {"canary_max_shift": 0.0}, None),
        (side(60), side(600), {}, None),
    ],
)
def test_what_ends_a_canary(canary: Side, active: Side, limits: dict[str, float], code: str | None) -> None:
    assert trouble(canary, active, **limits) == code
