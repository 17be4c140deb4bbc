"""The pages as the documentation shows them: every scene was made, in light and dark, and is small."""

import pytest

from tests.e2e.pictures import DOCS, FOLDER, MOST_BYTES, album, every
from tests.e2e.scenes import Scene


@pytest.mark.parametrize("scene", every(), ids=lambda scene: scene.name)
@pytest.mark.parametrize("ending", ["", "-dark"])
def test_a_page_is_shown(scene: Scene, ending: str) -> None:
    picture = FOLDER / f"{scene.name}{ending}.png"
    assert picture.exists(), "make pictures"
    assert picture.stat().st_size <= MOST_BYTES


def test_the_page_of_the_documentation_is_what_the_command_writes() -> None:
    assert (DOCS / "pages.md").read_text() == album(), "make pictures"
