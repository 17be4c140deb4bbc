"""YAMNet (Google, Apache-2.0), trained on AudioSet, as a frozen base: its convolutions out of the published file."""

import hashlib
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import openvino
import torch
from torch import Tensor, nn
from torch.nn import functional

from services.trainer.weights import RANDOM, random_allowed
from shared.errors import BadRequest
from shared.settings import Settings
from shared.transforms.ridges import FEATURES
from shared.transforms.yamnet import BANDS, FRAME_S, FRAMES

FILE = "yamnet.tflite"
LAYERS = 11
"""Depthwise-separable layers that are used, of thirteen: the last two know AudioSet's classes, not lines in a sound."""
CHANNELS = 512
_SHA256 = "469be6a3421cbc52cf97e9f2f966cba984198e8e7af9854d68b3e3ebb1e04194"
_WIDE = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512)
_HALVED = frozenset({2, 4, 6})  # layers of stride 2, beside the first convolution
_WINDOW = 6  # steps of 160 ms: the 0.96 s that the network was trained on
VECTOR = FEATURES + 2 * 2 * CHANNELS
"""Numbers of a whole recording: the ridges, then mean and loudest second of each channel at each speed."""
MOMENTS = 47
MOMENT_S = FRAME_S * FRAMES[0] / MOMENTS
"""A moment is heard as two steps at the sound's own speed and as one at double speed: 2 x 512 channels."""


class Same(nn.Conv2d):
    """A 3 x 3 convolution padded as TensorFlow does: a stride of 2 over an even length pads the far end only."""

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, c, h, w) to (n, d, h / stride, w / stride)."""
        near = 1 if self.stride[0] == 1 else 0
        return super().forward(functional.pad(inputs, (near, 1, near, 1)))


class Heard(nn.Module):
    """From `ridges_and_mels` to what is told of the whole recording, then of each of its moments."""

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, SIZE) to (n, VECTOR + 47 x 1024)."""
        found, moments, ends = [inputs[:, :FEATURES]], [], [FEATURES]
        for frames in FRAMES:
            ends.append(ends[-1] + frames * BANDS)
        for (start, end), frames in zip(pairwise(ends), FRAMES, strict=True):
            steps = self.layers(inputs[:, start:end].reshape(-1, 1, frames, BANDS)).mean(3)
            found += [steps.mean(2), functional.avg_pool1d(steps, _WINDOW, _WINDOW // 2).amax(2)]
            moments.append(functional.avg_pool1d(steps, steps.shape[2] // MOMENTS))
        return torch.cat([*found, torch.cat(moments, dim=1).transpose(1, 2).flatten(1)], dim=1)


class _Weights(NamedTuple):
    kernel: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
    bias: np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def load() -> tuple[nn.Sequential, str]:
    """The first convolutions (n, 1, frames, 64) to (n, 512, frames / 16, 4), and where their weights come from.

    From `THORACLE_WEIGHTS_DIR`/yamnet.tflite, whose sha256 is checked. Raises BadRequest without it, unless random
    weights were asked for.
    """
    layers = _architecture()
    folder = Settings().weights_dir
    if folder is None or not (folder / FILE).is_file():
        if not random_allowed():
            raise BadRequest(detail=f"The weights {FILE} are not in THORACLE_WEIGHTS_DIR.")
        return layers, RANDOM
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    with torch.no_grad():
        for layer, weights in zip(convolutions, _published(folder / FILE, len(convolutions)), strict=True):
            layer.weight.copy_(torch.from_numpy(weights.kernel.reshape(layer.weight.shape)))
            assert layer.bias is not None
            layer.bias.copy_(torch.from_numpy(weights.bias.ravel()))
    return layers.eval(), f"YAMNet's AudioSet weights ({FILE})"


def _architecture() -> nn.Sequential:
    layers: list[nn.Module] = [Same(1, _WIDE[0], 3, stride=2), nn.ReLU()]
    for number, (wide, narrow) in enumerate(pairwise(_WIDE), 1):
        stride = 2 if number in _HALVED else 1
        layers += [Same(wide, wide, 3, stride=stride, groups=wide), nn.ReLU(), nn.Conv2d(wide, narrow, 1), nn.ReLU()]
    return nn.Sequential(*layers)


def _published(file: Path, count: int) -> list[_Weights]:
    """Kernels and biases of the first convolutions; OpenVINO reads the format and undoes its 8-bit weights."""
    if hashlib.sha256(file.read_bytes()).hexdigest() != _SHA256:
        raise BadRequest(detail=f"The content of {FILE} is not that of the published file.")
    core = openvino.Core()
    whole = core.read_model(file)
    nodes = [node for node in whole.get_ordered_ops() if node.get_type_name() in _KINDS][:count]
    sums = [next(iter(node.output(0).get_target_inputs())).get_node() for node in nodes]
    parts = [node.input_value(1) for node in nodes] + [added.input_value(1) for added in sums]
    answers = list(core.compile_model(openvino.Model(parts, [], "weights"), "CPU", _EXACT)([]).values())
    return [_Weights(*pair) for pair in zip(answers[:count], answers[count:], strict=True)]


_KINDS = frozenset({"Convolution", "GroupConvolution"})
_EXACT = {"INFERENCE_PRECISION_HINT": "f32"}
