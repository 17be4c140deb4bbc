"""Recipes beside each other as `thoracle reproduce` measured them: no version of each has to lie on this machine."""

import hashlib
from collections import defaultdict
from pathlib import Path

from services.trainer.apart import Apart
from services.trainer.compare import Comparable, Entry
from services.trainer.reproduce import SEED, read
from services.trainer.weights import RANDOM
from shared.schemas import Control, Modality, SourceFigures

NAME = "measured"


def measured(records: Path, modality: Modality) -> list[Comparable]:
    """Recipes of the modality in groups that were judged on the same rows and folds, the largest group first."""
    groups: dict[tuple[object, ...], list[tuple[str, Apart]]] = defaultdict(list)
    for record in read(records):
        if record.apart and record.recipe.startswith(f"{modality.value}/"):
            found = record.apart
            groups[found.n, found.patients, found.positives, *found.sources, found.folds].append((record.recipe, found))
    made = [_comparable(rows) for rows in groups.values()]
    return sorted(made, key=lambda group: -len(group.entries))


def _comparable(rows: list[tuple[str, Apart]]) -> Comparable:
    one = rows[0][1]
    what = f"{one.n} files of {one.patients} patients from {', '.join(one.sources)}"
    protocol = (
        f"Recipes as 'thoracle reproduce' measured them: {what}, {one.folds} folds grouped by patient, seed {SEED}, "
        "every figure out of fold; seconds are of all folds together"
    )
    entries = sorted((_entry(*row) for row in rows), key=lambda entry: -entry.auroc.value)
    fingerprint = hashlib.sha256(f"{what} {one.positives} {one.folds}".encode()).hexdigest()
    return Comparable(fingerprint=fingerprint, protocol=protocol, sources=one.sources, entries=entries)


def _entry(recipe: str, found: Apart) -> Entry:
    control, worst = _control(found), _worst(found)
    hits = round(found.sensitivity.value * found.positives) if found.sensitivity else None
    return Entry(
        recipe=recipe,
        name=NAME,
        sha256="",
        mode="sound",
        n=found.n,
        positives=found.positives,
        auroc=found.auroc,
        sensitivity=found.sensitivity,
        specificity=found.specificity,
        brier=found.brier,
        found=hits,
        missed=None if hits is None else found.positives - hits,
        worst_source=worst.source if worst else "",
        worst_auroc=worst.auroc if worst else None,
        best_control=control.name if control else "",
        control_auroc=control.auroc if control else None,
        beaten=control is not None and control.auroc.value >= found.auroc.low,
        training_seconds=found.seconds,
        read_ms=None,
        model_ms=None,
        size_bytes=None,
        warning=_warning(found),
    )


def _warning(found: Apart) -> str | None:
    said = [f"refused: {found.refused}"] if found.refused else []
    said += [f"{found.initialisation}."] if found.initialisation == RANDOM else []
    return " ".join(said) or None


def _control(found: Apart) -> Control | None:
    return max(found.controls, key=lambda control: control.auroc.value, default=None)


def _worst(found: Apart) -> SourceFigures | None:
    judged = [figures for figures in found.per_source or () if figures.auroc]
    return min(judged, key=lambda figures: figures.auroc.value if figures.auroc else 1.0, default=None)
