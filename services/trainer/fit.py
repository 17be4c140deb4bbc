"""The training loop: plain, seeded, the same numbers at every repetition with the same number of threads."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from services.trainer.backbones import Staged
from services.trainer.bottleneck import features, fingerprint
from services.trainer.prepared import Examples
from services.trainer.resume import Memory

if TYPE_CHECKING:
    from services.trainer.recipe import Mode, Options, Recipe

_FLOOR = 1e-6  # smallest learning rate of the plateau schedule (source document 000)


@dataclass(frozen=True)
class Epoch:
    """What the source documents logged per epoch, on the training draws: counts at a score of 0 and the mean loss.

    `seconds` it took; 0 when nobody measured.
    """

    number: int
    loss: float
    tp: int
    fp: int
    tn: int
    fn: int
    seconds: float = field(default=0.0, compare=False)

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return (self.tp + self.tn) / max(1, self.tp + self.fp + self.tn + self.fn)


def fit(
    recipe: "Recipe",
    mode: "Mode",
    options: "Options",
    examples: Examples,
    seed: int,
    on_epoch: Callable[[Epoch], None],
    on_network: Callable[[Sequence[Epoch], nn.Module], None] | None = None,
    keep: Path | None = None,
) -> nn.Module:
    """Train a new network on all examples and return it in evaluation mode, in float32.

    `on_network` sees all epochs so far and the network after each new one, for checkpoints; it must not change it.
    `keep` is a folder for what a fit that is killed takes up again: started with the same arguments it tells its past
    epochs again and ends with the same network, bit for bit on as many threads.
    """
    inputs = torch.from_numpy(examples.inputs)
    targets = torch.from_numpy(examples.targets).float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = recipe.network(mode, inputs)
        memory = Memory(keep, recipe.name, mode, asdict(options), seed, keep and fingerprint(network))
        learning, inputs = _learning(network, inputs)
        run = _Run(recipe, mode, options, learning)
        epochs = [Epoch(**values) for values in memory.recall(run)]
        for epoch in epochs:
            on_epoch(epoch)
        for number in range(len(epochs) + 1, options.epochs + 1):
            epochs.append(run.epoch(number, inputs, targets, _draw(examples, options)))
            if on_network is not None:
                on_network(epochs, network)
            memory.note(run, epochs)
            on_epoch(epochs[-1])
    return _whole(network, run.result()).eval()


def _learning(network: nn.Module, inputs: Tensor) -> tuple[nn.Module, Tensor]:
    """What learns, and from what: the network from its inputs, or a head from the features of its frozen base."""
    if isinstance(network, Staged) and network.still:
        return network.head, features(network.base, inputs)
    return network, inputs


def _whole(network: nn.Module, learnt: nn.Module) -> nn.Module:
    """What learnt, with the frozen base it belongs to."""
    if isinstance(network, Staged) and network.still:
        network.head = learnt
        return network
    return learnt


class _Run:
    """Optimiser, schedule and average of one fit."""

    def __init__(self, recipe: "Recipe", mode: "Mode", options: "Options", network: nn.Module) -> None:
        self.recipe, self.mode, self.options, self.network = recipe, mode, options, network
        decay = options.weight_decay
        self.optimiser: Optimizer = torch.optim.AdamW(network.parameters(), options.rate, weight_decay=decay)
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(self.optimiser, patience=3, min_lr=_FLOOR)
        self.cosine = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimiser, options.epochs)
        average = get_ema_multi_avg_fn(options.average)  # type: ignore[no-untyped-call]
        self.schedules: tuple[LRScheduler, ...] = (self.plateau, self.cosine)
        self.average = AveragedModel(network, multi_avg_fn=average, use_buffers=True) if options.average else None

    def epoch(self, number: int, inputs: Tensor, targets: Tensor, order: Tensor) -> Epoch:
        """One pass over the drawn places."""
        began = time.monotonic()
        self.network.train()
        total, answers = 0.0, [torch.zeros(0)]
        wanted = targets * (1 - self.options.smoothing) + self.options.smoothing / 2
        for places in _batches(order, self.options.batch):
            loss, scores = self._step(inputs[places].float(), wanted[places])
            total += loss * len(places)
            answers.append(scores)
        self._schedule(total)
        # Counted once an epoch: of a small network's step, counting took several per cent.
        scores = torch.cat(answers)
        tp, fp, tn, fn = _counts(scores, targets[order[: len(scores)]])
        return Epoch(number, total / max(1, len(scores)), tp, fp, tn, fn, time.monotonic() - began)

    def result(self) -> nn.Module:
        """The averaged network, or the last."""
        return self.network if self.average is None else self.average.module

    def _step(self, inputs: Tensor, targets: Tensor) -> tuple[float, Tensor]:
        if self.options.augment:
            inputs = self.recipe.augment(inputs, self.mode)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.options.half):
            scores = self.network(inputs).float()
        loss = functional.binary_cross_entropy_with_logits(scores, targets)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        if self.average is not None:
            self.average.update_parameters(self.network)
        return float(loss.detach()), scores.detach()

    def _schedule(self, loss: float) -> None:
        if self.options.schedule == "plateau":
            self.plateau.step(loss)
        elif self.options.schedule == "cosine":
            self.cosine.step()


def _draw(examples: Examples, options: "Options") -> Tensor:
    """The places of one epoch: a permutation, or as many draws, evenly over the classes or (source, class)."""
    if options.balance == "none":
        return torch.randperm(len(examples))
    if options.balance == "upsample":
        return _upsampled(torch.from_numpy(examples.targets))
    sources = examples.sources if options.balance == "source" else [""] * len(examples)
    groups = list(zip(sources, examples.targets.tolist(), strict=True))
    sizes = Counter(groups)
    weights = torch.tensor([1.0 / sizes[group] for group in groups])
    return torch.multinomial(weights, len(examples), replacement=True)


def _upsampled(targets: Tensor) -> Tensor:
    """All places in random order, those of the rarer class as often as they fit into the other class."""
    present, absent = torch.nonzero(targets == 1).flatten(), torch.nonzero(targets == 0).flatten()
    rare, common = sorted((present, absent), key=len)
    order = torch.cat([common, rare.repeat(max(1, len(common) // max(1, len(rare))))])
    return order[torch.randperm(len(order))]


def _batches(order: Tensor, size: int) -> Iterator[Tensor]:
    """Batches of at least two, because batch normalisation cannot do with one."""
    return (places for places in torch.split(order, size) if len(places) > 1)


def _counts(scores: Tensor, targets: Tensor) -> tuple[int, ...]:
    """(tp, fp, tn, fn) at a score of 0."""
    said, true = scores > 0, targets > 0.5
    return tuple(int(part.sum()) for part in (said & true, said & ~true, ~said & ~true, ~said & true))
