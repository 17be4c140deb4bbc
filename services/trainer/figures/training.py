"""How a training went: loss, accuracy and the four counts per epoch, as the source documents logged them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from services.trainer.figures.canvas import COLOURS, DASHES, WITH, WITHOUT, label, legend_below, page


class EpochLike(Protocol):
    """What is drawn of an epoch (`services.trainer.fit.Epoch` is one)."""

    @property
    def number(self) -> int: ...
    @property
    def loss(self) -> float: ...
    @property
    def accuracy(self) -> float: ...
    @property
    def tp(self) -> int: ...
    @property
    def fp(self) -> int: ...
    @property
    def tn(self) -> int: ...
    @property
    def fn(self) -> int: ...


Stages = Mapping[str, Sequence[EpochLike]]


def loss_and_accuracy(stages: Stages) -> str:
    """Two panels over epochs, one line a stage (fold, all patients), on the training draws."""
    ends = [f"{name} ended at loss {run[-1].loss:.3f}, accuracy {run[-1].accuracy:.2f}" for name, run in stages.items()]
    with page("Training curves. " + "; ".join(ends), 1, 2, (11, 4.6)) as made:
        for place, (name, run) in enumerate(stages.items()):
            colour, dash = COLOURS[place % len(COLOURS)], DASHES[place % len(DASHES)]
            numbers = [epoch.number for epoch in run]
            made.at(0, 0).plot(numbers, [epoch.loss for epoch in run], color=colour, linestyle=dash, label=name)
            made.at(0, 1).plot(numbers, [epoch.accuracy for epoch in run], color=colour, linestyle=dash)
        made.at(0, 0).set_ylim(bottom=0)
        made.at(0, 1).set_ylim(0, 1.02)
        label(made.at(0, 0), "Loss", "epoch", "mean cross-entropy")
        label(made.at(0, 1), "Accuracy on the training draws", "epoch", "share right")
        legend_below(made.at(0, 0), 3)
    return made.svg()


def counts(name: str, run: Sequence[EpochLike]) -> str:
    """TP, FP, TN and FN of one stage per epoch, at a score of 0, on the training draws."""
    last = run[-1]
    says = f"{name}: after epoch {last.number} TP {last.tp}, FP {last.fp}, TN {last.tn}, FN {last.fn}"
    lines = (("TP", WITH, "-"), ("FN", WITH, "--"), ("TN", WITHOUT, "-"), ("FP", WITHOUT, "--"))
    with page(says, size=(6, 4.4)) as made:
        axes = made.at()
        for word, colour, dash in lines:
            values = [getattr(epoch, word.lower()) for epoch in run]
            axes.plot([epoch.number for epoch in run], values, color=colour, linestyle=dash, label=word)
        axes.set_ylim(bottom=0)
        label(axes, name, "epoch", "training draws")
        legend_below(axes, 4)
    return made.svg()
