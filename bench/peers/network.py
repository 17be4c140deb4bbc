"""What every peer runs as the documentation of torchvision has it: EfficientNet-B3 at 300 x 300, random weights."""

import torch
from PIL import Image
from torch import Tensor, nn
from torchvision import models
from torchvision.transforms import v2

SIDE = 300
to_tensor = v2.Compose(
    [
        v2.ToImage(),
        v2.Resize((SIDE, SIDE), antialias=True),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
    ]
)


def network() -> nn.Module:
    """Ready to predict. Its normalisations have seen inputs once, or random weights fade to numbers that are slow."""
    torch.manual_seed(7)
    model = models.efficientnet_b3(weights=None, num_classes=2)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.rand(16, 3, SIDE, SIDE))
    return model.eval()


def tensor(picture: Image.Image) -> Tensor:
    """A picture as the network takes it: float32 (3, 300, 300)."""
    prepared: Tensor = to_tensor(picture.convert("RGB"))
    return prepared


def scores(model: nn.Module, pictures: list[Image.Image]) -> list[float]:
    """Log-odds of each picture."""
    with torch.inference_mode():
        outputs = model(torch.stack([tensor(picture) for picture in pictures]))
    return [float(one) for one in outputs[:, 1] - outputs[:, 0]]
