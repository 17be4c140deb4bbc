"""Gates: what must hold before a version is sealed. What fails one is not published, and the reason is said.

Every refusal is a VersionInvalid with a stable code and a sentence that says what was found and what to do.
"""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.trainer.datasets import Dataset
from services.trainer.folds import Places
from services.trainer.metrics import wilson
from services.trainer.prepared import Examples
from services.trainer.sources import not_shippable
from shared.errors import VersionInvalid
from shared.schemas import Card, Interval, Metrics

MOST_CONTRADICTED = 0.15
"""Share of the most certain answers that labels may contradict when nothing else vouches for them.

Where a fifth of the labels is wrong, a fifth of a perfect model's certain answers is contradicted, and more of a real
one's: 0.32 to 0.51 on the coughs, against 0.13 to 0.16 with right labels (three recipes, three flips each). No limit
tells a weak model from wrong labels (0.25 for an undertrained network on the lung sounds), so labels that an earlier
version vouches for are not held to it.
"""
LARGEST = 512 * 2**20  # bytes of a graph: the largest documented network takes half of it
_CERTAIN = 10  # one in ten rows at either end
_FEWEST = 20  # certain answers: of fewer, chance contradicts too many
_Z = 2.326  # one-sided 99 %
_MATERIAL = 0.03  # of AUROC: what nobody would notice refuses nothing


def undivided(dataset: Dataset) -> None:
    """Refuse an index that puts a patient into two of its own splits."""
    splits: dict[str, set[str]] = defaultdict(set)
    for row in dataset.rows:
        if row.extra.get("split"):
            splits[row.patient].add(row.extra["split"])
    torn = [patient for patient, names in splits.items() if len(names) > 1]
    if torn:
        raise VersionInvalid(
            "leaked_patient",
            detail=f"{_patients(len(torn))} in more than one split of the index: what would be tested was seen in "
            "training. Give every patient one split; 'thoracle validate' names them.",
        )


def apart(examples: Examples, splits: list[tuple[Places, Places]]) -> None:
    """Refuse splits in which a patient or a content is on both sides, or a row is not held out exactly once."""
    patients, contents = np.asarray(examples.patients), np.asarray([row.sha256 for row in examples.rows])
    for training, held_out in splits:
        leaked = np.intersect1d(patients[training], patients[held_out])
        if len(leaked) or len(np.intersect1d(contents[training], contents[held_out])):
            raise VersionInvalid(
                "leaked_patient",
                detail=f"{_patients(max(1, len(leaked)))} in the training and in the held-out part of one fold: the "
                "figures would be of what was seen in training. This is a fault of the split, not of the data.",
            )
    held = np.sort(np.concatenate([held_out for _, held_out in splits]))
    if not np.array_equal(held, np.arange(len(examples))):
        raise VersionInvalid("leaked_patient", detail="The folds do not hold out every row exactly once.")


@dataclass(frozen=True)
class Vouched:
    """What speaks for the labels besides the model itself: an earlier version's card, or whoever trains."""

    reference: Card | None = None
    known: bool = False
    trusted: bool = False

    @property
    def sentences(self) -> tuple[str, ...]:
        """For the card."""
        if not self.trusted or self.known:
            return ()
        return ("Whoever trained this version vouched for its labels; the gates on labels did not judge them.",)


def known(dataset: Dataset, card: Card) -> bool:
    """Whether the card's version was trained on just these contents, labels and patients.

    Either of the whole folder, or of the sources that the card names, or of those that a starter may be trained on.
    """
    named = dataset.where(lambda row: row.source in card.data.sources)
    shippable = dataset.where(lambda row: row.source not in not_shippable())
    return card.data.fingerprint in (dataset.fingerprint, named.fingerprint, shippable.fingerprint)


def judged(metrics: Metrics, vouched: Vouched) -> None:
    """All gates on the figures of unseen patients, the plainest reason first."""
    learnt(metrics.auroc)
    if vouched.known or vouched.trusted:
        return
    compared = vouched.reference is not None and no_worse(metrics, vouched.reference)
    if not compared and metrics.detail:
        consistent(metrics.detail.contradicted)


