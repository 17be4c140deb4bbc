"""What a recipe is: a documented model as one file in `recipes/`, registered under its name."""

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar, Literal, TypeVar

import torch
from torch import Tensor, nn

from services.trainer import export, fit
from services.trainer.checkpoints import Checkpoints
from services.trainer.controls import Control
from services.trainer.datasets import Row
from services.trainer.novelty import NoveltyModel
from services.trainer.prepared import Examples
from shared.errors import NotFound
from shared.schemas import InputContract, Labels, Modality, Population, Step

Mode = Literal["faithful", "sound"]


@dataclass(frozen=True)
class Options:
    """Hyper-parameters of one mode.

    `balance`: what a training batch is drawn evenly over: nothing, the class, or (source, class); `upsample` repeats
    each row of the rarer class as often as it fits into the other, and drops none.
    `average`: decay of the moving average of the weights that is kept in place of the last step's; 0 keeps the last.
    `smoothing`: how far the targets 0 and 1 are moved towards 1/2. `half`: train in bf16 where the processor has it;
    evaluation is never in half precision.
    `augment`: whether a batch is passed through the recipe's `augment`.
    `threads`: more of them than this do not help; on a busy machine they hinder.
    """

    epochs: int
    batch: int
    rate: float
    folds: int = 5
    schedule: Literal["constant", "plateau", "cosine"] = "constant"
    balance: Literal["none", "upsample", "class", "source"] = "none"
    weight_decay: float = 0.0
    smoothing: float = 0.0
    average: float = 0.0
    half: bool = False
    augment: bool = True
    threads: int = 2


@dataclass(frozen=True)
class Task:
    """One fit: with which settings, from which seed, and whom to tell after each epoch.

    `keep` is a folder for what a fit that is interrupted and started again takes up; None keeps nothing. `checkpoints`
    is one for the weights after the epochs that the recipe declares, the best and the last.
    """

    mode: Mode
    options: Options
    seed: int
    on_epoch: Callable[[fit.Epoch], None]
    keep: Path | None = None
    checkpoints: Path | None = None


class Recipe(ABC):
    """Architecture, pipeline, hyper-parameters and split of one documented model, and what its cards say."""

    name: ClassVar[str]
    modality: ClassVar[Modality]
    finding: ClassVar[str]
    labels: ClassVar[Labels]
    present: ClassVar[frozenset[str]]
    absent: ClassVar[frozenset[str]]
    pipeline: ClassVar[list[Step]]
    shape: ClassVar[tuple[int, ...]]
    engine: ClassVar[Literal["onnxruntime", "openvino"]]
    input: ClassVar[InputContract]
    population: ClassVar[Population]
    limits: ClassVar[tuple[str, ...]]
    controls: ClassVar[Mapping[str, Control]]
    sensitivity: ClassVar[float] = 0.90
    """Out-of-fold sensitivity that the threshold must reach."""
    prevalence: ClassVar[float] = 0.05
    """Share with the finding among the people it is meant for; the card's predictive values are for it."""
    novelty_quantile: ClassVar[float] = 0.98
    """Share of held-out training inputs whose distance lies below the novelty threshold."""
    checkpoints: ClassVar[tuple[int, ...]] = ()
    """Epochs whose weights the document kept, beside the best and the last."""

    @abstractmethod
    def options(self, mode: Mode) -> Options:
        """The document's settings (`faithful`), or ours (`sound`)."""

    def fit(self, examples: Examples, task: Task) -> export.Graph:
        """Train on all examples. By default a network in the common loop; estimators bring their own."""
        watch = Checkpoints(task.checkpoints, self.checkpoints) if task.checkpoints and self.checkpoints else None
        network = fit.fit(self, task.mode, task.options, examples, task.seed, task.on_epoch, watch, task.keep)
        return export.assemble(network, self.novelty(torch.from_numpy(examples.inputs)))

    def network(self, mode: Mode, inputs: Tensor) -> nn.Module:
        """An untrained network from float32 (n, *shape) to log-odds of the finding (n,).

        `inputs` are the training inputs, for a standardiser inside the network; never the targets.
        """
        raise NotImplementedError

    @abstractmethod
    def novelty(self, inputs: Tensor) -> NoveltyModel:
        """The out-of-distribution distance, fitted on training inputs (n, *shape)."""

    def augment(self, inputs: Tensor, mode: Mode) -> Tensor:
        """What training alone does to a batch (n, *shape); draws from torch's global generator."""
        del mode
        return inputs

    def variants(self) -> Mapping[str, Options]:
        """Other settings that the document tried, by name: a ladder to reproduce beside `options`."""
        return {}

    def target(self, row: Row) -> int | None:
        """1 with the finding, 0 without it, None when the row is not used."""
        if row.label in self.present:
            return 1
        return 0 if row.label in self.absent else None

    def initialisation(self) -> str:
        """Where the weights start, for the card."""
        return "random"


RecipeType = TypeVar("RecipeType", bound=type[Recipe])
_REGISTRY: dict[str, Recipe] = {}


def register(recipe: RecipeType) -> RecipeType:
    """Class decorator: make a recipe known under its name."""
    _REGISTRY[recipe.name] = recipe()
    return recipe


def recipes() -> dict[str, Recipe]:
    """All recipes by name: importing `recipes/` registers them."""
    _discover()
    return dict(sorted(_REGISTRY.items()))


def find(name: str) -> Recipe:
    """The recipe of this name. Raises NotFound."""
    known = recipes()
    if name not in known:
        raise NotFound(detail=f"There is no recipe {name}. There are: {', '.join(known)}.")
    return known[name]


def parameters(network: nn.Module) -> int:
    """Trainable parameters; those of a frozen base do not count."""
    return sum(weight.numel() for weight in network.parameters() if weight.requires_grad)


@cache
def _discover() -> None:
    from services.trainer import recipes as package

    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
