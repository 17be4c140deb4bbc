"""Small layers that several recipes share."""

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional


class Standardise(nn.Module):
    """Mean 0 and deviation 1 per feature, fitted on training inputs (n, features), inside the graph."""

    mean: Tensor
    scale: Tensor

    def __init__(self, inputs: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", inputs.mean(0))
        self.register_buffer("scale", inputs.std(0).clamp_min(1e-6))

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, features) to (n, features)."""
        return (inputs - self.mean) / self.scale


def linear(regression: LogisticRegression) -> nn.Linear:
    """A fitted regression as a layer: (n, features) to log-odds (n, 1)."""
    layer = nn.Linear(regression.coef_.shape[1], 1)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(regression.coef_))
        layer.bias.copy_(torch.from_numpy(regression.intercept_))
    return layer


class Exposure(nn.Module):
    """Mean 0 and deviation 1 per picture, its border hidden, so that neither a device's exposure nor a frame counts.

    `border` in pixels; it becomes 0, the mean of what is left.
    """

    def __init__(self, border: int) -> None:
        super().__init__()
        self.border = border

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, 1, h, w) to (n, 1, h, w)."""
        rim = self.border
        inside = inputs[:, :, rim:-rim, rim:-rim]
        centred = inside - inside.mean((2, 3), keepdim=True)
        scaled = centred / (centred.square().mean((2, 3), keepdim=True) + 1e-4).sqrt()
        return functional.pad(scaled, (rim, rim, rim, rim))


class ThreeChannels(nn.Module):
    """One gray channel as three, for architectures that the documents fed with colour pictures."""

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, 1, h, w) to (n, 3, h, w)."""
        return torch.cat([inputs, inputs, inputs], dim=1)


class Squeeze(nn.Module):
    """A single output (n, 1) as a score (n,)."""

    def forward(self, outputs: Tensor) -> Tensor:
        """(n, 1) to (n,)."""
        return outputs.squeeze(1)


class Difference(nn.Module):
    """Two outputs under softmax as log-odds of the second: softmax and sigmoid of the difference are the same."""

    def forward(self, outputs: Tensor) -> Tensor:
        """(n, 2) to (n,)."""
        return outputs[:, 1] - outputs[:, 0]
