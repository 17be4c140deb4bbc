"""Recipes that fit classifiers of scikit-learn instead of training a network, and what they become."""

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline
from torch import Tensor, nn

from services.trainer import export, join
from services.trainer.fit import Epoch
from services.trainer.prepared import Examples
from services.trainer.recipe import Mode, Options, Recipe, Task

Balance = Literal["none", "class", "source"]
_FOLDS = 5  # CalibratedClassifierCV's own number


def settings(*, trials: int = 0, balance: Balance = "none") -> Options:
    """Options of a fit without batches and rates: the epochs are the trials of a search and the fit itself."""
    return Options(epochs=trials + 1, batch=1, rate=0.0, balance=balance, threads=1)


class EstimatorRecipe(Recipe):
    """A recipe whose score is the mean of the log-odds of one or several classifiers; ONNX Runtime serves it."""

    engine = "onnxruntime"

    @abstractmethod
    def members(self, examples: Examples, task: Task) -> Sequence[Pipeline]:
        """Unfitted pipelines from float32 (n, features) to two probabilities, the finding's second.

        Only if the options ask for a balance must the last step take weights of rows.
        """

    def fit(self, examples: Examples, task: Task) -> export.Graph:
        """Fit every member on all rows that weigh something; one epoch is reported, after those of a search."""
        heard, says = _heard(examples, row_weights(examples, task.options.balance))
        members = [fitted(member, heard, says) for member in self.members(heard, task)]
        inputs = torch.from_numpy(examples.inputs)
        graph = EstimatorGraph(Scorer(members), export.rounded(self.novelty(inputs)))
        graph.eval()
        task.on_epoch(measured(task.options.epochs, graph.network(inputs).numpy(), examples.targets))
        return graph


class Scorer(nn.Module):
    """Fitted classifiers behind the interface of a network."""

    def __init__(self, members: Sequence[Pipeline]) -> None:
        super().__init__()
        self.members = tuple(members)

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, features) to (n,), without gradients."""
        table = inputs.numpy()
        odds = [join.log_odds(member.predict_proba(table)[:, 1]) for member in self.members]
        return torch.from_numpy(np.mean(odds, axis=0).astype(np.float32))


class EstimatorGraph(export.Graph):
    """Classifiers and novelty side by side; skl2onnx converts the classifiers, torch the novelty."""

    network: Scorer

    @cached_property
    def _converted(self) -> list[onnx.ModelProto]:
        return [join.converted(member, member.n_features_in_) for member in self.network.members]

    @property
    def size(self) -> int:
        """Numbers that the classifiers hold: coefficients, thresholds and leaves, stored rows."""
        return sum(join.numbers(model) for model in self._converted)

    def program(self, shape: tuple[int, ...]) -> onnx.ModelProto:
        """As ONNX, for inputs (n, features)."""
        distance = export.trace(self.novelty, shape, ["distance"])
        return join.side_by_side(self._converted, distance, shape[0])


def calibrated(classifier: Any, examples: Examples, task: Task) -> CalibratedClassifierCV:
    """With sigmoid calibration over up to five folds: `faithful` of rows, as the document had it; `sound` of patients.

    One classifier is fitted a fold and all answer together, as scikit-learn does by default.
    """
    return CalibratedClassifierCV(classifier, method="sigmoid", cv=splits(examples, task.mode, task.seed))


def splits(
    examples: Examples, mode: Mode, seed: int, count: int = _FOLDS
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Stratified (training, held-out) places, as many as the smaller class can fill; `sound` divides no patient."""
    owners = np.asarray(examples.patients if mode == "sound" else [str(row) for row in range(len(examples))])
    smallest = min(len(set(owners[examples.targets == label])) for label in (0, 1))
    count = max(2, min(count, smallest))
    if mode == "faithful":
        return list(StratifiedKFold(count).split(examples.inputs, examples.targets))
    grouped = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    return list(grouped.split(examples.inputs, examples.targets, owners))


def fitted(pipeline: Pipeline, examples: Examples, weights: NDArray[np.float64] | None) -> Pipeline:
    """The pipeline fitted on all examples; weights of rows go to its last step."""
    extra = {} if weights is None else {f"{pipeline.steps[-1][0]}__sample_weight": weights}
    return pipeline.fit(examples.inputs, examples.targets, **extra)


def _heard(examples: Examples, weights: NDArray[np.float64] | None) -> tuple[Examples, NDArray[np.float64] | None]:
    """Rows that weigh something, and their weights: a fold of one class and of rows without weight cannot be fitted."""
    return (examples, None) if weights is None else (examples.take(np.flatnonzero(weights)), weights[weights > 0])


def row_weights(examples: Examples, balance: str) -> NDArray[np.float64] | None:
    """Weights (n,) of mean 1 that give every class, or every (source, class), the same say; None without balance.

    A source with one class gets no say beside sources with both: it can only teach how it sounds itself. Ten such
    rows that weighed as much as a whole collection cost 0.1 AUROC on the others (measured on the coughs).
    """
    if balance == "none":
        return None
    sources = np.asarray(examples.sources if balance == "source" else [""] * len(examples))
    mixed = [name for name in np.unique(sources) if 0 < examples.targets[sources == name].mean() < 1]
    if not mixed:
        return row_weights(examples, "class")
    groups = [(sources == name) & (examples.targets == label) for name in mixed for label in (0, 1)]
    return np.asarray(sum(group * (len(sources) / len(groups) / group.sum()) for group in groups))


def measured(number: int, scores: NDArray[np.float32], targets: NDArray[np.int64]) -> Epoch:
    """Counts at a score of 0 and the log loss of scores (n,)."""
    said, true = scores > 0, targets == 1
    loss = float(np.logaddexp(0, np.where(true, -scores, scores).astype(np.float64)).mean())
    tp, fp, tn, fn = (int(part.sum()) for part in (said & true, said & ~true, ~said & ~true, ~said & true))
    return Epoch(number, loss, tp, fp, tn, fn)
