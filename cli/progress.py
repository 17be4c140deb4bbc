"""Progress bars on standard error; silent where nobody looks at a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Item = TypeVar("Item")


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[Item], Item]]:
    """A bar over `total` steps; call what it yields with each finished item, which it hands back."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=total)

        def step(item: Item) -> Item:
            bar.advance(task)
            return item

        yield step
