"""A version is sealed: whatever is altered, added, removed or swapped is noticed at every load."""

import json
import shutil
from pathlib import Path

import pytest

from shared.errors import VersionInvalid
from shared.registry import FILES, MANIFEST, seal, store, verify
from shared.runtimes import load
from shared.schemas import Modality


@pytest.fixture
def version(tiny_versions: dict[Modality, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_versions[Modality.COUGH], tmp_path / "version"))


def test_a_sealed_version_verifies_and_loads(version: Path) -> None:
    artefact = verify(version)
    load(artefact, threads=1)
    assert artefact.card.recipe == "cough/mlp"


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_one_flipped_bit_is_noticed(version: Path, name: str) -> None:
    address = verify(version).sha256
    body = bytearray((version / name).read_bytes())
    body[len(body) // 2] ^= 1
    (version / name).write_bytes(body)
    with pytest.raises(VersionInvalid):
        verify(version, address)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_noticed(version: Path, name: str) -> None:
    (version / name).unlink()
    with pytest.raises(VersionInvalid):
        verify(version)
    with pytest.raises(VersionInvalid, match=name):
        seal(version)


def test_a_swapped_version_is_noticed(version: Path, tiny_versions: dict[Modality, Path]) -> None:
    other = verify(tiny_versions[Modality.LUNG_SOUND]).sha256
    with pytest.raises(VersionInvalid):
        verify(version, other)


def test_a_version_that_answers_differently_is_not_loaded(version: Path) -> None:
    card = json.loads((version / "card.json").read_text())
    card["golden"]["scores"][0] += 0.1
    (version / "card.json").write_text(json.dumps(card))
    seal(version)
    with pytest.raises(VersionInvalid, match="golden"):
        load(verify(version), threads=1)


def test_storing_twice_keeps_one(version: Path, tmp_path: Path) -> None:
    first, second = store(version, tmp_path / "store"), store(version, tmp_path / "store")
    assert first == second
    assert [path.name for path in (tmp_path / "store").iterdir()] == [first.sha256]
