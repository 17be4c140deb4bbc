"""DICOM: transfer syntaxes, tones, the gate, the facts."""

import io
import shutil
import subprocess
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from shared.errors import InputRejected
from shared.transforms.dicom import read_dicom
from shared.transforms.pipeline import Sheet, prepare
from shared.transforms.pipelines import PIPELINES
from shared.transforms.synthetic import phantom_xray
from shared.transforms.synthetic_dicom import deflate_bomb, dicom_bytes
from shared.transforms.values import FloatArray

PHANTOM = phantom_xray(5, 256, 200)
WINDOW: dict[str, Any] = {"WindowCenter": 2048, "WindowWidth": 4096}
EXPECTED = PHANTOM / 4095


def read(tmp_path: Path, data: bytes) -> tuple[FloatArray, Sheet]:
    path, sheet = tmp_path / "image", Sheet()
    path.write_bytes(data)
    return read_dicom(path, sheet).pixels, sheet


def code_of(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "image"
    path.write_bytes(data)
    with pytest.raises(InputRejected) as caught:
        prepare(path, "application/dicom", PIPELINES["chest_xray/cnn"])
    return caught.value.code


def recoded(data: bytes, syntax: str, **how: Any) -> bytes:
    dataset = dcmread(io.BytesIO(data))
    dataset.compress(syntax, **how)
    file = io.BytesIO()
    dataset.save_as(file)
    return file.getvalue()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, "1.2.840.10008.1.2.1.99"])
def test_uncompressed_syntaxes(tmp_path: Path, syntax: str) -> None:
    pixels, sheet = read(tmp_path, dicom_bytes(PHANTOM, syntax=syntax, **WINDOW))
    assert np.abs(pixels - EXPECTED).max() < 1e-3
    assert [note.code for note in sheet.quality] == ["quality.window"]


def test_big_endian(tmp_path: Path) -> None:
    swapped = PHANTOM.astype(">u2").tobytes()
    data = dicom_bytes(PHANTOM, syntax="1.2.840.10008.1.2.2", PixelData=swapped, **WINDOW)
    assert np.abs(read(tmp_path, data)[0] - EXPECTED).max() < 1e-3


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_lossless_syntaxes(tmp_path: Path, syntax: str) -> None:
    pixels, _ = read(tmp_path, recoded(dicom_bytes(PHANTOM, **WINDOW), syntax))
    assert np.abs(pixels - EXPECTED).max() < 1e-3


def test_jpeg2000_with_loss(tmp_path: Path) -> None:
    pixels, sheet = read(tmp_path, recoded(dicom_bytes(PHANTOM, **WINDOW), JPEG2000, j2k_cr=[4]))
    assert np.abs(pixels - EXPECTED).mean() < 0.01
    assert sheet.quality


def test_jpeg_baseline(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(np.asarray(PHANTOM >> 4, dtype=np.uint8)).save(file, format="JPEG", quality=95)
    data = dicom_bytes(
        PHANTOM,
        syntax=JPEGBaseline8Bit,
        bits=8,
        BitsAllocated=8,
        PixelData=encapsulate([file.getvalue()]),
        WindowCenter=128,
        WindowWidth=256,
    )
    pixels, sheet = read(tmp_path, data)
    assert np.abs(pixels - EXPECTED).mean() < 0.01
    assert "quality.lossy" in [note.code for note in sheet.quality]


@pytest.mark.parametrize("option", ["+e1", "+el", "+ee"])
def test_jpeg_made_by_dcmtk(tmp_path: Path, option: str) -> None:
    """JPEG lossless first-order (.70), lossless (.57) and extended (.51): what modalities send most."""
    encoder = shutil.which("dcmcjpeg")
    if encoder is None:
        pytest.skip("dcmcjpeg (dcmtk) is not installed")
    plain, packed = tmp_path / "plain.dcm", tmp_path / "packed.dcm"
    plain.write_bytes(dicom_bytes(PHANTOM, PixelData=PHANTOM.astype("<u2").tobytes(), **WINDOW))
    subprocess.run([encoder, option, str(plain), str(packed)], check=True, capture_output=True)
    pixels, _ = read(tmp_path, packed.read_bytes())
    assert np.abs(pixels - EXPECTED).max() < (0.02 if option == "+ee" else 1e-3)


def test_without_preamble_or_meta(tmp_path: Path) -> None:
    data = dicom_bytes(PHANTOM, syntax=ImplicitVRLittleEndian, **WINDOW)
    body = data[144 + int.from_bytes(data[140:144], "little") :]
    assert np.abs(read(tmp_path, body)[0] - EXPECTED).max() < 1e-3


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 15, 16])
def test_depths_with_a_window(tmp_path: Path, bits: int) -> None:
    stored = (PHANTOM.astype(np.float64) / 4095 * (2**bits - 1)).astype(np.uint16)
    data = dicom_bytes(stored, bits=bits, WindowCenter=2 ** (bits - 1), WindowWidth=2**bits)
    assert np.abs(read(tmp_path, data)[0] - EXPECTED).max() < 0.01


