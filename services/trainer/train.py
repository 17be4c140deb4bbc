"""The one entry: from a folder of labelled files to a sealed version."""

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import psutil
import torch

from services.trainer import (
    datasets,
    evaluate,
    export,
    gates,
    generated,
    kept,
    prepared,
    repeats,
    spectrograms,
    twins,
    views,
    ways,
)
from services.trainer.alone import FEW
from services.trainer.card import Made, make_card, make_notice
from services.trainer.datasets import Dataset
from services.trainer.evaluate import FINAL, Judgement, OutOfFold, Plan
from services.trainer.fit import Epoch
from services.trainer.gates import Vouched
from services.trainer.prepared import Examples
from services.trainer.recipe import Mode, Recipe, find
from services.trainer.twins import Joined
from services.trainer.unseen import unseen
from shared import registry, runtimes
from shared.errors import Conflict
from shared.schemas import Card, Interval, Repeated, RuntimeContract
from shared.settings import Settings


@dataclass(frozen=True)
class Budget:
    """What a run may take. None keeps the recipe's number; `nice` lowers the process's priority for good.

    Without a number of folds, each of fewer than 40 patients is held out alone. `repeats`: over so many splits the
    AUROC is told; None chooses by the size of the data.
    """

    epochs: int | None = None
    folds: int | None = None
    repeats: int | None = None
    threads: int = 2
    nice: int = 10


