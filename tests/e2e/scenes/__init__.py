"""Pages as the documentation shows them: each module has SCENES, in the order in which they are to be made,
and perhaps a function `prepare(settings, database)` that makes what they show.

`make pictures` makes `docs/pictures/NAME.png` and `NAME-dark.png` of each, and `docs/pages.md`, which shows them all
under the first line of their module.
"""

from collections.abc import Callable
from typing import NamedTuple

from playwright.sync_api import Page

from shared.schemas import Role


class Scene(NamedTuple):
    """One page. `open` brings a tab, in which somebody with the role is signed in, from anywhere to it."""

    name: str
    role: Role
    open: Callable[[Page, str], None]  # the tab, and the address of the running Thoracle
    caption: str = ""
