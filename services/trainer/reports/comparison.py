"""The report that puts versions of a modality beside each other."""

from collections.abc import Sequence

from services.trainer.compare import Comparable, Entry
from services.trainer.figures.forest import Line, forest
from services.trainer.figures.matrices import model_bars
from services.trainer.reports.page import ABSENT, Shown, render, size, span, spread
from shared.schemas import Modality

COLUMNS = ("Recipe", "Name", "n", "AUROC", "Sensitivity", "Specificity", "Brier", "Worst source", "Best control",
           "Training", "Read + model", "Size")  # fmt: skip


def comparison_report(modality: Modality, groups: Sequence[Comparable]) -> str:
    """HTML: a table, TP and FN bars and intervals for each group of versions that may be compared."""
    shown = [
        {
            "heading": heading(group),
            "protocol": group.protocol,
            "sources": ", ".join(group.sources),
            "fingerprint": group.fingerprint,
            "rows": [[_folded(cell) for cell in row(entry)] for entry in group.entries],
            "pictures": _pictures(group),
            "warnings": [f"{_named(entry)}: {entry.warning}" for entry in group.entries if entry.warning],
        }
        for group in groups
    ]
    title = f"Versions for {modality.value.replace('_', ' ')}"
    return render("comparison.html", title, sentences=cautions(groups), columns=COLUMNS, groups=shown)


def cautions(groups: Sequence[Comparable]) -> list[str]:
    """What must be read before the table."""
    lines = ["Rows can be compared within one table only: the same data by fingerprint, and the same protocol."]
    if len(groups) > 1:
        lines.append(f"These fall into {len(groups)} such groups; the order of the groups is no ranking.")
    beaten = sum(entry.beaten for group in groups for entry in group.entries)
    if beaten:
        total = sum(len(group.entries) for group in groups)
        lines.append(
            f"For {beaten} of {total} a shortcut control reaches the model's interval (marked ≥): "
            "their AUROC is no evidence that disease is recognised."
        )
    return lines


def heading(group: Comparable) -> str:
    """What the rows of a group are."""
    kind = "version" if group.entries[0].sha256 else "recipe"
    return f"{len(group.entries)} {kind}s on one data set" if len(group.entries) > 1 else f"One {kind}"


def row(entry: Entry) -> list[object]:
    """One line of the table, as `COLUMNS` name it."""
    control = f"{entry.best_control} {entry.control_auroc.value:.2f}" if entry.control_auroc else ABSENT
    unknown = "no source holds both" if entry.sensitivity else ABSENT
    worst = f"{entry.worst_source} {entry.worst_auroc.value:.2f}" if entry.worst_auroc else unknown
    return [
        entry.recipe,
        f"{entry.name} ({entry.sha256[:8]})" if entry.sha256 else entry.name,
        entry.n,
        *(spread(interval) for interval in (entry.auroc, entry.sensitivity, entry.specificity)),
        ABSENT if entry.brier is None else f"{entry.brier:.3f}",
        worst,
        f"≥ {control}" if entry.beaten else control,
        span(entry.training_seconds),
        _speed(entry),
        ABSENT if entry.size_bytes is None else size(entry.size_bytes),
    ]


def _speed(entry: Entry) -> str:
    if entry.read_ms is None or entry.model_ms is None:
        return ABSENT
    return f"{entry.read_ms:.1f} + {entry.model_ms:.1f} ms"


def _pictures(group: Comparable) -> list[Shown]:
    entries = group.entries
    names = [_named(entry) for entry in entries]
    counted = [
        (_named(entry), entry.found, entry.missed)
        for entry in entries
        if entry.found is not None and entry.missed is not None
    ]
    lines = [Line(name, entry.auroc, note=f"(n = {entry.n})") for name, entry in zip(names, entries, strict=True)]
    controls = {entry.best_control: entry.control_auroc for entry in entries if entry.control_auroc}
    lines += [Line(name, area, "control") for name, area in controls.items()]
    caption = "Found / missed at each one's own threshold, out of fold; a longer hatched part is more disease missed."
    judged, found, missed = zip(*counted, strict=True) if counted else ((), (), ())
    return [
        *([Shown("True positives and false negatives", caption, model_bars(judged, found, missed))] if counted else []),
        Shown("AUROC with intervals", "Where intervals overlap, the order of the rows is no proof.", forest(lines)),
    ]  # fmt: skip


def _folded(cell: object) -> object:
    """Narrower: what is in brackets, and what follows a sum, on a line of its own."""
    return cell.replace(" (", "\n(").replace(" + ", " +\n") if isinstance(cell, str) else cell


def _named(entry: Entry) -> str:
    return f"{entry.recipe} {entry.name}"