@dataclass(frozen=True)
class Progress:
    """Where a run is: `stage` is "preparing", "fold 1/5", "without SOURCE", "all patients" or "publishing".

    `done` and `total` count files while preparing, else epochs over the whole run; `seconds_left` is None until the
    first epoch has ended. A run that goes on after a kill tells its past epochs again first.
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
    keep: Path | None = None,
    checkpoints: Path | None = None,
    on_progress: Callable[[Progress], None] = silent,
    trust_labels: bool = False,
) -> Path:
    """Train, evaluate, export and seal one version into the folder `out`, and return it.

    `exclude` names sources that are not trained on; the card says how the version answers for them. `cache` holds
    prepared tensors (THORACLE_HOME/cache when None). `keep` is a folder that this run may use for itself (one within
    `cache` when None): killed and called again, it goes on from there, with the same figures in the end; it is removed
    at the end. `checkpoints` is a folder for the weights that a recipe declares worth keeping. `trust_labels` sets the
    gates on labels aside; the card says so.
    An earlier version in `out` is replaced; anything else there is refused (Conflict). Raises NotFound (recipe),
    BadRequest (data) and VersionInvalid (a gate refused to publish; its code says which); then `out` is as it was.
    """
    _refuse_strangers(out)
    limits, report, everything = budget or Budget(), _Reporter(on_progress), datasets.read(data)
    recipe = spectrograms.reading(find(recipe_name), everything)
    lower_priority(limits, recipe.options(mode).threads)
    gates.undivided(everything)
    dataset = everything.where(lambda row: row.source not in exclude)
    others = everything.where(lambda row: row.source in exclude and recipe.target(row) is not None)
    examples = prepared.load(dataset, recipe.pipeline, recipe.target, cache or _cache(), report.preparing)
    examples, unfit = views.fitting(examples, recipe, mode)
    joined = twins.join(examples, recipe.modality, cache or _cache(), report.preparing)
    unused = prepared.load(others, recipe.pipeline, recipe.target, cache or _cache()) if others.rows else None
    plan = _plan(recipe, mode, seed, limits, report, len(set(joined.examples.patients)))
    times = repeats.times(plan, joined.examples, limits.repeats)
    report.total = plan.options.epochs * (plan.options.folds * times + 1 + len(evaluate.mixed(examples)))
    memory = keep or _memory(cache or _cache(), plan, dataset.fingerprint)
    plan = replace(plan, keep=memory, checkpoints=checkpoints)
    run = _Run(plan, joined, name or f"{mode}-{seed}-{dataset.fingerprint[:8]}", dataset.fingerprint, unused)
    said = (*spectrograms.independence(dataset), *unfit)
    learnt = run.learn(_vouched(recipe, everything, trust_labels), times, said)
    # Made as late as possible: whoever kills a long training leaves no scratch folder behind.
    with tempfile.TemporaryDirectory(dir=_parent(out), prefix=".training-") as scratch:
        staged = Path(scratch) / "version"
        staged.mkdir()
        run.publish(learnt, staged, report.spent)
        _replace(staged, out)
    shutil.rmtree(memory, ignore_errors=True)
    return out


def lower_priority(budget: Budget, threads: int) -> None:
    """Give way to inference on the same machine; no more than `threads`."""
    torch.set_num_threads(min(budget.threads, threads))
    process = psutil.Process()
    if budget.nice > process.nice():
        process.nice(budget.nice)


@dataclass(frozen=True)
class _Learnt:
    held: OutOfFold
    judgement: Judgement
    across: dict[str, Interval]
    graph: export.Graph
    repeated: Repeated | None
    notes: tuple[str, ...]


class _Run:
    """One training run: folds, other sources, the version itself, publishing."""

    def __init__(self, plan: Plan, joined: Joined, name: str, fingerprint: str, others: Examples | None) -> None:
        self.plan, self.examples, self.name, self.fingerprint = plan, joined.examples, name, fingerprint
        self.others, self.joined = others, joined
        self.runtime = RuntimeContract(engine=plan.recipe.engine)  # until the ways are judged
        self.started = time.monotonic()

    def learn(self, vouched: Vouched, times: int, said: tuple[str, ...] = ()) -> _Learnt:
        """Everything that takes long: folds, other sources, the network itself. Gates refuse as early as they can."""
        held = evaluate.out_of_fold(self.plan, self.examples)
        gates.apart(self.examples, held.splits)
        judgement = evaluate.judge(self.plan, self.examples, held)
        gates.judged(judgement.metrics, vouched)
        repeated = repeats.repeated(self.plan, self.examples, judgement.metrics.auroc.value, times)
        across = evaluate.across_sources(self.plan, self.examples)
        graph = evaluate.train_graph(self.plan, self.examples, FINAL)
        return _Learnt(held, judgement, across, graph, repeated, (*said, *vouched.sentences))

    def publish(self, learnt: _Learnt, folder: Path, spent: float) -> None:
        """Write a sealed version into an empty folder and load it as a worker would.

        `spent`: seconds of all epochs, those before a kill too.
        """
        recipe, graph = self.plan.recipe, learnt.graph
        model = folder / "model.onnx"
        export.write(graph, recipe.shape, model)
        gates.storable(model)
        export.prove_parity(graph, self.examples.inputs, self._serve(model, self.examples.inputs))
        golden = generated.golden(recipe.modality, recipe.pipeline)
        np.save(folder / "golden.npy", golden.astype(np.float16), allow_pickle=False)
        exact = self._serve(model, golden)
        gates.finite(exact)
        losses = evaluate.losses(self.examples, learnt.held, learnt.judgement)
        graphs = {name: ways.graph_in(name, model, self.examples.inputs, folder.parent) for name in ("f32", *losses)}
        self.runtime = ways.contract(graphs, recipe.engine, losses, golden, self.plan.threads)
        graphs[self.runtime.precision].replace(model)
        answers, judgement = self._serve(model, golden), self._judgement(learnt)
        gates.finite(answers)
        made = Made(
            name=self.name,
            fingerprint=self.fingerprint,
            seconds=max(spent, time.monotonic() - self.started),
            parameters=graph.size,
            runtime=self.runtime,
            golden=answers,
            tolerance=ways.tolerance(self.runtime, exact, np.stack(answers)),
            junk_referred=self._refer_junk(model, judgement),
            across=learnt.across,
            repeated=learnt.repeated,
            unseen=unseen(lambda inputs: self._serve(model, inputs), judgement, self.others) if self.others else (),
            notes=(*self.joined.sentences, *learnt.notes),
        )
        self._seal(folder, make_card(self.plan, self.examples, judgement, made))

    def _judgement(self, learnt: _Learnt) -> Judgement:
        """All figures in the precision that serves."""
        if self.runtime.precision == "f32":
            return learnt.judgement
        return evaluate.judge(self.plan, self.examples, learnt.held.computed(self.runtime.precision))

    def _serve(self, model: Path, inputs: export.Floats) -> tuple[export.Floats, export.Floats]:
        return export.run(model, self.runtime.engine, self.runtime.precision, inputs, self.plan.threads)

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
        self.tell, self.total, self.done, self.spent = on_progress, 1, 0, 0.0
        self.last = time.monotonic()

    def preparing(self, done: int, total: int) -> None:
        """One more file was read."""
        self.tell(Progress("preparing", done, total))
        self.last = time.monotonic()

    def epoch(self, stage: str, epoch: Epoch) -> None:
        """One more epoch has ended, now or, when it is told again, before the kill."""
        now = time.monotonic()
        self.spent += epoch.seconds or now - self.last
        self.last, self.done = now, self.done + 1
        self.total = max(self.total, self.done)
        left = self.spent / self.done * (self.total - self.done)
        self.tell(Progress(stage, self.done, self.total, epoch, left))


def _plan(recipe: Recipe, mode: Mode, seed: int, budget: Budget, report: _Reporter, patients: int) -> Plan:
    options, alone = recipe.options(mode), budget.folds is None and patients < FEW
    folds = patients if alone else budget.folds or options.folds
    options = replace(options, epochs=budget.epochs or options.epochs, folds=folds)
    precisions = ways.beside_f32(recipe.engine)
    return Plan(recipe, mode, options, seed, budget.threads, report.epoch, precisions=precisions, alone=alone)


def _memory(cache: Path, plan: Plan, fingerprint: str) -> Path:
    """Where a run of these arguments keeps what it would take up again."""
    return cache / "runs" / kept.digest([plan.recipe.name, plan.mode, asdict(plan.options), plan.seed, fingerprint])


def _cache() -> Path:
    return Settings().home / "cache" / "prepared"


def _vouched(recipe: Recipe, dataset: Dataset, trusted: bool) -> Vouched:
    """What the starter version of this modality says of the labels; its figures count for its own recipe only."""
    folder = Path(registry.__file__).parent / "starter" / recipe.modality
    if not (folder / registry.MANIFEST).is_file():
        return Vouched(trusted=trusted)
    card = registry.verify(folder).card
    return Vouched(card if card.recipe == recipe.name else None, gates.known(dataset, card), trusted)


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
