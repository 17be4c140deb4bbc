"""Weights kept during a training, as plain arrays: chosen epochs, the best and the last; `on_network` of `fit`."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import torch
from torch import nn

from services.trainer.fit import Epoch

BEST, LAST = "best", "last"


class Checkpoints:
    """Writes `epoch-N.npz`, `best.npz` and `last.npz` into a folder.

    Best is the lowest training loss: a fit sees no held-out data, so this is no choice by validation.
    """

    def __init__(self, folder: Path, epochs: Collection[int] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.epochs, self.lowest = folder, frozenset(epochs), float("inf")

    def __call__(self, epoch: Epoch, network: nn.Module) -> None:
        """Keep what this epoch is to be kept as."""
        names = [LAST, *([f"epoch-{epoch.number}"] if epoch.number in self.epochs else [])]
        if epoch.loss < self.lowest:
            self.lowest = epoch.loss
            names.append(BEST)
        for name in names:
            write(network, self.folder / f"{name}.npz")


def write(network: nn.Module, file: Path) -> None:
    """All parameters and buffers by name; whole or not at all."""
    draft = file.with_suffix(".draft")
    with draft.open("wb") as stream:
        np.savez(stream, **{name: value.numpy() for name, value in network.state_dict().items()})
    draft.replace(file)


def restore(network: nn.Module, file: Path) -> None:
    """Put kept weights into a network of the same structure."""
    with np.load(file, allow_pickle=False) as kept:
        network.load_state_dict({name: torch.from_numpy(kept[name]) for name in kept.files})