def test_monochrome1_is_turned_after_the_window(tmp_path: Path) -> None:
    plain, _ = read(tmp_path, dicom_bytes(PHANTOM, WindowCenter=1000, WindowWidth=1500))
    turned, sheet = read(
        tmp_path, dicom_bytes(PHANTOM, WindowCenter=1000, WindowWidth=1500, PhotometricInterpretation="MONOCHROME1")
    )
    assert np.allclose(turned, 1 - plain, atol=1e-6)
    assert [note.code for note in sheet.quality] == ["quality.window", "quality.inverted"]


def ramp_of(function: str | None, **header: Any) -> Any:
    values = np.array([[0, 1023, 2047, 2048, 3000, 4095]], np.uint16)
    return np.repeat(values, 4, axis=0), {"VOILUTFunction": function, **header}


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("LINEAR", [0, (1023 - 2047.5) / 2047 + 0.5, 0.49976, 0.50024, (3000 - 2047.5) / 2047 + 0.5, 1]),
        ("LINEAR_EXACT", [0, (1023 - 2048) / 2048 + 0.5, 0.49951, 0.5, (3000 - 2048) / 2048 + 0.5, 1]),
        ("SIGMOID", [0.017986, 0.119, 0.49951, 0.5, 0.8652, 0.98196]),
    ],
)
def test_windows_of_the_standard(tmp_path: Path, function: str, expected: list[float]) -> None:
    values, header = ramp_of(function, WindowCenter=2048, WindowWidth=2048)
    pixels, _ = read(tmp_path, dicom_bytes(values, **header))
    assert pixels[0] == pytest.approx(expected, abs=1e-3)


def test_rescale_comes_before_the_window(tmp_path: Path) -> None:
    plain, _ = read(tmp_path, dicom_bytes(PHANTOM, **WINDOW))
    data = dicom_bytes(PHANTOM, RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=3096, WindowWidth=8192)
    assert np.abs(read(tmp_path, data)[0] - plain).max() < 1e-3


@pytest.mark.parametrize(
    "window",
    [{}, {"WindowCenter": 100, "WindowWidth": 0}, {"WindowCenter": 100, "WindowWidth": -5}, {"WindowCenter": 5}],
)
def test_without_a_usable_window_the_pixels_set_the_scale(tmp_path: Path, window: dict[str, Any]) -> None:
    pixels, sheet = read(tmp_path, dicom_bytes(PHANTOM // 8, **window))
    assert pixels.max() == 1
    assert 0.2 < pixels.mean() < 0.8
    assert sheet.quality == []


def test_a_table_instead_of_a_window(tmp_path: Path) -> None:
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 12]
    table.add_new(0x00283006, "OW", (4095 - np.arange(4096)).astype("<u2").tobytes())
    pixels, sheet = read(tmp_path, dicom_bytes(PHANTOM, VOILUTSequence=[table]))
    assert np.abs(pixels - (1 - EXPECTED)).max() < 0.01
    assert [note.code for note in sheet.quality] == ["quality.window"]


def colour(shape: tuple[int, int] = (256, 200)) -> npt.NDArray[np.uint8]:
    return np.repeat(np.asarray(PHANTOM >> 4, dtype=np.uint8)[..., None], 3, axis=2)


def test_rgb(tmp_path: Path) -> None:
    header: dict[str, Any] = {
        "SamplesPerPixel": 3,
        "PlanarConfiguration": 0,
        "BitsAllocated": 8,
        "PixelData": colour().tobytes(),
    }
    data = dicom_bytes(PHANTOM, bits=8, PhotometricInterpretation="RGB", WindowCenter=128, WindowWidth=256, **header)
    pixels, sheet = read(tmp_path, data)
    assert np.abs(pixels - EXPECTED).max() < 0.02
    assert "quality.colour" in [note.code for note in sheet.quality]


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"BodyPartExamined": "KNEE"}, "body_part_not_chest"),
        ({"BodyPartExamined": "BREAST"}, "body_part_not_chest"),
        ({"Modality": "CT"}, "dicom_modality_unsupported"),
        ({"Modality": "MG"}, "dicom_modality_unsupported"),
        ({"NumberOfFrames": 2}, "dicom_multiframe"),
        ({"Rows": 60_000, "Columns": 60_000}, "dicom_too_large"),
        ({"Rows": 4000}, "input_truncated"),
        ({"PixelData": b""}, "input_truncated"),
        ({"BitsAllocated": 7}, "input_unreadable"),
        ({"SamplesPerPixel": 9}, "input_unreadable"),
        ({"PhotometricInterpretation": "HSV"}, "input_unreadable"),
        ({"Rows": None}, "dicom_no_pixels"),
    ],
)
def test_the_gate(tmp_path: Path, header: dict[str, Any], code: str) -> None:
    assert code_of(tmp_path, dicom_bytes(PHANTOM, **header)) == code


