"""How far two versions agree on the same inputs: flips, kappa, paired differences; McNemar where the truth is known.

Plain arithmetic over rows that pass by once; nothing is kept of a row but counts and, per subject, two sums.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from pydantic import Field

from shared.schemas.base import Decision, Interval, Shape

BINS = 20  # of the histogram, -1 to 1
_Z = 1.959964
_DECISIONS = tuple(str(decision) for decision in Decision)
_FLAGGED, _NOT = str(Decision.FLAGGED), str(Decision.NOT_FLAGGED)


class Answer(NamedTuple):
    """What one version said of an input: a Decision, and the probability of the finding in [0, 1]."""

    decision: str
    probability: float


class Flips(Shape):
    """Decisions that changed sides from the first version to the second; `refer` is no side."""

    to_flagged: int
    to_not_flagged: int
    share: Interval | None = Field(description="Of all inputs, Wilson's interval; absent without inputs")


class Difference(Shape):
    """The second version's probability less the first's, on the same input; -1 to 1.

    The mean's interval counts subjects, not inputs: several inputs of one person are no several persons.
    """

    mean: Interval | None = Field(description="Absent with fewer than two subjects")
    deviation: float
    limits: tuple[float, float] = Field(description="95 % of the differences, were they normal (Bland, Altman 1986)")
    histogram: list[int] = Field(description=f"{BINS} counts: equal parts of -1 to 1")


class Judged(Shape):
    """Inputs whose truth a clinician told and that both versions flagged or did not flag."""

    n: int
    both_right: int
    first_only: int
    second_only: int
    neither: int
    p: float = Field(description="McNemar's exact test, two-sided: were the versions equally often right")


class Agreement(Shape):
    """Two versions on the same inputs."""

    n: int
    subjects: int
    table: dict[str, dict[str, int]] = Field(description="Inputs by the first version's decision, then the second's")
    agreed: Interval | None = Field(description="Share of equal decisions, Wilson's interval")
    kappa: Interval | None = Field(description="Cohen's, over the three decisions; absent where chance alone agrees")
    flips: Flips
    difference: Difference
    judged: Judged | None = Field(description="Absent without inputs whose truth is known")


class Tally:
    """Takes pairs of answers one by one."""

    def __init__(self) -> None:
        self._table: Counter[tuple[str, str]] = Counter()
        self._judged: Counter[tuple[bool, bool]] = Counter()
        self._histogram = [0] * BINS
        self._squares = 0.0
        self._sums: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self._nameless = 0

    def add(self, first: Answer, second: Answer, subject: str | None = None, present: bool | None = None) -> None:
        """One input. `subject`: whose it is, nobody else's if None; `present`: whether the finding is there, if known.

        Raises ValueError for a decision that is none.
        """
        if first.decision not in _DECISIONS or second.decision not in _DECISIONS:
            raise ValueError("no such decision")
        self._table[first.decision, second.decision] += 1
        gap = second.probability - first.probability
        self._histogram[min(int((gap + 1) / 2 * BINS), BINS - 1)] += 1
        self._squares += gap * gap
        if subject is None:
            self._nameless += 1
        sums = self._sums[f"={subject}" if subject is not None else str(self._nameless)]
        sums[0] += gap
        sums[1] += 1
        if present is not None and "refer" not in (first.decision, second.decision):
            self._judged[(first.decision == _FLAGGED) == present, (second.decision == _FLAGGED) == present] += 1

    def agreement(self) -> Agreement:
        """What the pairs so far amount to."""
        n = self._table.total()
        same = sum(self._table[name, name] for name in _DECISIONS)
        return Agreement(
            n=n,
            subjects=len(self._sums),
            table={one: {other: self._table[one, other] for other in _DECISIONS} for one in _DECISIONS},
            agreed=wilson(same, n),
            kappa=kappa(self._table),
            flips=self._flips(n),
            difference=self._difference(n),
            judged=self._told(),
        )

    def _flips(self, n: int) -> Flips:
        up, down = self._table[_NOT, _FLAGGED], self._table[_FLAGGED, _NOT]
        return Flips(to_flagged=up, to_not_flagged=down, share=wilson(up + down, n))

    def _difference(self, n: int) -> Difference:
        mean = sum(total for total, _ in self._sums.values()) / n if n else 0.0
        spread = math.sqrt(max(self._squares - n * mean * mean, 0.0) / (n - 1)) if n > 1 else 0.0
        limits = (max(mean - _Z * spread, -1.0), min(mean + _Z * spread, 1.0))
        return Difference(mean=self._mean(mean, n), deviation=spread, limits=limits, histogram=list(self._histogram))

    def _mean(self, mean: float, n: int) -> Interval | None:
        """Variance from the subjects' own sums (Liang, Zeger 1986), Student's t with subjects - 1 degrees."""
        count = len(self._sums)
        if count < 2:
            return None
        squares = sum((total - mean * inputs) ** 2 for total, inputs in self._sums.values())
        margin = student(count - 1) * math.sqrt(squares * count / (count - 1)) / n
        return Interval(value=mean, low=max(mean - margin, -1.0), high=min(mean + margin, 1.0))

    def _told(self) -> Judged | None:
        if not self._judged:
            return None
        first, second = self._judged[True, False], self._judged[False, True]
        return Judged(
            n=self._judged.total(),
            both_right=self._judged[True, True],
            first_only=first,
            second_only=second,
            neither=self._judged[False, False],
            p=mcnemar(first, second),
        )


def wilson(hits: int, n: int) -> Interval | None:
    """A share with Wilson's 95 % interval (1927); None without inputs."""
    if not n:
        return None
    share, square = hits / n, _Z * _Z
    middle = (share + square / (2 * n)) / (1 + square / n)
    margin = _Z * math.sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n)
    return Interval(value=share, low=max(middle - margin, 0.0), high=min(middle + margin, 1.0))


