"""docs/results.md: all recipes of a modality under one protocol, per source, beside the shortcut controls."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from services.trainer.apart import Apart
from services.trainer.documents import documented
from services.trainer.figures.forest import Line, forest
from services.trainer.reports.markdown import NONE, WRITTEN, best_control, passes, spread, table
from services.trainer.reproduce import FOLDS, SEED, Record
from services.trainer.sources import known, not_shippable
from services.trainer.starters import STARTERS
from services.trainer.weights import RANDOM
from shared.schemas import Control, SourceFigures

_TITLES = {"cough": "Coughs", "lung_sound": "Lung sounds", "chest_xray": "Chest X-rays"}
_CLOSED = ", ".join(sorted(f"{name} ({known(name).licence})" for name in not_shippable()))
_PROTOCOL = (
    f"One protocol for every recipe: {FOLDS}-fold cross-validation grouped by patient, stratified by source and label, "
    f"seed {SEED}, repaired (sound) mode; every figure out of fold; calibration and threshold (for 90 % sensitivity) "
    "from the other folds; intervals are 95 %, bootstrap over patients for AUROC, Wilson for rates. Trained on the "
    f"sources whose licence allows a version to be given away; {_CLOSED} are never trained on here and serve as other "
    "collections. ≥ marks a shortcut control that reaches the model's interval: then the AUROC is no evidence that "
    "disease is recognised. Seconds are of the clock, on a machine that did other work too. How a starter is chosen is "
    "told in [architecture](architecture.md#starter-versions).",
)


def results(records: Sequence[Record]) -> str:
    """All recipes of a modality under one protocol."""
    lines = ["# Results", "", WRITTEN, "", *_PROTOCOL, ""]
    for modality, rows in _by_modality(records).items():
        lines += [f"## {_TITLES[modality]}", "", *_overview(rows), ""]
        lines += [f"![AUROC with intervals](pictures/results-{modality}.svg)", "", *_per_source(rows), ""]
        lines += [*_elsewhere(rows), "", *_shortcuts(rows), ""]
    return "\n".join(lines)


def pictures(records: Sequence[Record]) -> dict[str, str]:
    """The SVG of each modality by the name of its file."""
    return {f"results-{modality}.svg": forest(_lines(rows)) for modality, rows in _by_modality(records).items()}


def _overview(rows: list[tuple[str, Apart]]) -> list[str]:
    columns = (
        "recipe",
        "from",
        "files",
        "AUROC",
        "sensitivity",
        "specificity",
        "Brier",
        "best control",
        "epochs",
        "seconds",
    )
    starters = {recipe for recipe, _ in STARTERS.values()}
    made = []
    for recipe, found in rows:
        control = best_control(found)
        rates = (found.sensitivity, found.specificity)
        made.append((
            f"**{recipe}** (starter)" if recipe in starters else recipe,
            "a document" if documented(recipe) else "ours",
            found.n,
            spread(found.auroc),
            *(spread(rate) if rate else "refused" for rate in rates),
            f"{found.brier:.3f}" if found.brier is not None else NONE,
            f"{'≥ ' if control.auroc.value >= found.auroc.low else ''}{control.name} {control.auroc.value:.2f}",
            passes(found.epochs),
            f"{found.seconds:.0f}",
        ))  # fmt: skip
    note = [f"`{recipe}`: {found.initialisation}." for recipe, found in rows if found.initialisation == RANDOM]
    first = max((found for _, found in rows), key=lambda found: found.n)
    head = (
        f"{first.n} files of {first.patients} patients, {first.positives} with the finding: {', '.join(first.sources)}."
    )
    return [head, "", *table(columns, made), *(["", " ".join(note)] if note else [])]


def _per_source(rows: list[tuple[str, Apart]]) -> list[str]:
    names = [figures.source for figures in next((found.per_source for _, found in rows if found.per_source), [])]
    made = []
    for recipe, found in rows:
        figures = {part.source: part for part in found.per_source or ()}
        made.append((recipe, *(_source(figures.get(name)) for name in names)))
    head = "Per source, out of fold: AUROC where it holds both classes, else sensitivity or specificity."
    return [head, "", *table(("recipe", *names), made)]


def _source(figures: SourceFigures | None) -> str:
    if figures is None:
        return NONE
    for word, value in (
        ("", figures.auroc),
        ("sensitivity ", figures.sensitivity),
        ("specificity ", figures.specificity),
    ):
        if value:
            return f"{word}{spread(value)}"
    return NONE


def _elsewhere(rows: list[tuple[str, Apart]]) -> list[str]:
    parts = [(recipe, part) for recipe, found in rows for part in found.elsewhere]
    if not parts:
        return ["There is no second collection to hold out."]
    heads = {part.source: part.against for _, part in parts}
    found = {(recipe, part.source): spread(part.auroc) for recipe, part in parts}
    made = [(recipe, *(found.get((recipe, name), NONE) for name in heads)) for recipe, _ in rows]
    head = "AUROC on a collection that was left out of the training" + (
        "; one that holds a single class stands against held-out patients of the other:" if any(heads.values()) else ":"
    )
    return [head, "", *table(("recipe", *heads), made)]


def _shortcuts(rows: list[tuple[str, Apart]]) -> list[str]:
    made = [(control.name, spread(control.auroc), control.meaning) for control in _controls(rows)]
    return ["Shortcut controls, the same folds:", "", *table(("control", "AUROC", "what it reads"), made)]


def _controls(rows: list[tuple[str, Apart]]) -> list[Control]:
    """Every control of any recipe, the best first; where recipes differ in one, the one that gets furthest."""
    controls: dict[str, Control] = {}
    for control in (control for _, found in rows for control in found.controls):
        if control.name not in controls or control.auroc.value > controls[control.name].auroc.value:
            controls[control.name] = control
    return sorted(controls.values(), key=lambda control: -control.auroc.value)


def _by_modality(records: Iterable[Record]) -> dict[str, list[tuple[str, Apart]]]:
    """Recipes with patients apart, the best AUROC first."""
    groups: dict[str, list[tuple[str, Apart]]] = defaultdict(list)
    for record in records:
        if record.apart:
            groups[record.recipe.split("/")[0]].append((record.recipe, record.apart))
    return {name: sorted(groups[name], key=lambda row: -row[1].auroc.value) for name in _TITLES if name in groups}


def _lines(rows: list[tuple[str, Apart]]) -> list[Line]:
    models = [Line(recipe, found.auroc) for recipe, found in rows]
    return models + [Line(control.name, control.auroc, "control") for control in _controls(rows)]
