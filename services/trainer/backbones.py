"""Parts of the transfer networks: frozen bases, ImageNet's scale, several views as one graph."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Scale(nn.Module):
    """What a base was trained on, from pictures in [0, 1]: ImageNet's mean and deviation, or any others."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Sequence[float] = _MEAN, deviation: Sequence[float] = _DEVIATION) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(deviation).view(1, 3, 1, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, 3, h, w) to (n, 3, h, w)."""
        return (inputs - self.mean) / self.deviation


class Frozen(nn.Module):
    """A base that does not learn: no gradients, and batch normalisation stays as it was trained."""

    def __init__(self, base: nn.Module) -> None:
        super().__init__()
        self.base = base.requires_grad_(requires_grad=False)
        self.train()

    def train(self, mode: bool = True) -> "Frozen":
        """Always in evaluation mode."""
        del mode
        super().train(False)
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        """Whatever the base gives."""
        answer: Tensor = self.base(inputs)
        return answer


class Staged(nn.Module):
    """A frozen base and a head that learns.

    `still`: nothing is augmented, the base sees the same pictures in every epoch, so `fit` computes its features once.
    """

    def __init__(self, base: nn.Module, head: nn.Module, *, still: bool) -> None:
        super().__init__()
        self.base, self.head, self.still = Frozen(base), head, still

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, *shape) to (n,)."""
        answer: Tensor = self.head(self.base(inputs))
        return answer


class Views(nn.Module):
    """Trains on the input as it is; answers with the mean score over fixed views (turned, enlarged, mirrored).

    `views`: (degrees, zoom, mirrored) each. Deterministic, unlike one random draw per picture, and one graph: all
    views go through the network as one group.
    """

    grids: Tensor

    def __init__(self, network: nn.Module, views: Sequence[tuple[float, float, bool]], side: tuple[int, int]) -> None:
        super().__init__()
        self.network = network
        maps = torch.stack([_affine(*view) for view in views])
        size = [len(views), 1, *side]
        self.register_buffer("grids", functional.affine_grid(maps, size, align_corners=False))

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, c, h, w) to (n,)."""
        if self.training:
            answer: Tensor = self.network(inputs)
            return answer
        seen = [self._view(inputs, grid) for grid in self.grids]
        scores: Tensor = self.network(torch.cat(seen))
        return scores.reshape(len(seen), -1).mean(0)

    def _view(self, inputs: Tensor, grid: Tensor) -> Tensor:
        grids = grid.unsqueeze(0).expand(inputs.shape[0], -1, -1, -1)
        return functional.grid_sample(inputs, grids, padding_mode="border", align_corners=False)


def _affine(degrees: float, zoom: float, mirrored: bool) -> Tensor:
    """(2, 3) map from the view to the picture."""
    angle = torch.deg2rad(torch.tensor(degrees))
    cosine, sine = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    side = -1.0 if mirrored else 1.0
    zero = torch.zeros(())
    return torch.stack([torch.stack([cosine * side, -sine, zero]), torch.stack([sine * side, cosine, zero])])
