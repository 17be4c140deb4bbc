"""cough/search: TPE over models, preprocessing and parameters, as the cough case study (part 3) found its neighbour."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline

from services.trainer import candidates
from services.trainer.coughs import CoughTable
from services.trainer.estimators import calibrated, settings, splits
from services.trainer.fit import Epoch
from services.trainer.metrics import auroc
from services.trainer.prepared import Examples
from services.trainer.recipe import Mode, Options, Task, register
from services.trainer.search import Choice, search

_TRIALS = 40  # the document gives no number
_HELD = 0.2  # HyperoptEstimator's own share for validation
_INNER = 3


@register
class CoughSearch(CoughTable):
    """The document's `HyperoptEstimator(any_classifier, any_preprocessing)`, made again with hyperopt alone.

    The search runs anew inside every training fold, so no held-out patient has ever tuned anything.
    """

    name = "cough/search"

    def options(self, mode: Mode) -> Options:
        """Forty trials and the fit of the winner."""
        del mode
        return settings(trials=_TRIALS)

    def members(self, examples: Examples, task: Task) -> Sequence[Pipeline]:
        """The winner, sigmoid-calibrated."""
        trial = _Trial(examples, task)
        count = max(1, task.options.epochs - 1)
        best = search(candidates.space(), trial.loss, count, task.seed, _path(examples, task), trial.report)
        preparation, classifier = trial.pair(best)
        return [make_pipeline(preparation, calibrated(classifier, examples, task))]


class _Trial:
    """One look at a choice, not calibrated yet: neither loss asks for probabilities.

    Faithful: share of wrong answers on a fifth of the rows. Sound: 1 - AUROC on folds of patients, averaged over
    the sources that hold both classes, because pooled ranks reward recognising the source.
    """

    def __init__(self, examples: Examples, task: Task) -> None:
        self.examples, self.task, self.number, self.last = examples, task, 0, 1.0

    def pair(self, choice: Choice) -> tuple[Any, Any]:
        """Preprocessing and classifier."""
        rows = len(self.examples) // 4  # the fewest that the folds of a tiny data set leave
        classifier = candidates.classifier(choice["classifier"], rows, self.task.seed)
        return candidates.preparation(choice["preparation"]), classifier

    def loss(self, choice: Choice) -> float:
        """The smaller, the better."""
        self.last = self._errors(choice) if self.task.mode == "faithful" else self._ranks(choice)
        return self.last

    def report(self) -> None:
        """Tell that one more trial has ended; a trial counts no rows."""
        self.number += 1
        self.task.on_epoch(Epoch(self.number, self.last, 0, 0, 0, 0))

    def _errors(self, choice: Choice) -> float:
        inputs, targets = self.examples.inputs, self.examples.targets
        split = train_test_split(inputs, targets, test_size=_HELD, stratify=targets, random_state=self.task.seed)
        pipeline = make_pipeline(*self.pair(choice)).fit(split[0], split[2])
        return 1 - float(pipeline.score(split[1], split[3]))

    def _ranks(self, choice: Choice) -> float:
        inputs, scores = self.examples.inputs, np.zeros(len(self.examples))
        for training, held in splits(self.examples, "sound", self.task.seed, _INNER):
            pipeline = make_pipeline(*self.pair(choice)).fit(inputs[training], self.examples.targets[training])
            scores[held] = _response(pipeline, inputs[held])
        return 1 - _mean_auroc(self.examples, scores)


def _response(pipeline: Pipeline, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """What a classifier ranks by: its decision function, or its probability where it has none."""
    if hasattr(pipeline, "decision_function"):
        return np.asarray(pipeline.decision_function(inputs))
    return np.asarray(pipeline.predict_proba(inputs)[:, 1])


def _mean_auroc(examples: Examples, scores: NDArray[np.float64]) -> float:
    sources, targets = np.asarray(examples.sources), examples.targets
    groups = [sources == name for name in np.unique(sources)]
    mixed = [group for group in groups if 0 < targets[group].mean() < 1]
    return float(np.mean([auroc(targets[group], scores[group]) for group in mixed or [np.full(len(targets), True)]]))


def _path(examples: Examples, task: Task) -> Path | None:
    """One file of trials for each (mode, seed, rows to learn from)."""
    if task.keep is None:
        return None
    facts = [CoughSearch.name, task.mode, task.seed, [[row.sha256, row.label] for row in examples.rows]]
    return task.keep / f"trials-{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]}.json"
