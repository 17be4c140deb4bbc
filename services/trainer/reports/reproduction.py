"""docs/reproduction.md: each document's figure, what it was, its own way made again, and patients apart."""

from collections.abc import Sequence

from services.trainer.apart import Apart
from services.trainer.documents import DOCUMENTS, Document
from services.trainer.replay import Replay
from services.trainer.reports.markdown import NONE, WRITTEN, best_control, passes, spread, table
from services.trainer.reproduce import FOLDS, Record
from services.trainer.weights import RANDOM

_HOW_TO_READ = (
    "Every documented model, made again twice. *The document's way* keeps the document's flaws: rows are split at "
    "random, so one patient may lie on both sides, and accuracy is counted at one half. It uses the sources nearest to "
    "the document's own data. *Patients apart* is the repaired mode under the protocol of [results](results.md): "
    f"{FOLDS} folds grouped by patient, and beside it the best *shortcut control*, a small forest that reads no "
    "disease. Where the control does as well as the model, the model's figure is no evidence. Two cores reach fewer "
    "epochs than some documents did; the column says how many.",
)


def reproduction(records: Sequence[Record]) -> str:
    """Each document's figure, what it was, its own way made again, and patients apart."""
    lines = ["# Reproduction", "", WRITTEN, "", *_HOW_TO_READ, ""]
    for document in DOCUMENTS:
        lines += [f"## {document.recipe}", "", *_section(document, records), ""]
    return "\n".join(lines)


def meaning(document: Document, replay: Replay | None, found: Apart | None) -> str:
    """What the difference between the figures means, in plain words."""
    said = [f"The document says {document.said}: {document.really}."]
    if replay:
        said.append(_replayed(document, replay))
    if found:
        said.append(_parted(found))
    starts = {part.initialisation for part in (replay, found) if part}
    if RANDOM in starts:
        said.append("ImageNet's weights for this architecture were not to be had here: random initialisation, so the "
                    "figures are no reproduction of a network that started from them.")  # fmt: skip
    return " ".join(said)


def _section(document: Document, records: Sequence[Record]) -> list[str]:
    mine = [record for record in records if record.recipe == document.recipe]
    told = {record.variant: record.replay for record in mine if record.replay}
    found = next((record.apart for record in mine if record.apart), None)
    if not mine:
        return ["Not measured yet."]
    rows: list[Sequence[object]] = [("the document", document.said, NONE, NONE, _epochs(document), NONE)]
    rows += [_replay_row(document, variant, replay) for variant, replay in told.items()]
    rows += [_apart_row(found)] if found else []
    columns = ("way", "figure", "found / positives held out", "n", "epochs", "seconds")
    return [meaning(document, told.get(""), found), "", *table(columns, rows)]


def _replay_row(document: Document, variant: str, replay: Replay) -> tuple[object, ...]:
    splits, total = replay.splits, len(replay.splits)
    held = sum(split.accuracy for split in splits) / total
    learnt = sum(split.training_accuracy for split in splits) / total
    majority = sum(split.majority for split in splits) / total
    found, missed = (sum(getattr(split, name) for split in splits) for name in ("found", "missed"))
    loss = sum(split.loss for split in splits) / total
    spread = f", {_range([split.accuracy for split in splits])} over {total} splits" if total > 1 else ""
    return (
        f"the document's way, {variant}" if variant else "the document's way, here",
        f"accuracy {held:.1%}{spread}; log loss {loss:.2f}; training {learnt:.1%}; majority {majority:.1%}",
        f"{found} / {found + missed}",
        f"{replay.n} rows, {replay.positives} positive" + (" (with copies)" if document.copies > 1 else ""),
        replay.epochs if document.epochs else NONE,
        f"{replay.seconds:.0f}",
    )


def _apart_row(found: Apart) -> tuple[object, ...]:
    control = best_control(found)
    figure = f"AUROC {spread(found.auroc)}; best control: {control.name} {spread(control.auroc)}"
    if found.balanced_accuracy is not None:
        figure += f"; balanced accuracy {found.balanced_accuracy:.1%}"
    return (
        "patients apart, repaired (sound)",
        f"{figure}; refused: {found.refused}" if found.refused else figure,
        f"{round(found.sensitivity.value * found.positives)} / {found.positives}" if found.sensitivity else NONE,
        f"{found.n} rows of {found.patients} patients",
        passes(found.epochs),
        f"{found.seconds:.0f}",
    )


def _replayed(document: Document, replay: Replay) -> str:
    splits = replay.splits
    held = sum(split.accuracy for split in splits) / len(splits)
    majority = sum(split.majority for split in splits) / len(splits)
    found, missed = (sum(getattr(split, name) for split in splits) for name in ("found", "missed"))
    share = f"{found} of {found + missed} held-out positives found"
    few = f" after {replay.epochs} of {document.epochs} epochs" if document.reached[0] else ""
    if held <= majority + 0.005:
        return f"Made again its way{few}, {held:.0%} of the answers are right, no more than the more frequent answer " \
               f"alone gives ({majority:.0%}); {share}."  # fmt: skip
    return f"Made again its way{few}, {held:.0%} of the answers are right where the more frequent answer alone gives " \
           f"{majority:.0%}; {share}. Rows of one patient lie on both sides of that split."  # fmt: skip


def _parted(found: Apart) -> str:
    control = best_control(found)
    said = f"With patients apart, over {found.n} rows of {found.patients} patients, AUROC is {spread(found.auroc)}"
    if found.refused or found.auroc.low <= 0.5:
        return f"{said}: not told from chance" + (", and no version of it is published." if found.refused else ".")
    if control.auroc.value >= found.auroc.low:
        return f"{said}, but {control.name} alone reaches {control.auroc.value:.2f}: no evidence that disease is " \
               "recognised."  # fmt: skip
    return f"{said}; the best shortcut, {control.name}, reaches {control.auroc.value:.2f}."


def _epochs(document: Document) -> object:
    return document.epochs or NONE


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.1%} to {max(values):.1%}"
