"""The one entry: from a folder of labelled files to a sealed version."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil
import torch

from services.trainer import datasets, evaluate, export, generated, prepared
from services.trainer.card import Made, make_card, make_notice
from services.trainer.evaluate import Judgement, Plan
from services.trainer.fit import Epoch
from services.trainer.prepared import Examples
from services.trainer.recipe import Mode, Recipe, find
from services.trainer.unseen import unseen
from shared import registry, runtimes
from shared.errors import Conflict
from shared.schemas import Card, Interval
from shared.settings import Settings


@dataclass(frozen=True)
class Budget:
    """What a run may take. None keeps the recipe's number; `nice` lowers the process's priority for good."""

    epochs: int | None = None
    folds: int | None = None
    threads: int = 2
    nice: int = 10


@dataclass(frozen=True)
class Progress:
    """Where a run is: `stage` is "preparing", "fold 1/5", "without SOURCE", "all patients" or "publishing".

    `done` and `total` count files while preparing, else epochs over the whole run; `seconds_left` is None until the
    first epoch has ended.
    """

    stage: str
    done: int
    total: int
    epoch: Epoch | None = None
    seconds_left: float | None = None


def silent(_: Progress) -> None:
    """Report nothing."""


def train(
    recipe_name: str,
    data: Path,
    out: Path,
    *,
    mode: Mode = "sound",
    seed: int = 7,
    name: str = "",
    exclude: frozenset[str] = frozenset(),
    budget: Budget | None = None,
    cache: Path | None = None,
    on_progress: Callable[[Progress], None] = silent,
) -> Path:
    """Train, evaluate, export and seal one version into the folder `out`, and return it.

    `exclude` names sources that are not trained on; the card says how the version answers for them. `cache` holds
    prepared tensors (THORACLE_HOME/cache when None).
    An earlier version in `out` is replaced; anything else there is refused (Conflict). Raises NotFound (recipe),
    BadRequest (data) and VersionInvalid (a gate refused to publish); then `out` is as it was.
    """
    recipe, limits = find(recipe_name), budget or Budget()
    _refuse_strangers(out)
    lower_priority(limits, recipe.options(mode).threads)
    report, everything = _Reporter(on_progress), datasets.read(data)
    dataset = everything.where(lambda row: row.source not in exclude)
    others = everything.where(lambda row: row.source in exclude and recipe.target(row) is not None)
    examples = prepared.load(dataset, recipe.pipeline, recipe.target, cache or _cache(), report.preparing)
    unused = prepared.load(others, recipe.pipeline, recipe.target, cache or _cache()) if others.rows else None
    plan = _plan(recipe, mode, seed, limits, report, (cache or _cache()) / "runs")
    run = _Run(plan, examples, name or f"{mode}-{seed}-{dataset.fingerprint[:8]}", dataset.fingerprint, unused)
    learnt = run.learn()
    # Made as late as possible: whoever kills a long training leaves no scratch folder behind.
    with tempfile.TemporaryDirectory(dir=_parent(out), prefix=".training-") as scratch:
        staged = Path(scratch) / "version"
        staged.mkdir()
        run.publish(learnt, staged)
        _replace(staged, out)
    return out


def lower_priority(budget: Budget, threads: int) -> None:
    """Give way to inference on the same machine; no more than `threads`."""
    torch.set_num_threads(min(budget.threads, threads))
    process = psutil.Process()
    if budget.nice > process.nice():
        process.nice(budget.nice)


@dataclass(frozen=True)
class _Learnt:
    judgement: Judgement
    across: dict[str, Interval]
    graph: export.Graph


class _Run:
    """One training run: folds, other sources, the version itself, publishing."""

    def __init__(self, plan: Plan, examples: Examples, name: str, fingerprint: str, others: Examples | None) -> None:
        self.plan, self.examples, self.name, self.fingerprint = plan, examples, name, fingerprint
        self.others = others
        self.started = time.monotonic()

    def learn(self) -> _Learnt:
        """Everything that takes long: folds, other sources, the network itself."""
        held = evaluate.out_of_fold(self.plan, self.examples)
        judgement = evaluate.judge(self.plan, self.examples, held)
        across = evaluate.across_sources(self.plan, self.examples)
        return _Learnt(judgement, across, evaluate.train_graph(self.plan, self.examples, "all patients"))

    def publish(self, learnt: _Learnt, folder: Path) -> None:
        """Write a sealed version into an empty folder and load it as a worker would."""
        judgement, graph = learnt.judgement, learnt.graph
        model = folder / "model.onnx"
        export.write(graph, self.plan.recipe.shape, model)
        export.prove_parity(graph, self.examples.inputs, self._serve(model, self.examples.inputs))
        golden = generated.golden(self.plan.recipe.modality, self.plan.recipe.pipeline)
        np.save(folder / "golden.npy", golden.astype(np.float16), allow_pickle=False)
        made = Made(
            name=self.name,
            fingerprint=self.fingerprint,
            seconds=time.monotonic() - self.started,
            parameters=graph.size,
            golden=self._serve(model, golden),
            junk_referred=self._refer_junk(model, judgement),
            across=learnt.across,
            unseen=unseen(lambda inputs: self._serve(model, inputs), judgement, self.others) if self.others else (),
        )
        self._seal(folder, make_card(self.plan, self.examples, judgement, made))

    def _serve(self, model: Path, inputs: export.Floats) -> tuple[export.Floats, export.Floats]:
        return export.run(model, self.plan.recipe.engine, "f32", inputs, self.plan.threads)

    def _refer_junk(self, model: Path, judgement: Judgement) -> tuple[int, int]:
        """How many generated non-studies are referred or rejected, of how many."""
        inputs, rejected = generated.junk(self.plan.recipe.modality, self.plan.recipe.pipeline)
        _, distances = self._serve(model, inputs)
        return int((distances > judgement.novelty.threshold).sum()) + rejected, len(inputs) + rejected

    def _seal(self, folder: Path, card: Card) -> None:
        (folder / "card.json").write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
        (folder / "NOTICE.md").write_text(make_notice(card, self.examples), encoding="utf-8")
        registry.seal(folder)
        runtimes.load(registry.verify(folder), self.plan.threads)


class _Reporter:
    """Turns epochs of many fits into one run with a time left."""

    def __init__(self, on_progress: Callable[[Progress], None]) -> None:
        self.tell, self.total, self.done = on_progress, 1, 0
        self.started = time.monotonic()

    def preparing(self, done: int, total: int) -> None:
        """One more file was read."""
        self.tell(Progress("preparing", done, total))
        self.started = time.monotonic()

    def epoch(self, stage: str, epoch: Epoch) -> None:
        """One more epoch has ended."""
        self.done += 1
        self.total = max(self.total, self.done)
        left = (time.monotonic() - self.started) / self.done * (self.total - self.done)
        self.tell(Progress(stage, self.done, self.total, epoch, left))


def _plan(recipe: Recipe, mode: Mode, seed: int, budget: Budget, report: _Reporter, keep: Path) -> Plan:
    options = recipe.options(mode)
    options = replace(options, epochs=budget.epochs or options.epochs, folds=budget.folds or options.folds)
    report.total = options.epochs * (options.folds + 1)
    return Plan(recipe, mode, options, seed, budget.threads, report.epoch, keep)


def _cache() -> Path:
    return Settings().home / "cache" / "prepared"


def _parent(out: Path) -> Path:
    out.parent.mkdir(parents=True, exist_ok=True)
    return out.parent


def _refuse_strangers(out: Path) -> None:
    if out.exists() and (
        not out.is_dir() or {file.name for file in out.iterdir()} - {*registry.FILES, registry.MANIFEST}
    ):
        raise Conflict(detail="The output folder holds something else than a version. Name an empty one.")


def _replace(staged: Path, out: Path) -> None:
    if out.exists():
        for file in out.iterdir():
            file.unlink()
        out.rmdir()
    staged.rename(out)
