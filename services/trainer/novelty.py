"""How unlike the training data an input is: modules that go into the exported graph, fitted on inputs alone.

Distances are scaled so that a typical training input lies near 1. The threshold is not known here: it is a quantile
over held-out patients.
"""

from typing import ClassVar

import numpy as np
import torch
from sklearn.covariance import LedoitWolf
from torch import Tensor, nn
from torch.nn import functional


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

    def __init__(self, inputs: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", inputs.mean(0))
        self.register_buffer("scale", inputs.std(0).clamp_min(1e-6))
        squeezed = torch.asinh((inputs - self.mean) / self.scale).double().numpy()
        fitted = LedoitWolf().fit(squeezed)
        whitening = np.linalg.cholesky(fitted.precision_) / np.sqrt(squeezed.shape[1])
        self.register_buffer("centre", torch.tensor(fitted.location_, dtype=torch.float32))
        self.register_buffer("whitening", torch.tensor(whitening, dtype=torch.float32))

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, features) to (n,)."""
        squeezed = torch.asinh((inputs - self.mean) / self.scale) - self.centre
        return (squeezed @ self.whitening).square().sum(1)


class Eigenpictures(NoveltyModel):
    """Energy inside and outside the main components of small pictures (after Turk and Pentland 1991).

    A picture (1, h, w) is averaged over `pool` x `pool` blocks and brought to mean 0 and deviation 1, so that exposure
    does not count. Distance = mean squared component in its own deviations + residual over its training mean.
    """

    method = "eigenpictures"
    mean: Tensor
    basis: Tensor
    spread: Tensor
    residual: Tensor

    def __init__(self, inputs: Tensor, pool: int, components: int) -> None:
        super().__init__()
        self.pool = pool
        small = self._small(inputs)
        self.register_buffer("mean", small.mean(0))
        centred = (small - self.mean).double()
        count = min(components, max(1, len(inputs) // 4))
        _, values, vectors = torch.linalg.svd(centred, full_matrices=False)
        basis = vectors[:count].T.float()
        self.register_buffer("basis", basis)
        self.register_buffer("spread", (values[:count] / np.sqrt(len(inputs))).float().clamp_min(1e-6))
        outside = centred.float() - centred.float() @ basis @ basis.T
        self.register_buffer("residual", outside.square().mean().clamp_min(1e-6))

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, 1, h, w) to (n,)."""
        centred = self._small(inputs) - self.mean
        components = centred @ self.basis
        outside = centred - components @ self.basis.T
        inside = (components / self.spread).square().mean(1)
        return 0.5 * (inside + outside.square().mean(1) / self.residual)

    def _small(self, inputs: Tensor) -> Tensor:
        """(n, pixels), mean 0 and deviation 1 each."""
        flat = functional.avg_pool2d(inputs, self.pool).flatten(1)
        centred = flat - flat.mean(1, keepdim=True)
        return centred / (centred.square().mean(1, keepdim=True) + 1e-6).sqrt()
