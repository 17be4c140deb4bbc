"""How a fit that was killed goes on from its last kept epoch and ends with the same numbers as one that was not."""

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel

from services.trainer import kept

if TYPE_CHECKING:
    from services.trainer.fit import Epoch

EVERY_S = 5.0
"""Seconds of work that a kill may cost beside the epoch that it interrupts."""
_SHARE = 0.05
"""Of the time, at most, goes into keeping: the largest networks take seconds to write."""


class Learning(Protocol):
    """What changes from epoch to epoch, beside torch's global generator."""

    network: nn.Module
    optimiser: Optimizer
    schedules: tuple[LRScheduler, ...]
    average: AveragedModel | None


class Memory:
    """The last kept epoch of one fit, as one file. The file's name holds all that the fit depends on.

    `folder` None keeps nothing.
    """

    def __init__(self, folder: Path | None, *identity: object) -> None:
        self.file = folder and folder / f"network-{kept.digest(*identity)}.npz"
        self.due = time.monotonic() + EVERY_S

    def recall(self, learning: Learning) -> list[dict[str, Any]]:
        """Put the learning, and torch's generator, where they were. Returns the epochs that are over."""
        found = kept.read(self.file) if self.file else None
        if found is None:
            return []
        tensors = {name: torch.from_numpy(values) for name, values in found.arrays.items()}
        torch.set_rng_state(tensors.pop("random"))
        learning.network.load_state_dict(_below("network", tensors))
        if learning.average is not None:
            learning.average.load_state_dict(_below("average", tensors))
        learning.optimiser.load_state_dict(_optimiser_state(learning.optimiser, tensors, found.facts["groups"]))
        for schedule, state in zip(learning.schedules, found.facts["schedules"], strict=True):
            schedule.load_state_dict(state)
        epochs: list[dict[str, Any]] = found.facts["epochs"]
        return epochs

    def note(self, learning: Learning, epochs: Sequence["Epoch"]) -> None:
        """Keep the state after these epochs, when some time has passed since the last time."""
        began = time.monotonic()
        if self.file is not None and began >= self.due:
            _write(self.file, learning, epochs)
            ended = time.monotonic()
            self.due = ended + max(EVERY_S, (ended - began) / _SHARE)


def _write(file: Path, learning: Learning, epochs: Sequence["Epoch"]) -> None:
    state = learning.optimiser.state_dict()
    tensors = {"random": torch.get_rng_state(), **_above("network", learning.network.state_dict())}
    if learning.average is not None:
        tensors |= _above("average", learning.average.state_dict())
    for place, values in state["state"].items():
        tensors |= _above(f"optimiser.{place}", values)
    facts = {
        "epochs": [asdict(epoch) for epoch in epochs],
        "groups": state["param_groups"],
        "schedules": [schedule.state_dict() for schedule in learning.schedules],
    }
    kept.write(file, {name: value.numpy() for name, value in tensors.items()}, facts)


@cache
def code(recipe: type) -> str:
    """Digest of the source of a recipe's classes and of all that they have from the trainer, directly or not."""
    seen: dict[str, ModuleType] = {}
    waiting = [base.__module__ for base in recipe.__mro__ if base is not object]
    while waiting:
        found = sys.modules[waiting.pop()]
        seen[found.__name__] = found
        waiting += [other for other in _origins(found) if other.startswith("services.trainer") and other not in seen]
    return kept.digest(*(Path(str(seen[known].__file__)).read_bytes() for known in sorted(seen)))


def _origins(module: ModuleType) -> set[str]:
    """Names of the modules that a module's values come from."""
    values = list(vars(module).values())
    return {
        value.__name__ if isinstance(value, ModuleType) else str(getattr(value, "__module__", "")) for value in values
    }


def _above(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{name}/{key}": value for key, value in tensors.items()}


def _below(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}/"): value for key, value in tensors.items() if key.startswith(f"{name}/")}


def _optimiser_state(optimiser: Optimizer, tensors: dict[str, Tensor], groups: list[dict[str, Any]]) -> dict[str, Any]:
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    states = ((place, _below(f"optimiser.{place}", tensors)) for place in range(len(weights)))
    return {
        "state": {
            place: {key: _laid_as(weights[place], v) for key, v in state.items()} for place, state in states if state
        },
        "param_groups": groups,
    }


def _laid_as(weight: Tensor, value: Tensor) -> Tensor:
    """In the weight's own order in memory: sums over another order need not round the same way."""
    return torch.empty_like(weight).copy_(value) if value.shape == weight.shape and value.dim() else value
