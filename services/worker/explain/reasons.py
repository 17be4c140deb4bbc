"""From a prepared input and its version to a `Reasoning` and the picture that goes with it."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from services.worker.deployed import Loaded
from services.worker.explain import methods, places, puzzle
from services.worker.explain.methods import Checked, Moved, Plan, Values
from services.worker.explain.places import Shown
from services.worker.explain.puzzle import Puzzle
from services.worker.sandbox import Ready
from shared.runtimes import Floats, golden_inputs
from shared.runtimes.means import training_means
from shared.schemas import Card, Check, Contribution, HeatMap, LungShare, Modality, Reasoning
from shared.transforms import lungs, named
from shared.transforms.heat import overlay
from shared.transforms.rendition import SPECTROGRAM_SIZE

MOST_DRAWS, FEWEST_DRAWS = 2048, 512
"""Inputs for Shapley values: a tabular graph computes thousands a second, a network behind features a hundred."""
_TABULAR = 4096  # numbers, at most
_TABULAR_GROUP = 64
_SEED = 7
_LONGEST_SIDE = 768
_DIGITS = 6

Score = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Reasoned:
    """A finished explanation and its heat map as PNG, where there is one."""

    answer: Reasoning
    heat: bytes | None


def explain(loaded: Loaded, ready: Ready) -> Generator[int, None, Reasoned]:
    """Ask the version; yields after each forward pass. Raises ValueError when a score is not finite."""

    def score(inputs: Floats) -> Floats:
        return loaded.runtime.run(inputs)[0]

    if len(loaded.card.tensor.shape) == 1:
        return (yield from _features(loaded, ready, score))
    return (yield from _picture(loaded, ready, score))


def _picture(loaded: Loaded, ready: Ready, score: Score) -> Generator[int, None, Reasoned]:
    card = loaded.card
    shown = _shown(card, ready)
    cells = puzzle.grid(card.tensor.shape, shown.region)
    asked = puzzle.of_picture(ready.tensor, cells)
    moved, checked, passes = yield from _asked(methods.occlusion(asked.count), asked, score, loaded.pace.group)
    values = shown.turned(moved.values.reshape(cells.rows, cells.columns))
    rows = [[round(float(value), _DIGITS) for value in row] for row in values]
    share, missing = _inside(card, ready, values, shown)
    answer = Reasoning(
        method="occlusion",
        background="blurred",
        score=moved.score,
        empty_score=moved.empty,
        passes=passes,
        heat_map=HeatMap(values=rows, box=shown.box, seconds=shown.seconds, hertz=shown.hertz),
        contributions=None,
        check=_check(checked),
        inside_lungs=share,
        inside_lungs_missing=missing,
    )
    return Reasoned(answer, overlay(values, shown.box, _size(card, ready)))


def _features(loaded: Loaded, ready: Ready, score: Score) -> Generator[int, None, Reasoned]:
    seconds = ready.facts.get("seconds")
    groups = named.groups(loaded.card.pipeline, len(ready.tensor), None if seconds is None else float(seconds))
    means = training_means(loaded.artefact.model, len(ready.tensor))
    background = golden_inputs(loaded.artefact).mean(axis=0) if means is None else means
    asked = puzzle.of_features(ready.tensor, background, [group.places for group in groups])
    tabular = len(ready.tensor) <= _TABULAR
    plan = methods.shapley(asked.count, MOST_DRAWS if tabular else FEWEST_DRAWS, _SEED)
    group = max(loaded.pace.group, _TABULAR_GROUP) if tabular else loaded.pace.group
    moved, checked, passes = yield from _asked(plan, asked, score, group)
    answer = Reasoning(
        method="shapley",
        background="generated_mean" if means is None else "training_mean",
        score=moved.score,
        empty_score=moved.empty,
        passes=passes,
        heat_map=None,
        contributions=_contributions(groups, moved),
        check=_check(checked),
        inside_lungs=None,
        inside_lungs_missing="no_xray",
    )
    return Reasoned(answer, None)


def _asked(
    plan: Plan[Moved], asked: Puzzle, score: Score, group: int
) -> Generator[int, None, tuple[Moved, Checked, int]]:
    """The plan, the check of what it found, and how many inputs both took."""
    passes = 0

    def counted(inputs: Floats) -> Floats:
        nonlocal passes
        passes += len(inputs)
        scores = score(inputs)
        if not np.isfinite(scores).all():
            raise ValueError("a score is not finite")
        return scores

    moved = yield from methods.paced(plan, asked, counted, group)
    checked = yield from methods.paced(methods.check(moved.values, _SEED), asked, counted, group)
    return moved, checked, passes


def _shown(card: Card, ready: Ready) -> Shown:
    if card.modality is Modality.CHEST_XRAY:
        return places.of_xray(ready.facts)
    return places.of_sound(card.pipeline, ready.facts)


def _size(card: Card, ready: Ready) -> tuple[int, int]:
    """Width and height of the overlay: the picture's shape, or the spectrogram's own size."""
    if card.modality is not Modality.CHEST_XRAY:
        return SPECTROGRAM_SIZE
    width, height = float(ready.facts["width"]), float(ready.facts["height"])
    smaller = min(1.0, _LONGEST_SIDE / max(width, height))
    return max(1, round(width * smaller)), max(1, round(height * smaller))


def _contributions(groups: list[named.Group], moved: Moved) -> list[Contribution]:
    found = [
        Contribution(
            code=group.code,
            values=group.values,
            value=round(float(moved.values[number]), _DIGITS),
            error=None if moved.errors is None else round(float(moved.errors[number]), _DIGITS),
            features=len(group.places),
        )
        for number, group in enumerate(groups)
    ]
    return sorted(found, key=lambda one: -abs(one.value))


def _check(checked: Checked) -> Check:
    return Check(
        deletion=checked.deletion,
        insertion=checked.insertion,
        random_mean=float(np.mean(checked.chance)),
        random_low=min(checked.chance),
        random_high=max(checked.chance),
        orders=len(checked.chance),
        beats_random=checked.beats_chance,
    )


def _inside(
    card: Card, ready: Ready, values: Values, shown: Shown
) -> tuple[LungShare | None, Literal["no_xray", "no_field", "nothing_raised"] | None]:
    """How much of what raised the score lies in the lungs, or why that cannot be said."""
    if card.modality is not Modality.CHEST_XRAY:
        return None, "no_xray"
    if ready.lungs is None:
        return None, "no_field"
    raised = np.maximum(values, 0)
    if not raised.any():
        return None, "nothing_raised"
    within = lungs.within(lungs.unpack(ready.lungs), shown.box, values.shape)
    share = float((raised * within).sum() / raised.sum())
    return LungShare(share=round(share, 4), area=round(float(within.mean()), 4)), None