def learnt(area: Interval) -> None:
    """Refuse what does no better than chance on patients it has not seen."""
    if not area.low > 0.5:
        raise VersionInvalid(
            "nothing_learnt",
            detail=f"Nothing is shown to be recognised: the AUROC on unseen patients is {_spread(area)}, which "
            "includes chance (0.5). More patients, other data or another recipe may help.",
        )


def contradicted(targets: NDArray[np.int64], probabilities: NDArray[np.float64]) -> Interval | None:
    """Share of the most certain answers, a tenth of the rows at either end, whose label says the opposite.

    After the confident disagreements of Northcutt et al. (2021), at the extremes only: a weak model disagrees with
    right labels in the middle. None with fewer than 200 rows. Probabilities are out of fold.
    """
    order = np.argsort(probabilities, kind="stable")
    count = len(order) // _CERTAIN
    if 2 * count < _FEWEST:
        return None
    wrong = targets[order[:count]].sum() + (1 - targets[order[-count:]]).sum()
    return wilson(int(wrong), 2 * count)


def consistent(share: Interval | None) -> None:
    """Refuse labels that contradict even what the model is most certain of; `share` as from `contradicted`."""
    if share and share.value > MOST_CONTRADICTED:
        raise VersionInvalid(
            "labels_doubtful",
            detail=f"Where the model is most certain about unseen patients, the labels say the opposite in "
            f"{_percent(share)}; at most {MOST_CONTRADICTED:.0%} are accepted. Either many labels are wrong, or this "
            "recipe hardly tells the classes apart. Check the labels; if they are right, say so with --trust-labels.",
        )


def no_worse(metrics: Metrics, reference: Card) -> bool:
    """Refuse what does clearly worse than an earlier version of the same recipe on the sources they share.

    False when there is nothing to compare: another recipe, or no source in common.
    """
    gap = _gap(metrics, reference.metrics)
    if gap is not None and gap.value < -_MATERIAL and gap.high < 0:
        raise VersionInvalid(
            "worse_than_reference",
            detail=f"On the same sources the AUROC is {-gap.value:.2f} lower than that of {reference.recipe} "
            f"{reference.name}, more than chance explains, and the labels are not the ones it was trained on. Check "
            "the labels; if they are right, say so with --trust-labels.",
        )
    return gap is not None


def storable(model: Path) -> None:
    """Refuse a graph that is too large to be loaded beside others."""
    size = model.stat().st_size
    if size > LARGEST:
        raise VersionInvalid(
            "graph_too_large",
            detail=f"The graph takes {size / 2**20:.0f} MB; at most {LARGEST / 2**20:.0f} MB are accepted.",
        )


def finite(golden: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
    """Refuse a graph whose answers to its golden samples are not numbers."""
    if not all(np.isfinite(part).all() for part in golden):
        raise VersionInvalid(
            "golden_not_finite",
            detail="The graph answers its own golden samples with something that is no number. The training diverged: "
            "try a smaller learning rate.",
        )


def _gap(ours: Metrics, theirs: Metrics) -> Interval | None:
    """Difference of AUROC on the same data's sources with a one-sided 99 % limit, as if the two were independent.

    Pooled when the sources are the same, else over common sources that hold both classes, weighted by precision. None
    without such a source.
    """
    mine, other = ({part.source: part for part in metrics.per_source} for metrics in (ours, theirs))
    if mine.keys() == other.keys():
        pairs = [(ours.auroc, theirs.auroc)]
    else:
        both = ((mine[name].auroc, other[name].auroc) for name in mine.keys() & other.keys())
        pairs = [(a, b) for a, b in both if a and b]
    if not pairs:
        return None
    gaps = np.array([a.value - b.value for a, b in pairs])
    weights = 1 / np.maximum([_variance(a) + _variance(b) for a, b in pairs], 1e-9)
    mean, margin = float((weights * gaps).sum() / weights.sum()), _Z / float(np.sqrt(weights.sum()))
    return Interval(value=mean, low=mean - margin, high=mean + margin)


def _variance(area: Interval) -> float:
    return ((area.high - area.low) / 3.92) ** 2


def _patients(count: int) -> str:
    return "One patient is" if count == 1 else f"{count} patients are"


def _spread(interval: Interval) -> str:
    return f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"


def _percent(interval: Interval) -> str:
    return f"{interval.value:.0%} ({interval.low:.0%} to {interval.high:.0%})"
