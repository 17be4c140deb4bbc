"""How unlike the training data an input is: modules that go into the exported graph, fitted on inputs alone.

Distances are scaled so that a typical training input lies near 1. The threshold is not known here: it is a quantile
over held-out patients.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from sklearn.covariance import LedoitWolf
from torch import Tensor, nn
from torch.nn import functional

_STEADY = 1e-3  # features that vary less than this over the training inputs would only magnify rounding


class NoveltyModel(nn.Module):
    """Input (n, *shape) to distance (n,); every number that it needs is a buffer."""

    method: ClassVar[str]

    def forward(self, inputs: Tensor) -> Tensor:
        """Distances (n,), not negative."""
        raise NotImplementedError


class Mahalanobis(NoveltyModel):
    """Squared Mahalanobis distance over the number of features, with shrunk covariance (Ledoit and Wolf 2004).

    Features are standardised and squeezed by asinh first: means over frames have long tails, and without it a few loud
    recordings would widen the whole cloud.
    """

    method = "mahalanobis"
    mean: Tensor
    scale: Tensor
    centre: Tensor
    whitening: Tensor

    def __init__(self, inputs: Tensor, first: int = 0) -> None:
        """The features before the `first` do not count."""
        super().__init__()
        self.first = first
        inputs = inputs[:, first:]
        self.register_buffer("mean", inputs.mean(0))
        self.register_buffer("scale", inputs.std(0).clamp_min(1e-6))
        squeezed = torch.asinh((inputs - self.mean) / self.scale).double().numpy()
        fitted = LedoitWolf().fit(squeezed)
        whitening = np.linalg.cholesky(fitted.precision_) / np.sqrt(squeezed.shape[1])
        self.register_buffer("centre", torch.tensor(fitted.location_, dtype=torch.float32))
        self.register_buffer("whitening", torch.tensor(whitening, dtype=torch.float32))

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, features) to (n,)."""
        squeezed = torch.asinh((inputs[:, self.first :] - self.mean) / self.scale) - self.centre
        return (squeezed @ self.whitening).square().sum(1)


class Components(nn.Module):
    """Energy inside and outside the main components of vectors (n, size), fitted on rows of the same kind.

    Distance = half the mean squared component in its own deviations + half the residual over its training mean.
    """

    mean: Tensor
    basis: Tensor
    spread: Tensor
    residual: Tensor

    def __init__(self, rows: Tensor, components: int) -> None:
        super().__init__()
        self.register_buffer("mean", rows.mean(0))
        centred = (rows - self.mean).double()
        count = min(components, max(1, len(rows) // 4))
        _, values, vectors = torch.linalg.svd(centred, full_matrices=False)
        basis = vectors[:count].T.float()
        self.register_buffer("basis", basis)
        self.register_buffer("spread", (values[:count] / np.sqrt(len(rows))).float().clamp_min(1e-6))
        outside = centred.float() - centred.float() @ basis @ basis.T
        self.register_buffer("residual", outside.square().mean().clamp_min(1e-6))

    def forward(self, rows: Tensor) -> Tensor:
        """(n, size) to (n,)."""
        centred = rows - self.mean
        components = centred @ self.basis
        outside = centred - components @ self.basis.T
        inside = (components / self.spread).square().mean(1)
        return 0.5 * (inside + outside.square().mean(1) / self.residual)


class Eigenpictures(NoveltyModel):
    """Components of small pictures (after Turk and Pentland 1991).

    A picture (1, h, w) is averaged over `pool` x `pool` blocks and brought to mean 0 and deviation 1, so that exposure
    does not count.
    """

    method = "eigenpictures"

    def __init__(self, inputs: Tensor, pool: int, components: int) -> None:
        super().__init__()
        self.pool = pool
        self.components = Components(self._small(inputs), components)

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, 1, h, w) to (n,)."""
        distances: Tensor = self.components(self._small(inputs))
        return distances

    def _small(self, inputs: Tensor) -> Tensor:
        """(n, pixels), mean 0 and deviation 1 each."""
        flat = functional.avg_pool2d(inputs, self.pool).flatten(1)
        centred = flat - flat.mean(1, keepdim=True)
        return centred / (centred.square().mean(1, keepdim=True) + 1e-6).sqrt()


class FeatureComponents(NoveltyModel):
    """Mean over blocks of the Components of a frozen base's features, each standardised and cut at 8 deviations.

    `blocks`: the places of the features (first, last + 1) that belong together, such as those of one layer.
    """

    method = "feature_components"
    mean: Tensor
    scale: Tensor

    def __init__(self, base: nn.Module, features: Tensor, blocks: Sequence[tuple[int, int]], components: int) -> None:
        super().__init__()
        self.base, self.blocks = base, tuple(blocks)
        self.register_buffer("mean", features.mean(0))
        self.register_buffer("scale", features.std(0).clamp_min(_STEADY))
        rows = self._standard(features)
        self.parts = nn.ModuleList(Components(rows[:, first:last], components) for first, last in self.blocks)

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, *shape) to (n,)."""
        return self.of(self.base(inputs))

    def of(self, features: Tensor) -> Tensor:
        """Distances (n,) of features (n, size) that the base has given already."""
        rows = self._standard(features)
        parts = zip(self.parts, self.blocks, strict=True)
        return torch.stack([part(rows[:, first:last]) for part, (first, last) in parts]).mean(0)

    def _standard(self, features: Tensor) -> Tensor:
        return ((features - self.mean) / self.scale).clamp(-8, 8)
