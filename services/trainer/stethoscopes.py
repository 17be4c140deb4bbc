"""Log-mel pictures (n, 1, bands, frames) in [0, 1] as another stethoscope would have recorded them.

In decibels a filter is something added to every frame of a band; so response, low-pass, gain and noise floor of a
device can be drawn at random without touching the sound itself. One unit is 80 dB.
"""

import torch
from torch import Tensor
from torch.nn import functional

_DECIBELS = 80.0
_POINTS = 6


def other_stethoscope(pictures: Tensor, *, curve: float = 10.0, slope: float = 25.0, floor: float = 25.0) -> Tensor:
    """Random response (± `curve` dB, smooth), low-pass (up to `slope` dB per octave or so), noise floor, then scaled.

    `floor`: how far (dB) the noise floor may rise. The loudest point is 1 again, as the transform leaves it.
    """
    count, _, bands, _ = pictures.shape
    response = _smooth(count, bands) * (curve / _DECIBELS) + _low_pass(count, bands) * (-slope / _DECIBELS)
    heard = pictures + response[:, None, :, None]
    lifted = torch.rand(count, 1, 1, 1) * (floor / _DECIBELS)
    noise = lifted + 0.02 * torch.randn_like(heard)
    heard = torch.maximum(heard, noise)
    return (heard - heard.amax((2, 3), keepdim=True) + 1).clamp(0, 1)


def _smooth(count: int, bands: int) -> Tensor:
    """(count, bands) smooth curves, normal at each of six points."""
    points = torch.randn(count, 1, _POINTS)
    return functional.interpolate(points, size=bands, mode="linear", align_corners=True).squeeze(1)


def _low_pass(count: int, bands: int) -> Tensor:
    """(count, bands): 0 below a random corner, rising to 2 above it; for half of them no low-pass."""
    corner = torch.rand(count, 1) * 0.7 + 0.3
    along = torch.linspace(0, 1, bands)[None, :]
    chosen = (torch.rand(count, 1) < 0.5).float()
    return ((along - corner) * 6).clamp(0, 2) * chosen
