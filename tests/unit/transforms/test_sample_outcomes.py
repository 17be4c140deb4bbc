"""Every sample ends as `expected.csv` says, with the very sentence."""

import csv
from pathlib import Path

import pytest

from shared.errors import InputRejected
from shared.sentences import EN
from shared.sniff import HEAD_BYTES, MEDIA_TYPES, modalities_of, sniff
from shared.transforms.pipeline import prepare
from shared.transforms.pipelines import REFERENCE
from shared.transforms.samples import Sample, write_samples

# What the issue names: these must be there whatever else is.
BAD = {
    "empty.png": "input_empty",
    "truncated.png": "input_truncated",
    "report.pdf": "input_type_unknown",
    "text_renamed.png": "input_type_unknown",
    "huge_50000x50000.png": "image_too_large",
    "deflate_bomb.dcm": "dicom_too_large",
    "not_a_number.wav": "audio_not_finite",
    "silence.wav": "audio_silent",
    "clipped.wav": "audio_clipped",
    "short_0.2s.wav": "audio_too_short",
    "rate_2khz.wav": "audio_rate_too_low",
    "dicom_without_pixels.dcm": "dicom_no_pixels",
    "knee.dcm": "body_part_not_chest",
    "unknown_transfer_syntax.dcm": "dicom_transfer_syntax_unsupported",
    "DICOMDIR": "dicom_is_directory",
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Sample]]:
    folder = tmp_path_factory.mktemp("samples") / "new"
    return folder, write_samples(folder)


def test_the_table_lists_the_folder(written: tuple[Path, list[Sample]]) -> None:
    folder, samples = written
    with (folder / "expected.csv").open(newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    assert [row["file"] for row in rows] == [sample.file for sample in samples]
    assert {path.name for path in folder.iterdir()} == {row["file"] for row in rows} | {"expected.csv"}
    assert BAD.items() <= {row["file"]: row["code"] for row in rows}.items()
    assert sum((folder / row["file"]).stat().st_size for row in rows) < 16 * 2**20


def test_every_modality_and_type_is_there(written: tuple[Path, list[Sample]]) -> None:
    folder, samples = written
    good = {(sniff_file(folder / s.file), s.modality) for s in samples if s.status == "succeeded"}
    assert good == {(media_type, modality) for media_type in MEDIA_TYPES for modality in modalities_of(media_type)}


def test_every_sample_ends_as_it_says(written: tuple[Path, list[Sample]]) -> None:
    folder, samples = written
    wrong = {sample.file: got for sample in samples if (got := outcome(folder, sample)) != expected(sample)}
    assert wrong == {}


def test_every_rejection_of_an_input_has_a_sample(written: tuple[Path, list[Sample]]) -> None:
    """Codes of the catalogue that no sample shows are those of the machine, not of the file."""
    shown = {sample.code for sample in written[1]}
    codes = {code for code in EN if code.startswith(("image_", "dicom_", "audio_", "body_part_"))}
    assert codes <= shown
    assert {"input_empty", "input_type_unknown", "input_truncated", "input_unreadable"} <= shown


def sniff_file(path: Path) -> str | None:
    with path.open("rb") as file:
        return sniff(file.read(HEAD_BYTES))


def expected(sample: Sample) -> tuple[str, str, str]:
    if sample.status == "refused":
        return "refused", "", ""
    return sample.status, sample.code, sample.sentence


def outcome(folder: Path, sample: Sample) -> tuple[str, str, str]:
    media_type = sniff_file(folder / sample.file)
    if media_type is None:
        return "refused", "", ""
    try:
        prepare(folder / sample.file, media_type, REFERENCE[sample.modality])
    except InputRejected as problem:
        return "rejected", problem.code, problem.detail
    return "succeeded", "", ""
