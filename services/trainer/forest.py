"""Boosted trees as a layer of a network, so that trees on a frozen base's features are one graph with the base."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_DEPTH = 3
_NODES, _LEAVES = 2**_DEPTH - 1, 2**_DEPTH
_SOFT = 0.02  # of a feature's own deviation
_NEVER = 1e6  # deviations: a limit that nothing reaches


class SoftTrees(nn.Module):
    """A fitted `GradientBoostingClassifier` of depth 3 or less, on standardised features, with softened limits.

    Two engines' features differ in the seventh digit. At a hard limit that flips a branch and moves a probability by a
    hundredth; here a branch is a steep sigmoid, so that the exported graph answers as the trained one.
    """

    feature: Tensor
    limit: Tensor
    value: Tensor
    start: Tensor

    def __init__(self, boosting: Any) -> None:
        super().__init__()
        trees = [tree.tree_ for tree in boosting.estimators_[:, 0]]
        nodes = [_laid_out(tree) for tree in trees]
        share = float(boosting.init_.class_prior_[1])
        self.register_buffer("feature", torch.tensor(np.array([node[0] for node in nodes]), dtype=torch.long))
        self.register_buffer("limit", torch.tensor(np.array([node[1] for node in nodes]), dtype=torch.float32))
        values = np.array([node[2] for node in nodes]) * boosting.learning_rate
        self.register_buffer("value", torch.tensor(values, dtype=torch.float32))
        self.register_buffer("start", torch.tensor(np.log(share / (1 - share)), dtype=torch.float32))

    def forward(self, rows: Tensor) -> Tensor:
        """(n, features) to log-odds (n,)."""
        picked = rows[:, self.feature.flatten()].reshape(-1, *self.feature.shape)
        right = torch.sigmoid((picked - self.limit) / _SOFT)
        reached = torch.ones_like(right[:, :, :1])
        for level in range(_DEPTH):
            first = 2**level - 1
            turn = right[:, :, first : 2 * first + 1]
            reached = torch.stack([reached * (1 - turn), reached * turn], dim=3).flatten(2)
        return self.start + (reached * self.value).sum((1, 2))


def _laid_out(tree: Any) -> tuple[list[int], list[float], list[float]]:
    """Features and limits of the 7 inner nodes and values of the 8 leaves; a leaf further up is both its branches."""
    features, limits, values = [0] * _NODES, [_NEVER] * _NODES, [0.0] * _LEAVES

    def place(node: int, at: int) -> None:
        inner = at < _NODES
        if not inner:
            values[at - _NODES] = float(tree.value[node, 0, 0])
            return
        left, right = int(tree.children_left[node]), int(tree.children_right[node])
        if left >= 0:
            features[at], limits[at] = int(tree.feature[node]), float(tree.threshold[node])
        place(left if left >= 0 else node, 2 * at + 1)
        place(right if left >= 0 else node, 2 * at + 2)

    place(0, 0)
    return features, limits, values
