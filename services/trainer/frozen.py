"""A frozen base that is read once: its pooled layers, a linear score on some of them, a distance on others."""

from collections.abc import Collection

import torch
from torch import Tensor, nn

from services.trainer.backbones import Scale, Staged
from services.trainer.export import Graph
from services.trainer.layers import ThreeChannels
from services.trainer.novelty import FeatureComponents


class Pooled(nn.Module):
    """A network of numbered layers, on gray pictures, as one vector a picture.

    First the means over the last layer's channels, then means and deviations over each layer of `inner`, in order.
    """

    def __init__(self, layers: nn.Sequential, inner: Collection[int]) -> None:
        super().__init__()
        self.entry = nn.Sequential(ThreeChannels(), Scale())
        self.layers, self.inner = layers, frozenset(inner)

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, 1, h, w) in [0, 1] to (n, size)."""
        values, found = self.entry(inputs), []
        for number, layer in enumerate(self.layers):
            values = layer(values)
            if number in self.inner:
                found += _mean_and_deviation(values)
        return torch.cat([values.mean((2, 3)), *found], dim=1)


class First(nn.Module):
    """The first `count` numbers of each vector."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, rows: Tensor) -> Tensor:
        """(n, size) to (n, count)."""
        return rows[:, : self.count]


class OnePass(Graph):
    """Score and distance from one pass through the base, which is most of the work."""

    network: Staged
    novelty: FeatureComponents

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """(n, *shape) to scores (n,) and distances (n,)."""
        features = self.network.base(inputs)
        return self.network.head(features), self.novelty.of(features)


def _mean_and_deviation(values: Tensor) -> list[Tensor]:
    mean = values.mean((2, 3))
    centred = values - mean[:, :, None, None]
    return [mean, centred.square().mean((2, 3)).sqrt()]
