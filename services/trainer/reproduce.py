"""Trains every recipe and keeps what came out: each document's own way, and all recipes with patients apart.

Every finished measurement is one JSON file, so a run that was interrupted goes on where it stopped, and a recipe, its
data or its settings that have changed are measured again.
"""

import hashlib
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Literal

from services.trainer import controls, datasets, prepared, readings, views
from services.trainer.apart import Apart, apart
from services.trainer.datasets import Dataset
from services.trainer.documents import Document, documented
from services.trainer.evaluate import Plan
from services.trainer.fit import Epoch
from services.trainer.folds import folds
from services.trainer.prepared import Examples
from services.trainer.recipe import Options, Recipe, Task, recipes
from services.trainer.replay import Replay, options, replay
from services.trainer.sources import not_shippable
from services.trainer.train import Budget, lower_priority
from services.trainer.weights import random_start
from shared.errors import BadRequest
from shared.schemas import Modality, Sha256, Shape

SEED = 7
FOLDS = 3
FOLDERS = {Modality.COUGH: "cough", Modality.LUNG_SOUND: "lung", Modality.CHEST_XRAY: "cxr"}
_ONE_OF_EIGHT = re.compile(r"efficientnet_b[124567]$")  # the same file as b3; two of the eight are measured

Way = Literal["document", "apart"]


class Record(Shape):
    """One measurement; `key` tells whether recipe, data and settings are still the same.

    `controls` tells which shortcut controls were measured: they hang on no model, so one that is added later is
    measured for all records without training anything again.
    """

    recipe: str
    way: Way
    variant: str = ""
    key: Sha256
    controls: str = ""
    replay: Replay | None = None
    apart: Apart | None = None


@dataclass(frozen=True)
class Piece:
    """One measurement to make."""

    recipe: Recipe
    way: Way
    options: Options
    document: Document | None = None
    variant: str = ""

    @property
    def title(self) -> str:
        """For whoever waits."""
        how = "patients apart" if self.way == "apart" else f"the document's way {self.variant}".strip()
        return f"{self.recipe.name}, {how}"

    @property
    def file(self) -> str:
        """Where the record lies."""
        return re.sub(r"[^a-z0-9.]+", "-", f"{self.recipe.name}.{self.way}.{self.variant}".strip(".")) + ".json"


def pieces(only: frozenset[str] = frozenset()) -> list[Piece]:
    """Everything to measure, the quickest kind first: all recipes or some of them."""
    chosen = [
        recipe for name, recipe in recipes().items() if (not only or name in only) and not _ONE_OF_EIGHT.search(name)
    ]
    return [piece for recipe in chosen for piece in _pieces(recipe)]


def reproduce(
    data: Path,
    records: Path,
    chosen: list[Piece],
    cache: Path,
    tell: Callable[[str, Epoch | None], None],
    threads: int = 2,
) -> list[Record]:
    """Measure what is not in the folder `records` yet, and return all of it. `tell` hears of pieces and epochs.

    Architectures whose weights are not on this machine start at random, and the records say so. Raises BadRequest when
    a folder of `data` cannot be read.
    """
    records.mkdir(parents=True, exist_ok=True)
    sets = {piece.recipe.modality: datasets.read(data / FOLDERS[piece.recipe.modality]) for piece in chosen}
    with random_start():
        return [_kept(piece, _Source(sets[piece.recipe.modality], cache, threads), records, tell) for piece in chosen]


@dataclass(frozen=True)
class _Source:
    """Labelled files, where their tensors are kept, and how many threads may work on them."""

    every: Dataset
    cache: Path
    threads: int

    def examples(self, recipe: Recipe, sources: Callable[[str], bool]) -> Examples | None:
        """Tensors of the rows whose source is asked for; None when there are none."""
        rows = self.every.where(lambda row: sources(row.source) and recipe.target(row) is not None)
        return prepared.load(rows, recipe.pipeline, recipe.target, self.cache) if rows.rows else None


def read(records: Path) -> list[Record]:
    """What was measured, by recipe."""
    found = [Record.model_validate_json(file.read_bytes()) for file in sorted(records.glob("*.json"))]
    return sorted(found, key=lambda record: (record.recipe, record.way, record.variant))


