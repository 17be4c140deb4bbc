"""A tiny version of every recipe, trained once in a test session: the trainer's tests and the worker's share them."""

import csv
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from services.trainer import evaluate, prepared
from services.trainer.evaluate import Plan
from services.trainer.export import Graph
from services.trainer.recipe import Recipe, recipes
from services.trainer.train import Budget, Progress, train
from shared.decide import Verdict, decide
from shared.registry import Artefact, verify
from tests.unit.trainer.conftest import write_tiny
from tests.unit.trainer.economy import NETWORKS, UNTRAINED, spare

NAMES = tuple(name for name in recipes() if name not in UNTRAINED)
SEED = 3


@dataclass(frozen=True)
class Trained:
    """A sealed version, the recipe and the graph that it was made of, and the folder that it was trained on."""

    artefact: Artefact
    recipe: Recipe
    graph: Graph
    data: Path
    reports: list[Progress]

    def files(self) -> list[Path]:
        """The files of the folder, in the order of its index."""
        with (self.data / "index.csv").open(newline="") as stream:
            return [self.data / row["path"] for row in csv.DictReader(stream)]

    def verdict(self, file: Path) -> Verdict:
        """What the trainer's own graph and the card make of a file, without the exported graph and the worker."""
        tensor, facts = prepared.prepare_file(file, self.recipe.pipeline)
        with torch.inference_mode():
            score, distance = self.graph(torch.from_numpy(tensor)[None])
        return decide(self.artefact.card, float(score), float(distance), facts)


class Trainings:
    """Trains on the first request and remembers."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._made = folder, dict[str, Trained]()

    def __call__(self, name: str) -> Trained:
        """The tiny version of this recipe."""
        if name not in self._made:
            self._made[name] = self._train(name)
        return self._made[name]

    def _train(self, name: str) -> Trained:
        home, reports, graphs = self._folder / name.replace("/", "-"), list[Progress](), list[Graph]()
        threads = torch.get_num_threads()
        with pytest.MonkeyPatch.context() as patch:
            spare(name, home, patch)
            _remember(graphs, patch)
            recipe = recipes()[name]
            data = self._data(recipe.modality)
            out = train(
                name, data, home / "version", seed=SEED, name=f"tiny-{name.rpartition('/')[2]}", budget=budget(name),
                cache=self._folder / "cache", on_progress=reports.append,
            )  # fmt: skip
        torch.set_num_threads(threads)
        return Trained(verify(out), recipe, graphs[-1], data, reports)

    def _data(self, modality: str) -> Path:
        folder = self._folder / modality
        return folder if folder.is_dir() else write_tiny(folder, modality)


def budget(name: str) -> Budget:
    """Two steps of a network; classifiers take what they take."""
    return Budget(epochs=2 if name in {"chest_xray/cnn", *NETWORKS} else 6, folds=2, threads=1, nice=0)


def _remember(graphs: list[Graph], patch: pytest.MonkeyPatch) -> None:
    """Keep every graph that is trained; the last one is the version."""
    original = evaluate.train_graph

    def remembering(plan: Plan, examples: prepared.Examples, stage: str) -> Graph:
        graphs.append(original(plan, examples, stage))
        return graphs[-1]

    patch.setattr(evaluate, "train_graph", remembering)
