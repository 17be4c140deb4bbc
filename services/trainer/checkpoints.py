"""Weights kept during a training, as plain arrays: chosen epochs, the best and the last; `on_network` of `fit`."""

from collections.abc import Collection, Sequence
from pathlib import Path

import torch
from torch import nn

from services.trainer import kept
from services.trainer.fit import Epoch
from shared.errors import NotFound

BEST, LAST = "best", "last"


class Checkpoints:
    """Writes `epoch-N.npz`, `best.npz` and `last.npz` into a folder; a training from the start clears it first.

    Best is the lowest training loss: a fit sees no held-out data, so this is no choice by validation.
    """

    def __init__(self, folder: Path, epochs: Collection[int] = ()) -> None:
        self.folder, self.epochs = folder, frozenset(epochs)

    def __call__(self, epochs: Sequence[Epoch], network: nn.Module) -> None:
        """Keep what the last of these epochs is to be kept as."""
        *past, epoch = epochs
        if not past:
            self._clear()
        names = [LAST, *([f"epoch-{epoch.number}"] if epoch.number in self.epochs else [])]
        if epoch.loss < min((other.loss for other in past), default=float("inf")):
            names.append(BEST)
        for name in names:
            write(network, self.folder / f"{name}.npz")

    def _clear(self) -> None:
        for file in self.folder.glob("*.npz"):
            file.unlink()


def write(network: nn.Module, file: Path) -> None:
    """All parameters and buffers by name; whole or not at all."""
    kept.write(file, {name: value.numpy() for name, value in network.state_dict().items()})


def restore(network: nn.Module, file: Path) -> None:
    """Put kept weights into a network of the same structure. Raises NotFound."""
    found = kept.read(file)
    if found is None:
        raise NotFound(detail="There is no readable checkpoint of this name.")
    network.load_state_dict({name: torch.from_numpy(value) for name, value in found.arrays.items()})
