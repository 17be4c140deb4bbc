"""A document's own protocol, its flaws included: rows split at random, patients not kept apart, accuracy at one half.

For the reproduction report only. No card shows its figures.
"""

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

from services.trainer import export
from services.trainer.documents import Document
from services.trainer.estimators import measured
from services.trainer.fit import Epoch
from services.trainer.prepared import Examples
from services.trainer.recipe import Options, Recipe, Task
from shared.schemas import Shape

Places = NDArray[np.int64]


class Split(Shape):
    """One random split. `majority` is what the more frequent answer alone reaches on the held-out part.

    `loss` is the held-out part's log loss in nats.
    """

    training_accuracy: float
    accuracy: float
    loss: float
    majority: float
    found: int
    missed: int


class Replay(Shape):
    """A model trained and judged as its document did it."""

    n: int
    positives: int
    epochs: int
    splits: list[Split]
    initialisation: str
    seconds: float


def options(recipe: Recipe, document: Document, variant: str = "") -> Options:
    """The document's settings, with as many epochs as are reached here; copies replace every other sampling."""
    chosen = recipe.variants()[variant] if variant else recipe.options("faithful")
    sampling = chosen.balance if document.copies == 1 else "none"
    return replace(chosen, epochs=document.reached[0] or chosen.epochs, balance=sampling)


def replay(recipe: Recipe, examples: Examples, document: Document, task: Task) -> Replay:
    """Train and judge once per split. Raises ValueError when a class has fewer than two rows."""
    started = time.monotonic()
    chosen = _copied(recipe, _thinned(examples, document.share, task.seed), document.copies, task.seed)
    splits = [_split(recipe, chosen, parts, task) for parts in _splits(chosen, document, task.seed)]
    return Replay(
        n=len(chosen),
        positives=int(chosen.targets.sum()),
        epochs=task.options.epochs,
        splits=splits,
        initialisation=recipe.initialisation(),
        seconds=time.monotonic() - started,
    )


def _splits(examples: Examples, document: Document, seed: int) -> Iterator[tuple[Places, Places]]:
    kind = StratifiedShuffleSplit if document.stratified else ShuffleSplit
    splitter = kind(document.repeats, test_size=document.held, random_state=seed)
    yield from splitter.split(examples.inputs, examples.targets)


def _split(recipe: Recipe, examples: Examples, parts: tuple[Places, Places], task: Task) -> Split:
    graph = recipe.fit(examples.take(parts[0]), task)
    training, held_out = (_counted(graph, examples, part) for part in parts)
    share = float(examples.targets[parts[1]].mean())
    return Split(
        training_accuracy=training.accuracy,
        accuracy=held_out.accuracy,
        loss=held_out.loss,
        majority=max(share, 1 - share),
        found=held_out.tp,
        missed=held_out.fn,
    )


def _counted(graph: export.Graph, examples: Examples, places: Places) -> Epoch:
    scores, _ = export.answer(graph, examples.inputs[places])
    return measured(0, scores, examples.targets[places])


def _thinned(examples: Examples, share: float | None, seed: int) -> Examples:
    """All negatives, and as many positives as make this share of all rows."""
    if share is None:
        return examples
    negatives, positives = (np.flatnonzero(examples.targets == label) for label in (0, 1))
    count = min(len(positives), round(len(negatives) * share / (1 - share)))
    kept = np.random.default_rng(seed).choice(positives, count, replace=False)
    return examples.take(np.sort(np.concatenate([negatives, kept])))


def _copied(recipe: Recipe, examples: Examples, times: int, seed: int) -> Examples:
    """Every positive so many times, each row passed once through the document's random transform."""
    if times == 1:
        return examples
    positives = np.flatnonzero(examples.targets == 1)
    every = examples.take(np.concatenate([np.flatnonzero(examples.targets == 0), np.tile(positives, times)]))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pieces = [recipe.augment(piece, "faithful") for piece in torch.split(torch.from_numpy(every.inputs), 64)]
    return replace(every, inputs=torch.cat(pieces).numpy())
