"""Folders, fingerprints, splits: what must hold before anything is learnt."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from services.trainer import datasets, prepared
from services.trainer.folds import folds
from services.trainer.recipe import find
from services.trainer.sources import SOURCES, ages_seen, not_shippable
from shared.errors import BadRequest, Conflict

pytestmark = pytest.mark.trainer


@pytest.fixture
def folder(tiny: Callable[[str], Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny("cough"), tmp_path / "data"))


def _rewrite(folder: Path, change: Callable[[list[dict[str, str]]], list[dict[str, str]]]) -> None:
    index = folder / "index.csv"
    with index.open(newline="") as stream:
        rows = change(list(csv.DictReader(stream)))
    with index.open("w", newline="") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def test_the_fingerprint_is_of_the_data_and_not_of_the_index(folder: Path) -> None:
    before = datasets.read(folder).fingerprint
    _rewrite(folder, lambda rows: [{**row, "notes": "other"} for row in reversed(rows)])
    assert datasets.read(folder).fingerprint == before
    _rewrite(folder, lambda rows: [{**rows[0], "label": "covid"}, *rows[1:]])
    _rewrite(folder, lambda rows: [{**rows[0], "patient_id": "somebody"}, *rows[1:]])
    assert datasets.read(folder).fingerprint != before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: [{**rows[0], "path": "absent.wav"}, *rows[1:]], "missing"),
        (lambda rows: [{**rows[0], "patient_id": ""}, *rows[1:]], "no patient"),
        (lambda rows: [{k: v for k, v in row.items() if k != "source"} for row in rows], "lacks the columns source"),
        (lambda rows: [*rows, {**rows[0], "label": "covid" if rows[0]["label"] != "covid" else "not_covid"}], "same"),
    ],
)
def test_a_bad_index_is_explained(folder: Path, change: Callable[..., list[dict[str, str]]], said: str) -> None:
    _rewrite(folder, change)
    with pytest.raises(BadRequest, match=said):
        datasets.read(folder)


def test_twins_are_one_row(folder: Path) -> None:
    count = len(datasets.read(folder).rows)
    _rewrite(folder, lambda rows: [*rows, rows[0]])
    assert len(datasets.read(folder).rows) == count


def test_no_patient_is_on_both_sides_of_a_split(folder: Path, tmp_path: Path) -> None:
    recipe = find("cough/mlp")
    examples = prepared.load(datasets.read(folder), recipe.pipeline, recipe.target, tmp_path)
    patients = np.array(examples.patients)
    seen: list[int] = []
    for training, held_out in folds(examples, 3, seed=1):
        assert not set(patients[training]) & set(patients[held_out])
        seen += held_out.tolist()
    assert sorted(seen) == list(range(len(examples)))
    with pytest.raises(BadRequest, match="do not fill 7 folds"):
        list(folds(examples, 7, seed=1))


def test_unusable_files_are_counted_and_tensors_come_from_the_cache(folder: Path, tmp_path: Path) -> None:
    recipe = find("cough/mlp")
    (folder / "0.bin").write_bytes(b"no sound at all")
    dataset = datasets.read(folder)
    first = prepared.load(dataset, recipe.pipeline, recipe.target, tmp_path)
    assert first.rejected == {"input_type_unknown": 1}
    assert len(first) == len(dataset.rows) - 1
    for row in dataset.rows:
        row.path.unlink()
    again = prepared.load(dataset, recipe.pipeline, recipe.target, tmp_path)
    assert np.array_equal(first.inputs, again.inputs)


def test_an_output_folder_with_something_else_is_refused(folder: Path, tmp_path: Path) -> None:
    from services.trainer.train import train

    with pytest.raises(Conflict):
        train("cough/mlp", folder, folder, cache=tmp_path)
    assert (folder / "index.csv").is_file()


def test_sources_whose_rights_are_unclear_are_not_shipped() -> None:
    assert not_shippable() == {"trial-audioset", "ieee8023-covid"}
    assert all(source.attribution and source.licence for source in SOURCES.values())


def test_ages_seen_need_both_classes() -> None:
    assert ages_seen(["hannover"], ["kermany-normal", "nih-chestxray14-nofinding"]) == (18.0, 100.0)
    assert ages_seen(["sprsound2022-train"], ["sprsound2022-train"]) == (0.0, 18.0)
    assert ages_seen(["trial-coswara"], ["hannover"]) is None
