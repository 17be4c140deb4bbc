"""A folder, a zip or a manifest as parts of a batch, and their bodies as the gateway's own reader takes them."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import bulk
from cli.bulk import Item, items_of, parts
from cli.packing import Unreadable, body_of
from services.api.bulk import manifest
from services.api.bulk.archive import MANIFEST, Archive
from services.api.bulk.manifest import Line
from shared.errors import BadRequest

COUGH = {"modality": "cough"}


def received(part: list[Item]) -> dict[str, tuple[bytes | None, dict[str, str]]]:
    """What the gateway reads of a part with files: key → bytes and what the line says."""
    kind, body = body_of(part)
    assert kind == "application/zip"
    archive = Archive(io.BytesIO(b"".join(body())), 100, 1 << 20)
    lines = manifest.from_csv(archive.pieces(MANIFEST, 1 << 20), 100)
    found = {}
    for line in lines:
        assert isinstance(line, Line)
        there = archive.size(line.source) is not None
        content = b"".join(archive.pieces(line.source, 1 << 20)) if there else None
        found[line.key] = content, dict(line.texts)
    return found


def test_a_folder_comes_whole_whatever_its_files_are_called(tmp_path: Path) -> None:
    names = ("a.wav", "ward/b.wav", 'odd "name", c:\\x.wav', "ünï.wav")
    (tmp_path / "ward").mkdir()
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / ".hidden").write_bytes(b"x")
    with items_of(tmp_path, COUGH) as items:
        (part,) = parts(items)
        assert received(part) == {name: (name.encode(), COUGH) for name in names}


@pytest.mark.parametrize("packed", [False, True])
def test_a_manifest_outranks_the_options_and_names_what_is_absent(tmp_path: Path, packed: bool) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.wav").write_bytes(b"a")
    (folder / "b.wav").write_bytes(b"b")
    (folder / "manifest.csv").write_text("file,key,modality,age_years\na.wav,first,lung_sound,4\nmissing.wav,,,\n")
    source = _zip(folder, tmp_path / "it.zip") if packed else folder
    with items_of(source, COUGH) as items:
        (part,) = parts(items)
        assert received(part) == {
            "first": (b"a", {"modality": "lung_sound", "age_years": "4"}),
            "missing.wav": (None, {"modality": "cough", "age_years": ""}),
        }


def _zip(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    return target


def test_stored_inputs_go_as_lines_apart_from_files(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"a")
    lines = [{"sha256": "0" * 64, "age_years": 3}, {"file": "a.wav"}, {"sha256": "1" * 64, "key": "k"}]
    (tmp_path / "list.ndjson").write_text("\n".join(json.dumps(line) for line in lines))
    with items_of(tmp_path / "list.ndjson", COUGH) as items:
        first, second, third = parts(items)
        assert received(second) == {"a.wav": (b"a", COUGH)}
        kind, body = body_of(first + third)
        assert kind == "application/x-ndjson"
        read = manifest.from_ndjson(body(), 10)
    assert [(line.key, line.source) for line in read if isinstance(line, Line)] == [
        ("0" * 64, "0" * 64),
        ("k", "1" * 64),
    ]


def test_parts_are_bounded_in_number_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "_PART_ITEMS", 3)
    monkeypatch.setattr(bulk, "_PART_BYTES", 10)
    items = [Item(str(at), {}, None, size) for at, size in enumerate([1, 1, 1, 1, 9, 2, 30, 1])]
    assert [[item.size_bytes for item in part] for part in parts(items)] == [[1, 1, 1], [1, 9], [2], [30], [1]]


def test_a_file_that_breaks_off_is_never_sent_as_if_it_were_whole() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 0:
                raise OSError
            return super().read(1)

    item = Item("a.wav", COUGH, lambda: Broken(b"abc"), 3)
    _, body = body_of([item])
    with pytest.raises(Unreadable):
        b"".join(body())


def test_the_body_is_made_piece_by_piece() -> None:
    class Endless(io.RawIOBase):
        def __init__(self) -> None:
            self.given = 0

        def read(self, size: int = -1) -> bytes:
            self.given += size
            return bytes(size) if self.given <= 64 << 20 else b""

    _, body = body_of([Item("a", COUGH, _always(Endless()), 64 << 20)])
    assert max(len(piece) for piece in body()) < 1 << 20


def _always(stream: io.RawIOBase) -> Callable[[], io.RawIOBase]:
    return lambda: stream


@pytest.mark.parametrize("name", ["picture.png", "list.ndjson", "empty.csv", "numbers.ndjson"])
def test_what_is_no_batch_is_said(tmp_path: Path, name: str) -> None:
    contents = {"picture.png": b"\x89PNG\r\n\xff", "list.ndjson": b"{nonsense", "numbers.ndjson": b"[1]\n"}
    (tmp_path / name).write_bytes(contents.get(name, b""))
    with pytest.raises(BadRequest), items_of(tmp_path / name, COUGH):
        pass