@pytest.mark.parametrize("body_part", ["CHEST", "Thorax", "TORAX", "LUNG", "RIBS", "PORT CHEST", "UNKNOWN", None])
def test_names_of_the_chest(tmp_path: Path, body_part: str | None) -> None:
    assert read(tmp_path, dicom_bytes(PHANTOM, BodyPartExamined=body_part))[0].shape == PHANTOM.shape


@pytest.mark.parametrize("modality", ["DX", "DR", "RG", None])
def test_projection_modalities(tmp_path: Path, modality: str | None) -> None:
    assert read(tmp_path, dicom_bytes(PHANTOM, Modality=modality))[0].shape == PHANTOM.shape


def test_a_deflate_bomb_is_not_inflated(tmp_path: Path) -> None:
    data = deflate_bomb()
    assert len(data) < 2**20
    tracemalloc.start()
    try:
        assert code_of(tmp_path, data) == "dicom_too_large"
        assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.99])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, "1.2.840.10008.1.2.1.99", RLELossless, JPEG2000Lossless])
def test_an_end_that_is_missing(tmp_path: Path, syntax: str, share: float) -> None:
    plain = dicom_bytes(PHANTOM)
    compressed = syntax in (RLELossless, JPEG2000Lossless)
    data = recoded(plain, syntax) if compressed else dicom_bytes(PHANTOM, syntax=syntax)
    assert code_of(tmp_path, data[: int(len(data) * share)]) in {"input_truncated", "dicom_no_pixels"}


def test_facts(tmp_path: Path) -> None:
    _, sheet = read(tmp_path, dicom_bytes(PHANTOM, InstitutionName="Ward 3", TimezoneOffsetFromUTC="+0130"))
    assert sheet.facts.pop("study_uid") != sheet.facts.pop("sop_uid")
    assert sheet.facts == {
        "patient_id": "SYNTHETIC-1",
        "age_years": 45.0,
        "sex": "O",
        "view": "PA",
        "body_part": "CHEST",
        "device": "Synthetic Phantom",
        "site": "Ward 3",
        "acquired_at": "2026-01-02T03:04:05+01:30",
    }


@pytest.mark.parametrize(
    ("header", "fact"),
    [
        ({"PatientID": "a\nb"}, "patient_id"),
        ({"PatientID": "x" * 65}, "patient_id"),
        ({"PatientAge": "450Y"}, "age_years"),
        ({"PatientAge": "45"}, "age_years"),
        ({"PatientSex": "X"}, "sex"),
        ({"StudyInstanceUID": "../../x"}, "study_uid"),
        ({"SOPInstanceUID": "1." + "2" * 64}, "sop_uid"),
        ({"StudyDate": "20261399"}, "acquired_at"),
        ({"ViewPosition": "P\x07A"}, "view"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_malformed_fact_is_left_out(tmp_path: Path, header: dict[str, Any], fact: str) -> None:
    _, sheet = read(tmp_path, dicom_bytes(PHANTOM, **header))
    assert fact not in sheet.facts


@pytest.mark.parametrize(("age", "years"), [("045Y", 45.0), ("006M", 0.5), ("010D", 0.03), ("008W", 0.15)])
def test_ages(tmp_path: Path, age: str, years: float) -> None:
    assert read(tmp_path, dicom_bytes(PHANTOM, PatientAge=age))[1].facts["age_years"] == years


def test_age_from_dates(tmp_path: Path) -> None:
    data = dicom_bytes(PHANTOM, PatientAge=None, PatientBirthDate="19660102")
    assert read(tmp_path, data)[1].facts["age_years"] == pytest.approx(60, abs=0.01)


@pytest.mark.data
def test_real_files(data: Path) -> None:
    """One chest as JPEG 2000 and as JPEG-LS is the same picture; limbs and a hip are turned away by their header."""
    folder = data / "cxr" / "dicom"
    first, second = Sheet(), Sheet()
    lossy = read_dicom(folder / "chest_cr_j2k_lossy.dcm", first).pixels
    near = read_dicom(folder / "chest_cr_jpegls_near.dcm", second).pixels
    assert lossy.shape == near.shape == (1955, 1841)
    assert np.abs(lossy - near).mean() < 0.005
    assert [note.code for note in first.quality] == ["quality.lossy", "quality.window", "quality.inverted"]
    assert first.facts["view"] == "PA"
    lungs, spine = lossy[500:900, 300:600].mean(), lossy[1200:1600, 850:950].mean()
    assert lungs < spine - 0.2
    for name in ("extremity_cr_j2k_lossless", "extremity_cr_rle", "hip_cr_j2k_lossy"):
        with pytest.raises(InputRejected) as caught:
            read_dicom(folder / f"{name}.dcm", Sheet())
        assert caught.value.code == "body_part_not_chest"
