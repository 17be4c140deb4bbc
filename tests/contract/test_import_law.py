"""The import law holds, and breaking it is noticed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SABOTAGE = [
    ("services/api/intake.py", "import shared.transforms.audio"),
    ("services/worker/engine.py", "import services.api.app"),
    ("shared/storage.py", "import numpy"),
    ("services/worker/engine.py", "import torch"),
    ("shared/queue.py", "import services.worker.engine"),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("law")
    for package in ("shared", "services", "cli", "infra"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("starter", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def law(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_law_holds(copy: Path) -> None:
    result = law(copy)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(("module", "line"), SABOTAGE)
def test_breaking_it_is_noticed(copy: Path, module: str, line: str) -> None:
    path = copy / module
    honest = path.read_text()
    path.write_text(f"{honest}\n{line}\n")
    try:
        result = law(copy)
    finally:
        path.write_text(honest)
    assert result.returncode != 0
    assert "BROKEN" in result.stdout
