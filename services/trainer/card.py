"""The card and the notice of a version, put together from the recipe, the data and what was measured."""

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from services.trainer.evaluate import Judgement, Plan
from services.trainer.prepared import Examples
from services.trainer.sources import ages_seen, known
from services.trainer.unseen import Unseen
from shared import schemas
from shared.schemas import Card, Interval, Metrics

_LIBRARIES = ("torch", "onnx", "onnxruntime", "openvino", "librosa", "numpy", "scikit-learn", "pillow", "soxr")
_CREDITS = {  # whose weights a version began with, by a word of `training.initialisation`
    "ImageNet": "torchvision's, BSD-3-Clause",
    "AudioSet": "Google's, Apache-2.0",
}
_USE = "Research use only, not for diagnosis. It supports a clinician who looks at the study; it replaces nobody."


@dataclass(frozen=True)
class Made:
    """What the training of one version left behind, besides the graph."""

    name: str
    fingerprint: str
    seconds: float
    parameters: int
    runtime: schemas.RuntimeContract
    golden: tuple[NDArray[np.float32], NDArray[np.float32]]
    tolerance: float
    junk_referred: tuple[int, int]
    across: Mapping[str, Interval]
    repeated: schemas.Repeated | None = None
    unseen: Sequence[Unseen] = ()
    notes: Sequence[str] = ()


def make_card(plan: Plan, examples: Examples, judgement: Judgement, made: Made) -> Card:
    """The version's own description."""
    recipe = plan.recipe
    return Card(
        modality=recipe.modality,
        finding=recipe.finding,
        recipe=recipe.name,
        name=made.name,
        labels=recipe.labels,
        input=recipe.input,
        pipeline=list(recipe.pipeline),
        tensor=schemas.TensorContract(shape=list(recipe.shape)),
        runtime=made.runtime,
        calibration=judgement.calibration,
        threshold=judgement.threshold,
        operating_point=judgement.operating_point,
        novelty=judgement.novelty,
        population=_population(plan, examples),
        metrics=_metrics(judgement.metrics, made),
        data=_lineage(examples, made.fingerprint),
        training=_training(plan, made),
        golden=_golden(made),
        intended_use=_USE,
        warning=_warning(judgement.metrics),
        limits=_limits(plan, examples, judgement, made),
        notice=" ".join(_attributions(examples)),
    )


def make_notice(card: Card, examples: Examples) -> str:
    """NOTICE.md: whose data and weights a version was made of, under which licences, and what was changed."""
    lines = [f"# {card.recipe}, version {card.name}", "", card.intended_use, "", "Trained on:", ""]
    for figures in card.metrics.per_source:
        source = known(figures.source)
        lines.append(f"- `{figures.source}` ({figures.n} files): {source.attribution}. Licence: {source.licence}.")
    changes = ", ".join(step.transform for step in card.pipeline)
    lines += ["", f"Changes: files were read into numbers ({changes}); no file is contained in this version."]
    start = card.training.initialisation
    lines += [f"\nIt began with {start}: {credit}." for word, credit in _CREDITS.items() if word in start]
    if any(known(name).licence == "GPL-3.0" for name in examples.sources):
        lines += [
            "",
            "The GPL-3.0 data come from <https://github.com/SJTU-YONGFU-RESEARCH-GRP/SPRSound>; this version's ",
        ]
        lines[-1] += "training code and data reference are in the repository that it was published in."
    lines += ["", "The golden samples are generated; no patient made them.", ""]
    return "\n".join(lines)


def _metrics(measured: Metrics, made: Made) -> Metrics:
    if measured.detail is None:
        return measured
    return measured.model_copy(update={"detail": measured.detail.model_copy(update={"repeated": made.repeated})})


def _population(plan: Plan, examples: Examples) -> schemas.Population:
    with_finding = {row.source for row, target in zip(examples.rows, examples.targets, strict=True) if target}
    without = {row.source for row, target in zip(examples.rows, examples.targets, strict=True) if not target}
    ages = plan.recipe.population.age_years or ages_seen(with_finding, without)
    return plan.recipe.population.model_copy(update={"age_years": ages})


def _lineage(examples: Examples, fingerprint: str) -> schemas.DataLineage:
    return schemas.DataLineage(
        fingerprint=fingerprint,
        n=len(examples),
        patients=len(set(examples.patients)),
        positives=int(examples.targets.sum()),
        sources=sorted(set(examples.sources)),
    )


def _training(plan: Plan, made: Made) -> schemas.Training:
    return schemas.Training(
        seed=plan.seed,
        epochs=plan.options.epochs,
        seconds=round(made.seconds, 1),
        mode=plan.mode,
        initialisation=plan.recipe.initialisation(),
        parameters=made.parameters,
        trained_at=datetime.now(UTC),
        libraries={name: importlib.metadata.version(name) for name in _LIBRARIES},
    )


def _golden(made: Made) -> schemas.Golden:
    scores, distances = made.golden
    return schemas.Golden(
        file="golden.npy",
        scores=[float(score) for score in scores],
        distances=[float(distance) for distance in distances],
        tolerance=made.tolerance,
    )


def _warning(figures: Metrics) -> str | None:
    """The first sentence of a card whose model does no better than a shortcut."""
    shortcuts = [f"{c.name} {c.auroc.value:.2f}" for c in figures.controls if c.auroc.value >= figures.auroc.low]
    if not shortcuts:
        return None
    return (
        "The figures are not evidence that disease is recognised: trivial readings of the files do as well as the "
        f"model (AUROC: model {figures.auroc.value:.2f}; {', '.join(shortcuts)})."
    )


def _limits(plan: Plan, examples: Examples, judgement: Judgement, made: Made) -> list[str]:
    sources = [f"{name}: {known(name).caveat}." for name in sorted(set(examples.sources))]
    lost = [
        f"Trained without the collection {name}, AUROC there is {area.value:.2f} ({area.low:.2f} to {area.high:.2f}): "
        "expect no more on recordings from elsewhere."
        for name, area in made.across.items()
    ]
    referred, tried = made.junk_referred
    return [
        *plan.recipe.limits,
        *sources,
        *_link(examples),
        *lost,
        *(found.sentence for found in made.unseen),
        *made.notes,
        f"The threshold flags at least {plan.recipe.sensitivity:.0%} of the positives out of fold, over all sources "
        "together; on a source that is not listed it is untested.",
        f"Of {tried} generated inputs that are no study of this kind (noise, pictures, music, ...) {referred} were "
        f"referred or rejected; about {1 - judgement.novelty.quantile:.0%} of fitting inputs are referred as well.",
    ]


def _link(examples: Examples) -> list[str]:
    """A sentence when sources hold one class only."""
    labels: dict[str, set[int]] = {}
    for row, target in zip(examples.rows, examples.targets, strict=True):
        labels.setdefault(row.source, set()).add(int(target))
    single = sorted(name for name, found in labels.items() if len(found) == 1)
    if not single:
        return []
    return [f"Class and source are linked (one class only in: {', '.join(single)}), so pooled figures flatter."]


def _attributions(examples: Examples) -> list[str]:
    return [f"{known(name).attribution}." for name in sorted(set(examples.sources))]
