"""A version in one file: it comes out as it went in, and nothing else ever does."""

import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from shared import archive
from shared.errors import VersionInvalid
from shared.registry import FILES, MANIFEST, Artefact, verify
from shared.schemas import Modality

Entries = list[tuple[str, bytes]]


@pytest.fixture
def version(tiny_versions: dict[Modality, Path]) -> Artefact:
    return verify(tiny_versions[Modality.COUGH])


def test_a_version_comes_out_as_it_went_in(version: Artefact, tmp_path: Path) -> None:
    file, folder = tmp_path / "version.zip", tmp_path / "version"
    archive.pack(version, file)
    folder.mkdir()
    assert archive.unpack(file, folder).sha256 == version.sha256
    assert {path.name for path in folder.iterdir()} == {MANIFEST, *FILES}
    again = tmp_path / "again.zip"
    archive.pack(version, again)
    assert again.read_bytes() == file.read_bytes()


def _outside(entries: Entries) -> None:
    entries[1] = ("../card.json", entries[1][1])


def _absolute(entries: Entries) -> None:
    entries[1] = ("/tmp/card.json", entries[1][1])


def _more(entries: Entries) -> None:
    entries.append(("more.py", b"print()"))


def _twice(entries: Entries) -> None:
    entries.append(entries[0])


def _less(entries: Entries) -> None:
    del entries[2]


def _altered(entries: Entries) -> None:
    entries[1] = (entries[1][0], entries[1][1].replace(b"tiny-1", b"tiny-9"))


def _elsewhere(entries: Entries) -> None:
    place = [name for name, _ in entries].index("model.onnx")
    entries[place] = ("model.onnx", entries[place][1] + b"\n\x08location\x12\x0b/etc/passwd")


def _nested(entries: Entries) -> None:
    entries[0] = (MANIFEST, b"[" * 900_000)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_outside, "five files"),
        (_absolute, "five files"),
        (_more, "five files"),
        (_twice, "five files"),
        (_less, "five files"),
        (_altered, "altered"),
        (_elsewhere, "outside of it"),
        (_nested, "damaged|cannot be read"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_hostile_archive_is_refused(
    spoil: Callable[[Entries], None], said: str, version: Artefact, tmp_path: Path
) -> None:
    entries = [(name, (version.folder / name).read_bytes()) for name in (MANIFEST, *FILES)]
    spoil(entries)
    file, folder = tmp_path / "version.zip", tmp_path / "inside" / "version"
    with zipfile.ZipFile(file, "w") as zipped:
        for name, body in entries:
            zipped.writestr(name, body)
    folder.mkdir(parents=True)
    with pytest.raises(VersionInvalid, match=said):
        archive.unpack(file, folder)
    assert [path.name for path in folder.parent.iterdir()] == ["version"]


def test_a_file_that_unpacks_without_end_is_stopped(version: Artefact, tmp_path: Path) -> None:
    file, folder = tmp_path / "bomb.zip", tmp_path / "version"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name in (MANIFEST, *FILES):
            zipped.writestr(name, b"\0" * (archive.MOST["golden.npy"] + 1) if name == "golden.npy" else b"{}")
    folder.mkdir()
    with pytest.raises(VersionInvalid, match=r"golden\.npy is larger"):
        archive.unpack(file, folder)
    assert (folder / "golden.npy").stat().st_size <= archive.MOST["golden.npy"]


def test_a_link_in_an_archive_is_a_plain_file(version: Artefact, tmp_path: Path) -> None:
    file, folder = tmp_path / "link.zip", tmp_path / "version"
    with zipfile.ZipFile(file, "w") as zipped:
        for name in (MANIFEST, *FILES):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            zipped.writestr(entry, b"/etc/passwd")
    folder.mkdir()
    with pytest.raises(VersionInvalid):
        archive.unpack(file, folder)
    assert not any(path.is_symlink() for path in folder.iterdir())


@pytest.mark.parametrize("body", [b"", b"no archive", b"PK\x03\x04" + b"\0" * 100])
def test_what_is_no_archive_is_refused(body: bytes, tmp_path: Path) -> None:
    file = tmp_path / "any"
    file.write_bytes(body)
    with pytest.raises(VersionInvalid, match="damaged") as refusal:
        archive.unpack(file, tmp_path)
    assert refusal.value.code == "archive_invalid"


def test_every_flipped_byte_is_noticed(version: Artefact, tmp_path: Path) -> None:
    whole = tmp_path / "whole.zip"
    archive.pack(version, whole)
    body = whole.read_bytes()
    with zipfile.ZipFile(io.BytesIO(body)) as zipped:
        starts = [entry.header_offset for entry in zipped.infolist()]
    for place in range(starts[1] + 100, len(body) - 400, len(body) // 40):
        broken = bytearray(body)
        broken[place] ^= 1
        file, folder = tmp_path / "broken.zip", tmp_path / str(place)
        file.write_bytes(broken)
        folder.mkdir()
        try:
            assert archive.unpack(file, folder).sha256 == version.sha256  # only where the zip itself does not look
        except VersionInvalid:
            continue
