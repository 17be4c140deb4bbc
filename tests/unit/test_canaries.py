"""A canary's figures: exact tests against values that are known, and limits that end it for a reason only."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.api.canaries import Side, fisher, judged
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