def _pieces(recipe: Recipe) -> Iterator[Piece]:
    document = documented(recipe.name)
    sound = replace(recipe.options("sound"), folds=FOLDS)
    if document is None or document.apart:
        epochs = document.reached[1] if document else None
        yield Piece(recipe, "apart", replace(sound, epochs=epochs or sound.epochs), document)
    if document is None:
        return
    for variant in ("", *document.variants):
        yield Piece(recipe, "document", options(recipe, document, variant), document, variant)


def _kept(piece: Piece, source: _Source, folder: Path, tell: Callable[[str, Epoch | None], None]) -> Record:
    file = folder / piece.file
    key = _key(piece, source.every)
    if file.is_file():
        record = Record.model_validate_json(file.read_bytes())
        if record.key == key:
            return _controlled(record, piece, source, file, tell)
    tell(piece.title, None)
    lower_priority(Budget(threads=source.threads), piece.options.threads)
    return _write(file, _measured(piece, source, key, lambda epoch: tell(piece.title, epoch)))


def _write(file: Path, record: Record) -> Record:
    draft = file.with_suffix(".draft")
    draft.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    draft.replace(file)
    return record


def _controlled(
    record: Record, piece: Piece, source: _Source, file: Path, tell: Callable[[str, Epoch | None], None]
) -> Record:
    """The record with today's shortcut controls, on the very folds that its model was judged on."""
    wanted = _controls(piece.recipe)
    if record.apart is None or record.controls == wanted:
        return record
    tell(f"{piece.title}: controls", None)
    lower_priority(Budget(threads=source.threads), piece.options.threads)
    examples = _trained_on(piece, source)
    splits = list(folds(examples, piece.options.folds, SEED))
    found = record.apart.model_copy(
        update={"controls": controls.measure(piece.recipe.controls, examples, splits, SEED)}
    )
    return _write(file, record.model_copy(update={"apart": found, "controls": wanted}))


def _measured(piece: Piece, source: _Source, key: str, on_epoch: Callable[[Epoch], None]) -> Record:
    recipe, document = piece.recipe, piece.document
    record = Record(recipe=recipe.name, way=piece.way, variant=piece.variant, key=key)
    if piece.way == "document" and document:
        examples = _needed(source.examples(recipe, document.sources.__contains__), recipe)
        examples, _ = views.fitting(examples, recipe, "faithful")
        task = Task("faithful", piece.options, SEED, on_epoch)
        return record.model_copy(update={"replay": replay(recipe, examples, document, task)})
    plan = Plan(recipe, "sound", piece.options, SEED, piece.options.threads, lambda _, epoch: on_epoch(epoch))
    others = source.examples(recipe, not_shippable().__contains__)
    found = apart(plan, _trained_on(piece, source), others)
    return record.model_copy(update={"apart": found, "controls": _controls(recipe)})


def _trained_on(piece: Piece, source: _Source) -> Examples:
    """The rows that a recipe is trained and judged on with patients apart."""
    closed, recipe = not_shippable(), piece.recipe
    return _some(_needed(source.examples(recipe, lambda name: name not in closed), recipe), piece.document)


def _some(examples: Examples, document: Document | None) -> Examples:
    """All rows, or about as many as the document's model can be given here: whole patients, every source and class."""
    parts = len(examples) // document.rows if document and document.rows else 1
    return examples if parts < 2 else examples.take(next(folds(examples, parts, SEED))[1])


def _needed(examples: Examples | None, recipe: Recipe) -> Examples:
    if examples is None:
        raise BadRequest(detail=f"The data hold no files of the sources that {recipe.name} is measured on.")
    return examples


def _key(piece: Piece, everything: Dataset) -> str:
    parts = [
        everything.fingerprint,
        *(inspect.getsource(module) for module in _modules(type(piece.recipe))),
        [step.model_dump() for step in piece.recipe.pipeline],
        repr(piece.options),
        piece.document.rows if piece.document else None,
        _digested(piece.document) if piece.document and piece.way == "document" else "",
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _controls(recipe: Recipe) -> str:
    """Digest of what the shortcut controls read."""
    parts = [sorted(recipe.controls), inspect.getsource(controls), inspect.getsource(readings)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _modules(kind: type) -> list[ModuleType]:
    """Where a recipe and what it stands on are written down."""
    names = dict.fromkeys(base.__module__ for base in kind.__mro__ if base.__module__.startswith("services.trainer."))
    return [sys.modules[name] for name in names]


def _digested(document: Document) -> str:
    """The protocol alone, whatever the words about it."""
    return repr(replace(document, said="", really="", sources=frozenset(), variants=())) + repr(
        sorted(document.sources)
    )
