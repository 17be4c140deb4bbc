"""Reproduction: the documents' own protocols with their flaws, patients apart, and going on after an interruption."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from services.trainer import reproduce
from services.trainer.apart import Apart, apart
from services.trainer.datasets import Row
from services.trainer.documents import DOCUMENTS, Document
from services.trainer.evaluate import Plan
from services.trainer.fit import Epoch
from services.trainer.prepared import Examples
from services.trainer.recipe import Recipe, Task, find, recipes
from services.trainer.replay import options, replay
from services.trainer.reports.pages import write_pages
from services.trainer.reports.reproduction import meaning

pytestmark = pytest.mark.trainer

LINEAR = "cough/logistic_regression"
ROWS, PER_PATIENT = 120, 4
DOCUMENT = Document(LINEAR, "accuracy 99 %", "one lucky split", frozenset({"ward"}), 0.3)


def test_every_document_has_a_recipe() -> None:
    assert {document.recipe for document in DOCUMENTS} <= set(recipes())
    assert len({document.recipe for document in DOCUMENTS if document.apart}) == 15


def test_a_replay_counts_every_held_out_row() -> None:
    document = replace(DOCUMENT, repeats=2)
    found = replay(find(LINEAR), _examples(signal=2.0), document, _task(document))
    assert len(found.splits) == 2
    assert all(split.found + split.missed == 18 for split in found.splits)  # 30 % of 60 positives
    assert all(split.accuracy > 0.75 and split.majority == 0.5 for split in found.splits)


def test_copies_before_the_split_leak() -> None:
    """Labels that nothing explains: only a sibling in the training part can tell a positive."""
    examples, document = _examples(signal=0.0), replace(DOCUMENT, recipe="cough/knn", share=0.2, copies=8)
    leaked = replay(find("cough/knn"), examples, document, _task(document)).splits[0]
    fair = replay(find("cough/knn"), examples, replace(document, copies=1), _task(document)).splits[0]
    assert leaked.found / (leaked.found + leaked.missed) > 0.9
    assert fair.found / (fair.found + fair.missed) < 0.5


def test_patients_apart_tells_a_signal_from_a_patients_own_voice() -> None:
    real = apart(_plan(), _examples(signal=1.0), None)
    voice = apart(_plan(), _examples(signal=0.0, voice=3.0), None)
    assert real.auroc.low > 0.7
    assert real.per_source
    assert voice.auroc.low < 0.5 < 0.7  # the same rows split at random would be told apart by the voice
    assert voice.refused is None or voice.sensitivity is None


def test_a_source_of_one_class_is_judged_against_held_out_patients() -> None:
    everything = _examples(signal=2.0)
    strange = replace(everything.take(np.flatnonzero(everything.targets == 1)[:10]))
    strange = replace(strange, rows=tuple(replace(row, source="elsewhere", patient="e") for row in strange.rows))
    found = apart(_plan(), everything, strange).elsewhere
    assert [(part.source, part.n) for part in found] == [("elsewhere", 10)]
    assert "without the finding" in found[0].against
    assert found[0].auroc.value > 0.8


def test_what_is_measured_stays_measured(
    tiny: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, told = _data(tiny, tmp_path), list[str]()
    monkeypatch.setattr(reproduce, "lower_priority", lambda *_: None)  # it would be the tests' own, for good
    monkeypatch.setattr(
        reproduce, "documented", lambda name: replace(DOCUMENT, sources=frozenset({"ward-0", "ward-1"}))
    )
    chosen, kept = reproduce.pieces(frozenset({LINEAR})), tmp_path / "records"
    assert [piece.way for piece in chosen] == ["apart", "document"]
    first = reproduce.reproduce(data, kept, chosen, tmp_path, lambda title, epoch: told.append(title))
    assert set(told) == {piece.title for piece in chosen}
    told.clear()
    assert reproduce.reproduce(data, kept, chosen, tmp_path, lambda title, epoch: told.append(title)) == first
    assert told == []

    older = next(record for record in first if record.apart)
    file = kept / chosen[0].file
    file.write_text(
        older.model_copy(update={"controls": "", "apart": _without_controls(older.apart)}).model_dump_json()
    )
    assert reproduce.reproduce(data, kept, chosen, tmp_path, lambda title, epoch: told.append(title)) == first
    assert told == [f"{chosen[0].title}: controls"]  # measured again, without training anything
    told.clear()
    changed = [replace(piece, options=replace(piece.options, balance="class")) for piece in chosen[:1]]
    reproduce.reproduce(data, kept, changed, tmp_path, lambda title, epoch: told.append(title))
    assert set(told) == {chosen[0].title}

    pages = write_pages(reproduce.read(kept), tmp_path / "docs")
    text = {page.name: page.read_text(encoding="utf-8") for page in pages}
    assert "Not measured yet." in text["reproduction.md"]
    assert f"| {LINEAR} |" in text["results.md"]
    assert "results-cough.svg" in text


def test_the_pages_say_what_the_records_say(tmp_path: Path) -> None:
    docs = Path(__file__).parents[3] / "docs"
    records = reproduce.read(docs / "measurements")
    for page in write_pages(records, tmp_path)[:2]:
        assert page.read_text() == (docs / page.name).read_text()


def test_a_constant_answer_is_called_by_its_name() -> None:
    examples = _examples(signal=0.0)
    document = replace(DOCUMENT, share=0.2)
    found = replay(_Constant(), examples, document, _task(document))
    assert "no more than the more frequent answer alone gives" in meaning(document, found, None)


def _without_controls(found: Apart | None) -> Apart:
    assert found
    return found.model_copy(update={"controls": []})


class _Constant(type(find(LINEAR))):  # type: ignore[misc]
    """A classifier that never sees the finding."""

    def fit(self, examples: Examples, task: Task) -> torch.nn.Module:
        graph = super().fit(examples, task)
        graph.network.forward = lambda inputs: torch.full((len(inputs),), -1.0)
        return graph


def _examples(signal: float, voice: float = 0.0) -> Examples:
    """`signal` moves positives along the first feature, `voice` all rows of a patient by random amounts."""
    generator = np.random.default_rng(5)
    targets = np.arange(ROWS) // PER_PATIENT % 2
    inputs = generator.normal(size=(ROWS, 26))
    inputs += voice * generator.normal(size=(ROWS // PER_PATIENT, 26)).repeat(PER_PATIENT, axis=0)
    inputs[:, 0] += signal * 2 * targets
    rows = tuple(Row(Path(f"{n}.wav"), "", f"p{n // PER_PATIENT}", "ward", f"{n:064d}") for n in range(ROWS))
    facts = tuple({"bytes": 1.0, "seconds": 1.0, "sample_rate": 8000.0, "channels": 1.0} for _ in rows)
    return Examples(rows, inputs.astype(np.float32), targets.astype(np.int64), facts, {})


def _task(document: Document) -> Task:
    return Task("faithful", options(find(document.recipe), document), 7, lambda epoch: None)


def _plan() -> Plan:
    recipe: Recipe = find(LINEAR)
    return Plan(recipe, "sound", replace(recipe.options("sound"), folds=3), 7, 1, _ignore)


def _ignore(_stage: str, _epoch: Epoch) -> None:
    """Nobody is told."""


def _data(tiny: Callable[[str], Path], folder: Path) -> Path:
    data = folder / "data"
    data.mkdir()
    (data / "cough").symlink_to(tiny("cough"))
    return data
