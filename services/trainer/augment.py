"""What only training does to pictures (n, c, h, w): every picture of a batch is moved and toned differently."""

import torch
from torch import Tensor
from torch.nn import functional


def move(
    pictures: Tensor, *, rotate: float = 0, zoom: float = 0, shift: float = 0, shear: float = 0, flip: bool = False
) -> Tensor:
    """Random affine map about the centre, bilinear, edges repeated.

    `rotate` and `shear` in degrees, `zoom` and `shift` as shares of the side, each drawn evenly from ± its value.
    """
    count = len(pictures)
    angle, slant = torch.deg2rad(_draw(count, rotate)), torch.tan(torch.deg2rad(_draw(count, shear)))
    wide, high = 1 + _draw(count, zoom), 1 + _draw(count, zoom)
    if flip:
        wide = wide * (torch.randint(0, 2, (count,)) * 2 - 1)
    cosine, sine = torch.cos(angle), torch.sin(angle)
    first = torch.stack([cosine * wide, (slant * cosine - sine) * high, _draw(count, 2 * shift)], dim=1)
    second = torch.stack([sine * wide, (slant * sine + cosine) * high, _draw(count, 2 * shift)], dim=1)
    grid = functional.affine_grid(torch.stack([first, second], dim=1), list(pictures.shape), align_corners=False)
    return functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def tone(pictures: Tensor, *, gamma: float, contrast: float, noise: float) -> Tensor:
    """Random exposure of pictures in [0, 1]: gamma in e^±gamma, contrast 1 ± contrast, Gaussian noise."""
    count = len(pictures)
    bent = pictures.clamp_min(1e-4) ** torch.exp(_column(_draw(count, gamma)))
    mean = bent.mean((2, 3), keepdim=True)
    stretched = mean + (bent - mean) * _column(1 + _draw(count, contrast))
    strength = _column(torch.rand(count) * noise)
    return (stretched + torch.randn_like(stretched) * strength).clamp(0, 1)


def blur(pictures: Tensor, chance: float) -> Tensor:
    """Averaged over 3 x 3 pixels with this chance: sources differ in sharpness, and sharpness is no disease."""
    soft = functional.avg_pool2d(functional.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    chosen = (torch.rand(len(pictures)) < chance).view(-1, 1, 1, 1)
    return torch.where(chosen, soft, pictures)


def roll_columns(pictures: Tensor) -> Tensor:
    """Each picture turned around in time by a random amount."""
    width = pictures.shape[3]
    places = (torch.arange(width)[None, :] + torch.randint(0, width, (len(pictures), 1))) % width
    return pictures.gather(3, places[:, None, None, :].expand_as(pictures))


def _draw(count: int, limit: float) -> Tensor:
    return (torch.rand(count) * 2 - 1) * limit


def _column(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)
