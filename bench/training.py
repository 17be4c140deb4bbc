"""`python -m bench.training`: seconds an epoch of the trainer's loop, against a bare PyTorch loop of the same network.

Same rows, batches, optimiser and arithmetic. The trainer also counts right answers, keeps its state for a kill and
tells of each epoch, as it does in service; the bare loop adds up its loss.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.record import Claim, at_most, figure, tell
from services.trainer.datasets import Row
from services.trainer.fit import fit
from services.trainer.prepared import Examples
from services.trainer.recipe import Options, Recipe, find

# Rows and epochs so that one fit takes some seconds. No augmentation: it would be the same work on both sides.
CASES = {"cough/mlp": (1024, 12), "lung_sound/cnn3": (512, 4), "chest_xray/cnn": (32, 3)}
ROUNDS = 7


def main() -> None:
    """Measure and write bench/results/training.json."""
    tell("training", [claim for name, (rows, epochs) in CASES.items() for claim in _case(find(name), rows, epochs)])


def _case(recipe: Recipe, rows: int, epochs: int) -> list[Claim]:
    options = replace(recipe.options("faithful"), epochs=epochs, augment=False, balance="none", schedule="constant")
    torch.set_num_threads(options.threads)  # as the trainer does: small networks are slower on two
    examples = _examples(recipe, rows)
    _ours(recipe, options, examples)
    _bare(recipe, options, examples)
    pairs = [(_ours(recipe, options, examples), _bare(recipe, options, examples)) for _ in range(ROUNDS)]
    said = f"{recipe.name}, {rows} rows in batches of {options.batch}"
    return [
        at_most(f"Trainer over bare loop: {said}", [ours / bare for ours, bare in pairs], "times", 1.05),
        figure(f"Trainer: {recipe.name}", [ours for ours, _ in pairs], "s an epoch"),
        figure(f"Bare loop: {recipe.name}", [bare for _, bare in pairs], "s an epoch"),
    ]


def _examples(recipe: Recipe, rows: int) -> Examples:
    generator = np.random.default_rng(7)
    inputs = generator.random((rows, *recipe.shape), dtype=np.float32)
    row = Row(Path("x"), "present", "patient", "source", "0" * 64)
    return Examples((row,) * rows, inputs, np.arange(rows) % 2, ({},) * rows, {})


def _ours(recipe: Recipe, options: Options, examples: Examples) -> float:
    ends: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        fit(recipe, "faithful", options, examples, 7, lambda _: ends.append(time.perf_counter()), keep=Path(folder))
    return _each(ends)


def _bare(recipe: Recipe, options: Options, examples: Examples) -> float:
    torch.manual_seed(7)
    inputs, targets = torch.from_numpy(examples.inputs), torch.from_numpy(examples.targets).float()
    network = recipe.network("faithful", inputs).train()
    optimiser = torch.optim.AdamW(network.parameters(), options.rate, weight_decay=options.weight_decay)
    ends = []
    for _ in range(options.epochs):
        total = 0.0
        for places in torch.split(torch.randperm(len(inputs)), options.batch):
            total += _step(network, optimiser, inputs[places], targets[places], half=options.half) * len(places)
        ends.append(time.perf_counter())
    return _each(ends)


def _each(ends: list[float]) -> float:
    """Seconds an epoch from the ends of all; the first one, which warms up, does not count."""
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def _step(network: nn.Module, optimiser: torch.optim.AdamW, inputs: Tensor, targets: Tensor, *, half: bool) -> float:
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        scores = network(inputs).float()
    loss = functional.binary_cross_entropy_with_logits(scores, targets)
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return loss.item()


if __name__ == "__main__":
    main()
