"""`thoracle batch` as a user runs it: a folder in, every outcome once out, also while it runs."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.schemas import Modality
from shared.transforms import sample_files
from tests.support.machine import Machine, served


@pytest.fixture(scope="module")
def machine(tiny_versions: dict[Modality, Path]) -> Iterator[Machine]:
    with served(tiny_versions) as place:
        yield place


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve coughs, each with a byte of its own behind the sound, and one text."""
    place = tmp_path / "coughs"
    place.mkdir()
    for at in range(12):
        (place / f"{at:02}.wav").write_bytes(sample_files.cough("WAV") + bytes([at]))
    (place / "notes.txt").write_text("This is a text.")
    return place


def test_one_command_takes_a_folder_and_waits_for_all_of_it(machine: Machine, folder: Path) -> None:
    batch = machine.answer("batch", "submit", str(folder), "--modality", "cough", "--watch", code=1)
    assert (batch["made"], batch["states"], batch["done"]) == (12, {"succeeded": 12}, True)
    assert [(error["key"], error["code"]) for error in batch["errors"]] == [("notes.txt", "input_type_unknown")]
    text = machine.run("batch", "results", batch["id"], "--follow").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert sorted(row["item"] for row in rows) == [f"{at:02}.wav" for at in range(12)]
    lines = machine.run("batch", "results", batch["id"], "--format", "ndjson").stdout.splitlines()
    assert [json.loads(line)["job_id"] for line in lines] == [row["job_id"] for row in rows]
    assert "notes.txt" in machine.run("batch", "status", batch["id"]).stdout
    assert batch["id"] in [one["id"] for one in machine.answer("batch", "list")["batches"]]


def test_the_same_key_goes_on_and_makes_nothing_twice(machine: Machine, folder: Path) -> None:
    (folder / "notes.txt").unlink()
    begun = machine.answer("batch", "submit", str(folder), "--modality", "cough", "--client-ref", "a & b")
    (folder / "new.wav").write_bytes(sample_files.cough("WAV") + b"new")
    more = machine.answer("batch", "submit", str(folder), "--modality", "cough", "--key", begun["key"])
    assert (more["id"], more["client_ref"]) == (begun["id"], "a & b")
    assert (more["made"], more["known"], more["jobs"]) == (1, 12, 13)


def test_stored_inputs_run_again_by_a_manifest(machine: Machine, folder: Path, tmp_path: Path) -> None:
    (folder / "notes.txt").unlink()
    first = machine.answer("batch", "submit", str(folder), "--modality", "cough", "--watch")
    rows = csv.DictReader(io.StringIO(machine.run("batch", "results", first["id"]).stdout))
    manifest = tmp_path / "again.csv"
    manifest.write_text("sha256\n" + "".join(f"{row['input_sha256']}\n" for row in rows))
    again = machine.answer("batch", "submit", str(manifest), "--modality", "cough", "--watch")
    assert (again["made"], again["states"]) == (12, {"succeeded": 12})


def test_a_cancelled_batch_takes_no_more_and_retry_leaves_it(machine: Machine, folder: Path) -> None:
    begun = machine.answer("batch", "submit", str(folder), "--modality", "cough", code=1)
    assert machine.answer("batch", "cancel", begun["id"])["done"] is True
    said = machine.run("batch", "submit", str(folder), "--modality", "cough", "--key", begun["key"], code=1).stderr
    assert "cancelled" in said
    assert begun["key"] in said
    assert "cancelled" in machine.run("batch", "retry", begun["id"], code=1).stderr
    said = machine.run("batch", "status", "00000000-0000-0000-0000-000000000000", code=1).stderr
    assert said.strip()
