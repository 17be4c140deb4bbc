"""What a check asks of the rows, and what it finds."""

from dataclasses import dataclass
from typing import Any

SHOWN = 20  # rows of a violation that are kept


@dataclass(frozen=True)
class Violation:
    """A promise that was broken: which, what was found, and up to `SHOWN` of the rows that show it."""

    invariant: str
    what: str
    rows: tuple[Any, ...]


@dataclass(frozen=True)
class Query:
    """`proves` is what holds when `sql` finds nothing."""

    invariant: str
    proves: str
    sql: str
