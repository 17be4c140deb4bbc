"""lung_sound/yamnet: ours. A frozen network for sounds, ridges and marked events, as one and as other stethoscopes."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from services.trainer import export, moments, yamnet
from services.trainer.bottleneck import features
from services.trainer.estimators import measured, row_weights, settings
from services.trainer.forest import SoftTrees
from services.trainer.layers import Squeeze, Standardise, linear
from services.trainer.novelty import Mahalanobis, NoveltyModel
from services.trainer.prepared import Examples
from services.trainer.recipe import Mode, Options, Task, register
from services.trainer.recipes.lung_sound_cnn3 import LungSoundCnn3
from services.trainer.recipes.lung_sound_ridges import LungSoundRidges
from services.trainer.stethoscopes import heard_elsewhere
from services.trainer.yamnet import Heard
from shared.schemas import Step
from shared.transforms.ridges import FEATURES
from shared.transforms.yamnet import SIZE

_PENALTY = 0.002


@register
class LungSoundYamnet(LungSoundCnn3):
    """Mean log-odds of three in one graph: linear on YAMNet's channels, boosted trees on these and the ridges, and
    linear on each moment, the six highest counting.

    YAMNet hears the sound at its own and at double speed and does not learn. Its eleventh layer tells more than its
    last (0.87 and 0.85 on unseen children, linear), which knows AudioSet's classes; four times the speed added little.
    The moments learn from marked events (ADR 25); a data set without marks does without them. `faithful` follows no
    document: it is the same without other stethoscopes.
    """

    name = "lung_sound/yamnet"
    pipeline: ClassVar[list[Step]] = [*LungSoundRidges.pipeline[:-1], Step(transform="ridges_and_mels", params={})]
    shape = (SIZE,)  # type: ignore[assignment]
    limits = LungSoundRidges.limits  # type: ignore[assignment]
    controls = LungSoundRidges.controls
    start: ClassVar[str] = "YAMNet's AudioSet weights"
    marks = frozenset({"Wheeze", "Wheeze+Crackle", "Rhonchi", "Stridor"})
    """Types of events that are the finding."""

    def options(self, mode: Mode) -> Options:
        """Evenly over the classes."""
        del mode
        return settings(balance="class")

    def fit(self, examples: Examples, task: Task) -> export.Graph:
        """Features once, then two convex fits and one boosting; without marks one convex fit."""
        heard = examples if task.mode == "faithful" else _both(examples, heard_elsewhere(examples.rows, self.pipeline))
        layers, start = yamnet.load()
        type(self).start = start
        base = Heard(layers).eval().requires_grad_(requires_grad=False)
        found = features(base, torch.from_numpy(heard.inputs)).float()
        lessons = moments.marked(heard, self.marks, yamnet.MOMENTS, yamnet.MOMENT_S)
        graph = _OnePass(base, _head(found, heard, lessons, task), found[: len(examples)])
        with torch.no_grad():
            scores = graph.network(found).numpy()
        task.on_epoch(measured(task.options.epochs, scores, heard.targets))
        return export.finished(graph)

    def network(self, mode: Mode, inputs: Tensor) -> nn.Module:
        """What learns are no networks."""
        raise NotImplementedError

    def augment(self, inputs: Tensor, mode: Mode) -> Tensor:
        """Nothing: features are computed once."""
        del mode
        return inputs

    def novelty(self, inputs: Tensor) -> NoveltyModel:
        """Mahalanobis distance of the ridges, as lung_sound/ridges."""
        return _Ridges(inputs)

    def initialisation(self) -> str:
        """Where YAMNet's weights came from at the last training."""
        return self.start


class _Ridges(NoveltyModel):
    """The distance of the first 395 numbers."""

    method = Mahalanobis.method

    def __init__(self, inputs: Tensor) -> None:
        super().__init__()
        self.distance = Mahalanobis(inputs[:, :FEATURES])

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, SIZE or features) to (n,)."""
        answer: Tensor = self.distance(inputs[:, :FEATURES])
        return answer


class _OnePass(export.Graph):
    """The base first, then the score and the distance."""

    def __init__(self, base: Heard, head: nn.Module, found: Tensor) -> None:
        super().__init__(head, _Ridges(found))
        self.base = base

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """(n, SIZE) to scores (n,) and distances (n,)."""
        found = self.base(inputs)
        return self.network(found), self.novelty(found)

    @property
    def size(self) -> int:
        """Numbers that were fitted."""
        return sum(buffer.numel() for buffer in self.network.buffers()) + super().size


class _Mean(nn.Module):
    """The mean score of members that read a whole recording's standardised numbers, and of one that reads moments."""

    def __init__(self, standard: nn.Module, members: list[nn.Module], by_moment: nn.Module | None) -> None:
        super().__init__()
        self.standard, self.members, self.by_moment = standard, nn.ModuleList(members), by_moment

    def forward(self, found: Tensor) -> Tensor:
        """(n, VECTOR + moments x channels) to (n,)."""
        rows = self.standard(found[:, : yamnet.VECTOR])
        scores = [member(rows) for member in self.members]
        if self.by_moment is not None:
            scores.append(self.by_moment(_moments(found)))
        return torch.stack(scores).mean(0)


class _Rest(nn.Module):
    """All but the first `count` numbers of each vector."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, rows: Tensor) -> Tensor:
        """(n, size) to (n, size - count)."""
        return rows[:, self.count :]


def _moments(found: Tensor) -> Tensor:
    """(n, VECTOR + moments x channels) to (n, moments, channels)."""
    return found[:, yamnet.VECTOR :].reshape(-1, yamnet.MOMENTS, 2 * yamnet.CHANNELS)


def _head(found: Tensor, heard: Examples, lessons: NDArray[np.int64], task: Task) -> nn.Module:
    whole = found[:, : yamnet.VECTOR]
    standard = Standardise(whole)
    rows, weights = standard(whole), row_weights(heard, task.options.balance)
    boosting = GradientBoostingClassifier(
        n_estimators=200, learning_rate=0.04, subsample=0.4, max_features=0.04, min_samples_leaf=8,
        random_state=task.seed,
    )  # fmt: skip
    boosting.fit(rows.numpy(), heard.targets, sample_weight=weights)
    channels = _linear(_Rest(FEATURES), rows, heard.targets, weights)
    return _Mean(standard, [channels, SoftTrees(boosting)], moments.fit(_moments(found), lessons))


def _linear(cut: nn.Module, rows: Tensor, targets: NDArray[np.int64], weights: NDArray[np.float64] | None) -> nn.Module:
    table = cut(rows)
    regression = LogisticRegression(C=_PENALTY, max_iter=1000).fit(table.numpy(), targets, sample_weight=weights)
    return nn.Sequential(cut, linear(regression), Squeeze())


def _both(first: Examples, inputs: NDArray[np.float32]) -> Examples:
    """The same rows twice, the second time with these inputs."""
    return replace(
        first,
        rows=first.rows * 2,
        inputs=np.concatenate([first.inputs, inputs]),
        targets=np.tile(first.targets, 2),
        facts=first.facts * 2,
    )
