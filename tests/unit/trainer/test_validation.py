"""Folders with every defect, each found and named; and what is not a defect stays quiet."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from PIL import Image
from typer.testing import CliRunner

from cli.main import app
from services.trainer import fingerprints, inventory
from services.trainer.validation import Validation, validate
from shared.errors import BadRequest
from shared.transforms import synthetic
from shared.transforms.values import Picture, Recording

pytestmark = pytest.mark.trainer

Record = dict[str, str]
_COLUMNS = ["path", "label", "patient_id", "source", "split", "sha256"]


def _index(folder: Path, rows: list[Record]) -> None:
    with (folder / "index.csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, _COLUMNS, restval="")
        table.writeheader()
        table.writerows(rows)


@pytest.fixture(scope="module")
def coughs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    """24 recordings of 24 patients: every `covid` is at 16 kHz, every `not_covid` at 8 kHz."""
    folder, rows = tmp_path_factory.mktemp("coughs"), []
    for number in range(24):
        rate, label = (16000, "covid") if number % 2 else (8000, "not_covid")
        sound = synthetic.synthetic_cough(number, rate, 1.5)
        soundfile.write(str(folder / f"{number}.wav"), sound, rate)
        rows.append({"path": f"{number}.wav", "label": label, "patient_id": f"p{number}", "source": "ward"})
    return folder, rows


@pytest.fixture
def broken(coughs: tuple[Path, list[Record]], tmp_path: Path) -> Callable[..., Validation]:
    """Judge a copy after something was done to it and its index."""

    def run(spoil: Callable[[Path, list[Record]], None] = lambda *_: None) -> Validation:
        folder = Path(shutil.copytree(coughs[0], tmp_path / "data"))
        rows = [dict(row) for row in coughs[1]]
        spoil(folder, rows)
        _index(folder, rows)
        return validate(folder)

    return run


def _codes(found: Validation, severity: str = "error") -> set[str]:
    return {finding.code for finding in found.findings if finding.severity == severity}


def _copy(folder: Path, name: str, like: Record, **changes: str) -> Record:
    shutil.copy(folder / like["path"], folder / name)
    return {**like, "path": name, **changes}


def test_a_sound_folder_has_no_error_but_its_shortcut_is_named(broken: Callable[..., Validation]) -> None:
    found = broken()
    assert found.sound
    assert (found.files, found.patients, found.labels) == (24, 24, {"covid": 12, "not_covid": 12})
    working = {shortcut.name for shortcut in found.shortcuts if shortcut.works}
    assert {"sample rate", "file size"} <= working
    assert not {"duration", "source", "encoding"} & working
    sentence = next(finding.sentence for finding in found.findings if finding.code == "shortcut")
    assert "alone tells covid from the rest with AUROC 1.00" in sentence


def test_files_that_are_missing_broken_foreign_or_outside(broken: Callable[..., Validation]) -> None:
    def spoil(folder: Path, rows: list[Record]) -> None:
        (folder / "0.wav").unlink()
        whole = (folder / "1.wav").read_bytes()
        (folder / "1.wav").write_bytes(whole[: len(whole) // 2])
        (folder / "2.wav").write_text("no sound at all, but long enough to be looked at")
        (folder.parent / "outside.wav").write_bytes(whole)
        rows[3]["path"] = "../outside.wav"
        soundfile.write(str(folder / "4.wav"), np.zeros(16000), 16000)

    found = broken(spoil)
    by_code = {finding.code: finding for finding in found.findings}
    assert by_code["missing_file"].files == ["0.wav", "../outside.wav"]
    assert {f for finding in found.findings if finding.code == "undecodable" for f in finding.files} == {
        "1.wav",
        "2.wav",
    }
    assert by_code["unusable"].files == ["4.wav"]
    assert by_code["unusable"].severity == "warning"


def test_twins_and_what_they_contradict(broken: Callable[..., Validation]) -> None:
    def spoil(folder: Path, rows: list[Record]) -> None:
        rows.append(_copy(folder, "same.wav", rows[0]))
        rows.append(_copy(folder, "label.wav", rows[1], label="not_covid"))
        rows.append(_copy(folder, "patient.wav", rows[2], patient_id="somebody"))
        rows.append(_copy(folder, "split.wav", rows[3], split="test"))

    found = broken(spoil)
    assert {"label_conflict", "twin_patients", "twin_splits", "patient_in_two_splits"} == _codes(found)
    assert {"duplicate", "patient_with_two_labels"} <= _codes(found, "warning")
    named = {finding.code: set(finding.files) for finding in found.findings}
    assert named["duplicate"] == {"0.wav", "same.wav"}
    assert named["label_conflict"] == {"1.wav", "label.wav"}
    assert named["patient_with_two_labels"] == {"p1"}


def test_a_leaked_patient_and_an_altered_file(broken: Callable[..., Validation]) -> None:
    def spoil(_: Path, rows: list[Record]) -> None:
        for row in rows:
            row["split"] = "test" if row["path"] in ("6.wav", "7.wav") else "train"
        rows[6]["patient_id"] = rows[8]["patient_id"]
        rows[9]["sha256"] = "0" * 64
        rows[10]["patient_id"] = ""

    found = broken(spoil)
    assert _codes(found) == {"patient_in_two_splits", "altered", "no_patient"}
    leak = next(finding for finding in found.findings if finding.code == "patient_in_two_splits")
    assert leak.files == ["p8"]
    assert leak.sentence.startswith("In more than one split: 1 patient.")


def test_the_same_recording_in_another_form_is_a_near_duplicate(broken: Callable[..., Validation]) -> None:
    def spoil(folder: Path, rows: list[Record]) -> None:
        sound, rate = soundfile.read(folder / "5.wav")
        soundfile.write(str(folder / "other.ogg"), soxr.resample(sound, rate, 24000) * 0.4, 24000, format="OGG")
        rows.append({**rows[5], "path": "other.ogg", "patient_id": "somebody"})

    found = broken(spoil)
    near = [finding for finding in found.findings if finding.code.startswith("near_")]
    assert [finding.code for finding in near] == ["near_patients"]
    assert near[0].files == ["5.wav ≈ other.ogg"]


def test_sources_of_one_label_are_named(broken: Callable[..., Validation]) -> None:
    def spoil(_: Path, rows: list[Record]) -> None:
        for row in rows:
            row["source"] = "sick" if row["label"] == "covid" else "well"

    found = broken(spoil)
    assert "one_label_source" in _codes(found, "warning")
    assert {"source", "sample rate"} <= {shortcut.name for shortcut in found.shortcuts if shortcut.works}


def test_pictures_survive_encoding_and_differ_from_one_another() -> None:
    chests = [synthetic.phantom_xray(seed, 256, 256).astype(np.float32) / 4095 for seed in range(3)]
    small = np.asarray(Image.fromarray(chests[0]).resize((150, 140), Image.Resampling.BILINEAR))
    prints = np.stack([fingerprints.picture_print(Picture(pixels)) for pixels in [*chests, small]])
    assert [(i, j) for i, j, _ in fingerprints.near_pairs(prints, fingerprints.NEAR_PICTURE)] == [(0, 3)]


def test_silence_and_the_shortest_sound_have_a_fingerprint() -> None:
    for samples in (np.zeros(8000, np.float32), np.ones(3, np.float32)):
        assert np.isfinite(fingerprints.sound_print(Recording(samples, 8000))).all()


def test_an_index_that_is_none_is_explained(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"no index\.csv"):
        inventory.take(tmp_path)
    (tmp_path / "index.csv").write_text("path,label\n")
    with pytest.raises(BadRequest, match="patient_id, source"):
        inventory.take(tmp_path)


def test_the_command_ends_with_1_when_there_is_an_error(coughs: tuple[Path, list[Record]]) -> None:
    folder, rows = coughs
    _index(folder, rows)
    fine = CliRunner().invoke(app, ["validate", str(folder), "--json"])
    assert fine.exit_code == 0
    assert json.loads(fine.stdout)["sound"] is True
    _index(folder, [*rows, {**rows[0], "path": "absent.wav"}])
    bad = CliRunner().invoke(app, ["validate", str(folder)])
    assert bad.exit_code == 1
    assert "Listed, but not in the folder: 1 file." in bad.stdout
