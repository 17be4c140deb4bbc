"""The lung-sound slides' own protocol: 9:1 splits, four repeats, accuracy and loss; but split by patient."""

from dataclasses import dataclass
from functools import partial
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.trainer.evaluate import Plan
from services.trainer.fit import fit
from services.trainer.folds import folds
from services.trainer.prepared import Examples

REPEATS = 4
_SHARE = 10  # one tenth is held out
_GROUP = 32


@dataclass(frozen=True)
class Figures:
    """Accuracy at one half, mean binary cross-entropy (equals the two-class softmax's), and what a constant reaches."""

    accuracy: float
    loss: float
    majority: float


@dataclass(frozen=True)
class Repeat:
    """One 9:1 split."""

    training: Figures
    validation: Figures


def repeat(plan: Plan, examples: Examples, repeats: int = REPEATS) -> list[Repeat]:
    """Train on nine tenths of the patients and measure both parts, `repeats` times with disjoint validation parts.

    Raises BadRequest with fewer than ten patients in a class.
    """
    found = []
    for number, places in enumerate(islice(folds(examples, _SHARE, plan.seed), repeats), 1):
        training, validation = (examples.take(part) for part in places)
        report = partial(plan.on_epoch, f"repeat {number}/{repeats}")
        network = fit(plan.recipe, plan.mode, plan.options, training, plan.seed, report)
        found.append(Repeat(_measure(network, training), _measure(network, validation)))
    return found


def _measure(network: nn.Module, examples: Examples) -> Figures:
    targets = torch.from_numpy(examples.targets).float()
    scores = _scores(network, torch.from_numpy(examples.inputs))
    share = float(targets.mean())
    return Figures(
        accuracy=float(((scores > 0) == (targets > 0.5)).float().mean()),
        loss=float(functional.binary_cross_entropy_with_logits(scores, targets)),
        majority=max(share, 1 - share),
    )


def _scores(network: nn.Module, inputs: Tensor) -> Tensor:
    with torch.inference_mode():
        return torch.cat([network(piece) for piece in torch.split(inputs, _GROUP)])
