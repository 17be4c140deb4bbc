"""Ways to ask which pieces moved a score: a plan yields masks (n, pieces) of what goes, and is sent the scores (n,).

Nothing here knows a graph, and every draw has a fixed seed: the same input and version give the same answer.
"""

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from services.worker.explain.puzzle import Masks, Puzzle
from shared.runtimes import Floats

Values = NDArray[np.float64]
Found = TypeVar("Found")
Plan = Generator[Masks, Values, Found]

SHARES = tuple(share / 10 for share in range(1, 10))  # of the pieces that are taken away, in the check
ORDERS = 8  # random ones, beside the map's own
_MOST_PAIRS = 32


@dataclass(frozen=True, eq=False)
class Moved:
    """What each piece moved the score by, in log-odds, (pieces,), and the standard errors of these where drawn.

    `score` is that of the whole input, `empty` of the background alone.
    """

    score: float
    empty: float
    values: Values
    errors: Values | None


@dataclass(frozen=True)
class Checked:
    """Mean score while pieces are taken away most important first (`deletion`) or added so (`insertion`).

    `chance`: the same in random orders, one figure each; a random order has one for both.
    """

    deletion: float
    insertion: float
    chance: tuple[float, ...]

    @property
    def beats_chance(self) -> bool:
        """Whether no random order does better, either way, and not all do the same."""
        return self.deletion <= min(self.chance) < max(self.chance) <= self.insertion


def occlusion(count: int) -> Plan[Moved]:
    """Each piece alone is taken away: what the score loses is what the piece moved (Zeiler, Fergus 2014)."""
    ends = yield np.array([[False] * count, [True] * count])
    alone = yield np.eye(count, dtype=bool)
    return Moved(float(ends[0]), float(ends[1]), ends[0] - alone, None)


def shapley(count: int, passes: int, seed: int) -> Plan[Moved]:
    """Shapley values by permutations and their reverses (Castro 2009; Mitchell 2022), in about so many `passes`.

    They sum to the score less the empty one, exactly, and share between pieces what only both together do.
    """
    chance = np.random.default_rng(seed)
    ends = yield np.array([[False] * count, [True] * count])
    pairs = max(1, min(_MOST_PAIRS, passes // (2 * max(count - 1, 1))))
    found = []
    for _ in range(pairs):
        order = chance.permutation(count)
        both = []
        for ranks in (np.argsort(order), np.argsort(order[::-1])):
            between = (yield ranks >= np.arange(1, count)[:, None]) if count > 1 else np.empty(0)
            both.append(np.diff(np.concatenate([[ends[1]], between, [ends[0]]]))[ranks])
        found.append((both[0] + both[1]) / 2)
    errors = np.std(found, axis=0, ddof=1) / math.sqrt(pairs) if pairs > 1 else None
    return Moved(float(ends[0]), float(ends[1]), np.mean(found, axis=0), errors)


def check(values: Values, seed: int) -> Plan[Checked]:
    """Take pieces away in the order of their values, and in random orders (Petsiuk, RISE, 2018)."""
    chance = np.random.default_rng(seed)
    count = len(values)
    ranks = np.argsort(np.argsort(-values, kind="stable"))
    gone = np.array([[math.ceil(share * count)] for share in SHARES])
    deletion = yield ranks < gone
    insertion = yield ranks >= gone
    random = yield np.concatenate([chance.permutation(count) < gone for _ in range(ORDERS)])
    means = random.reshape(ORDERS, len(SHARES)).mean(axis=1)
    return Checked(float(deletion.mean()), float(insertion.mean()), tuple(float(mean) for mean in means))


def paced(
    plan: Plan[Found], puzzle: Puzzle, score: Callable[[Floats], Floats], group: int
) -> Generator[int, None, Found]:
    """Run a plan, `group` inputs in one forward pass; yields how many after each, so that others may go first."""
    masks = next(plan)
    while True:
        scores = []
        for piece in _groups(masks, group):
            scores.append(np.asarray(score(puzzle.without(piece)), dtype=np.float64))
            yield len(piece)
        try:
            masks = plan.send(np.concatenate(scores))
        except StopIteration as end:
            found: Found = end.value
            return found


def _groups(masks: Masks, size: int) -> Iterator[Masks]:
    for start in range(0, len(masks), size):
        yield masks[start : start + size]
