"""What a measurement says: a claim, its value, and the limit that it is held against; one JSON file per bench."""

import json
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Claim:
    """One measured claim. `limit` None: a figure without a limit. `holds` None: nothing to hold.

    `low` and `high` are the spread of the runs that `value` is the median of; `bound` is `≥` or `≤`, which way the
    limit lies; `note` says why a claim fell short.
    """

    claim: str
    value: float
    unit: str
    limit: float | None = None
    holds: bool | None = None
    low: float | None = None
    high: float | None = None
    runs: int = 1
    note: str = ""
    bound: str = ""


def at_least(claim: str, values: Sequence[float], unit: str, limit: float, note: str = "") -> Claim:
    """A claim whose median must reach the limit."""
    return _claim(claim, values, unit, note, limit=limit, holds=statistics.median(values) >= limit, bound="≥")


def at_most(claim: str, values: Sequence[float], unit: str, limit: float, note: str = "") -> Claim:
    """A claim whose median must not pass the limit."""
    return _claim(claim, values, unit, note, limit=limit, holds=statistics.median(values) <= limit, bound="≤")


def figure(claim: str, values: Sequence[float], unit: str, note: str = "") -> Claim:
    """A figure that others are compared with."""
    return _claim(claim, values, unit, note)


def write(name: str, claims: Sequence[Claim]) -> Path:
    """Write `bench/results/NAME.json`: when, on what, and the claims."""
    RESULTS.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "processor": _processor(), "python": platform.python_version()}
    body = {"at": f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}", "machine": machine, "claims": [asdict(c) for c in claims]}
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    return path


def tell(name: str, claims: Sequence[Claim]) -> None:
    """Write them, and say them."""
    sys.stdout.write(f"{write(name, claims)}\n")
    for one in claims:
        against = "" if one.limit is None else f" ({one.bound} {one.limit}: {'holds' if one.holds else 'MISSED'})"
        sys.stdout.write(f"{one.claim}: {one.value} {one.unit}{against}\n")


def _claim(claim: str, values: Sequence[float], unit: str, note: str, **against: Any) -> Claim:
    middle, low, high = (round(value, 4) for value in (statistics.median(values), min(values), max(values)))
    return Claim(claim, middle, unit, low=low, high=high, runs=len(values), note=note, **against)


def _processor() -> str:
    lines = Path("/proc/cpuinfo")
    text = lines.read_text(encoding="utf-8") if lines.exists() else ""
    return next((line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")), "")
