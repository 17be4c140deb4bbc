"""How far apart two histograms of the same bins are. Without numpy: the gateway has none."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

Counts = Sequence[int]

_SHARE = 0.1  # of the reference, that a group of bins should hold
_Z_999 = 3.0902


@dataclass(frozen=True)
class Distance:
    """How far `now` is from its reference. `noise`: what the index reaches by chance, once in a thousand times.

    `psi`: population stability index. `ks`: greatest difference of the two distributions, at least, for within a bin
    nothing is known; `ks_p`: how often chance alone gives as much.
    """

    psi: float
    noise: float
    ks: float
    ks_p: float


def distance(reference: Counts, now: Counts, *, ordered: bool = True) -> Distance:
    """Compare two histograms that both hold something. Not `ordered`: bins are words, and none is joined with another.

    Raises ValueError when one is empty or they have not the same bins.
    """
    if len(reference) != len(now) or not sum(reference) or not sum(now):
        raise ValueError("two histograms of the same bins, neither of them empty")
    groups = _groups(reference) if ordered else [range(place, place + 1) for place in range(len(reference))]
    ours, theirs = _in_groups(now, groups), _in_groups(reference, groups)
    gap = _gap(reference, now) if ordered else 0.0
    return Distance(psi(theirs, ours), _noise(theirs, ours), gap, _chance(gap, sum(reference), sum(now)))


def psi(reference: Counts, now: Counts) -> float:
    """Population stability index: sum of (p - q) ln(p / q); half a result in every bin keeps an empty one finite."""
    bins = len(reference)
    shares = [
        ((new + 0.5) / (sum(now) + bins / 2), (old + 0.5) / (sum(reference) + bins / 2))
        for old, new in zip(reference, now, strict=True)
    ]
    return sum((p - q) * math.log(p / q) for p, q in shares)


def _groups(reference: Counts) -> list[range]:
    """Neighbouring bins together, each group with a tenth of the reference; a bin with a tenth of its own stays alone.

    Fine bins that hold next to nothing would make the index a measure of chance.
    """
    least, groups, start = _SHARE * sum(reference), [], 0
    for place, count in enumerate(reference):
        if count >= least:
            groups += [range(start, place)] if place > start else []
            groups.append(range(place, place + 1))
            start = place + 1
        elif sum(reference[start : place + 1]) >= least:
            groups.append(range(start, place + 1))
            start = place + 1
    return groups + ([range(start, len(reference))] if start < len(reference) else [])


def _in_groups(counts: Counts, groups: list[range]) -> list[int]:
    return [sum(counts[place] for place in group) for group in groups]


def _noise(reference: Counts, now: Counts) -> float:
    """Under no drift the index is about (1/n + 1/m) chi squared with groups - 1 degrees (Yurdakul and Naranjo 2020).

    Its 999 in 1000 quantile after Wilson and Hilferty (1931).
    """
    degrees = max(1, sum(1 for pair in zip(reference, now, strict=True) if any(pair)) - 1)
    part = 2 / (9 * degrees)
    quantile = degrees * (1 - part + _Z_999 * math.sqrt(part)) ** 3
    return quantile * (1 / sum(reference) + 1 / sum(now))


def _gap(reference: Counts, now: Counts) -> float:
    pairs = zip(accumulate(reference), accumulate(now), strict=True)
    return max(abs(old / sum(reference) - new / sum(now)) for old, new in pairs)


def _chance(gap: float, n: int, m: int) -> float:
    """Kolmogorov's asymptotic distribution, with Stephens' (1970) correction."""
    root = math.sqrt(n * m / (n + m))
    reach = (root + 0.12 + 0.11 / root) * gap
    if reach < 0.2:
        return 1.0
    terms = ((2 if k % 2 else -2) * math.exp(-2 * (k * reach) ** 2) for k in range(1, 101))
    return min(1.0, max(0.0, sum(terms)))
