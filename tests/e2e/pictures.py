"""Makes pictures of the pages and docs/pages.md on a Thoracle of its own: `python -m tests.e2e.pictures [NAME ...]`.

It needs Chromium and a font with Chinese characters (Debian: `fonts-wqy-microhei`). All that is shown is synthetic.
 A page is shown as the starter versions make it, in light and dark.
"""

import io
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from cli.local import sign_in_links
from infra.stack import Stack
from shared.db.engine import Database
from shared.schemas import Role
from shared.settings import Settings
from tests.e2e import scenes
from tests.e2e.conftest import FLAGS, find_chromium
from tests.e2e.scenes import Scene
from tests.e2e.support import SCHEMES

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "pictures"
MOST_BYTES = 120_000
_APART = 20  # of 255, in one channel at least
_ABOUT = """Each page in light and dark, as `make pictures` makes them on a Thoracle of its own with its starter
versions. All inputs are synthetic, made by a program; no picture or sound is of a patient. Every page says
"Research use only. Not for diagnosis.", works by keyboard, on a tablet (820 pixels wide), in English and in Chinese."""


def modules() -> list[ModuleType]:
    """The modules with scenes, by name."""
    return [import_module(f"{scenes.__name__}.{found.name}") for found in iter_modules(scenes.__path__)]


def every() -> list[Scene]:
    """The scenes of all modules, in the order of their names."""
    return [scene for module in modules() for scene in module.SCENES]


def album() -> str:
    """The page of the documentation that shows what has been made."""
    lines = ["# Pages", "", _ABOUT]
    for module in modules():
        made = [scene for scene in module.SCENES if (FOLDER / f"{scene.name}.png").exists()]
        lines += ["", f"## {(module.__doc__ or '').splitlines()[0].rstrip('.')}"]
        for scene in made:
            lines += ["", f"### {scene.caption or scene.name.replace('-', ' ').capitalize()}", ""]
            lines.append(
                f"![{scene.name}](pictures/{scene.name}.png) ![{scene.name}, dark](pictures/{scene.name}-dark.png)"
            )
    return "\n".join(lines) + "\n"


def main(names: Sequence[str]) -> None:
    """Make the pictures of these names, or of all."""
    wanted = [scene for scene in every() if not names or scene.name in names]
    with tempfile.TemporaryDirectory() as home, Stack(_settings(Path(home)), print) as stack:
        database = Database(stack.settings)
        for module in modules():
            if hasattr(module, "prepare") and set(module.SCENES) & set(wanted):
                module.prepare(stack.settings, database)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
            tabs: dict[Role, Page] = {}
            for scene in wanted:
                if scene.role not in tabs:
                    links = sign_in_links(stack.settings, database)
                    tabs[scene.role] = _signed_in(browser, links[scene.role])
                tabs[scene.role].context.clear_cookies(name="thoracle_language")
                scene.open(tabs[scene.role], stack.settings.base_url)
                save(tabs[scene.role], scene.name)
            browser.close()
        database.close()
    (DOCS / "pages.md").write_text(album())


def save(page: Page, name: str) -> None:
    """What the page shows, in light and dark, as small files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    page.evaluate("document.activeElement?.blur()")
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        picture = Image.open(io.BytesIO(page.screenshot(full_page=True)))
        ending = "" if scheme == "light" else f"-{scheme}"
        (FOLDER / f"{name}{ending}.png").write_bytes(small(picture.convert("RGB")))
    page.emulate_media(color_scheme="light")


def small(picture: Image.Image) -> bytes:
    """A PNG with as many colours as fit the limit; then with fewer pixels."""
    while True:
        for colours in (256, 128, 96):
            file = io.BytesIO()
            few = picture.quantize(palette=_palette(picture, colours), dither=Image.Dither.NONE)
            few.save(file, format="PNG", optimize=True)
            if file.tell() <= MOST_BYTES:
                return file.getvalue()
        picture = picture.resize((picture.width * 9 // 10, picture.height * 9 // 10), Image.Resampling.LANCZOS)


def _palette(picture: Image.Image, colours: int) -> Image.Image:
    """Half of the colours lie apart, so that a thin line of a chart keeps its own; the others by frequency."""
    found = picture.getcolors(picture.width * picture.height) or []
    often = np.array([colour for _, colour in sorted(found, reverse=True)[:6000]], dtype=np.int16)
    kept = often[:1]
    for colour in often[1:]:
        if len(kept) < colours // 2 and np.abs(kept - colour).max(axis=1).min() >= _APART:
            kept = np.vstack([kept, colour])
    rest = picture.quantize(colours - len(kept)).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*kept.ravel().tolist(), *rest][: 3 * colours])
    return palette


def _signed_in(browser: Browser, link: str) -> Page:
    page = browser.new_page(viewport={"width": 1180, "height": 820}, locale="en-GB", timezone_id="UTC")
    page.goto(link)
    page.locator("main form button.primary").click()
    page.wait_for_load_state()
    return page


def _settings(home: Path) -> Settings:
    return Settings(_env_file=None, home=home, data_dir=home / "data")


if __name__ == "__main__":
    main(sys.argv[1:])