def kappa(table: Mapping[tuple[str, str], int]) -> Interval | None:
    """Cohen's kappa of a table (first, second) → inputs, with the large-sample interval of Fleiss, Cohen and Everitt.

    None without inputs, and where one of the two always gives the same answer: kappa is 0 or undefined then, whatever
    the other says, and its interval void.
    """
    n = sum(table.values())
    names = {name for pair, count in table.items() if count for name in pair}
    rows = {name: sum(count for (one, _), count in table.items() if one == name) / n for name in names}
    columns = {name: sum(count for (_, other), count in table.items() if other == name) / n for name in names}
    chance = sum(rows[name] * columns[name] for name in names)
    if not n or 1 in (max(rows.values()), max(columns.values())):
        return None
    value = (sum(table.get((name, name), 0) for name in names) / n - chance) / (1 - chance)
    rest = 1 - value
    # Fleiss, Cohen, Everitt: Large sample standard errors of kappa and weighted kappa, Psychol. Bull. 1969.
    spread = -((value - chance * rest) ** 2)
    for (one, other), count in table.items():
        if count:
            weight = 1 - (rows[one] + columns[one]) * rest if one == other else (columns[one] + rows[other]) * rest
            spread += count / n * weight * weight
    margin = _Z * math.sqrt(max(spread, 0.0) / n) / (1 - chance)
    return Interval(value=value, low=max(value - margin, -1.0), high=min(value + margin, 1.0))


def mcnemar(first_only: int, second_only: int) -> float:
    """Two-sided p that two versions are equally often right, from the inputs that only one of them got right.

    Exact binomial (McNemar 1947); 1.0 when there are none. Beyond a thousand the normal curve with its correction.
    """
    n, fewer = first_only + second_only, min(first_only, second_only)
    if n > 1000:
        return math.erfc(max(abs(first_only - second_only) - 1, 0) / math.sqrt(2 * n))
    tail = sum(math.comb(n, k) for k in range(fewer + 1))
    return float(min(2 * tail / 2**n, 1.0))


def student(degrees: int) -> float:
    """The 97.5 % point of Student's t, within 0.2 % (Abramowitz, Stegun 26.7.5; exact for one and two degrees)."""
    if degrees < 3:
        return {1: 12.706205, 2: 4.302653}[degrees]
    z, v = _Z, degrees
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * v**4)
    )
