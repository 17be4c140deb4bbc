"""Lists that come in pages: how much, from where, and the cursor of what follows."""

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.api import cursor

Row = TypeVar("Row")
Text = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
Limit = Annotated[int, Query(ge=1, le=200, description="Most rows of a page")]
After = Annotated[str | None, Query(alias="cursor", max_length=64, description="`next` of the page before")]


class Filter(BaseModel):
    """Base of what a list is asked for; everything is optional, and all of it must hold."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=200)
    cursor: Text | None = None


def paged(
    rows: Sequence[Row], limit: int, last: Callable[[Row], UUID | int | tuple[int, UUID]]
) -> tuple[Sequence[Row], str | None]:
    """Of up to `limit` + 1 rows those of the page, and the cursor of what follows; `last`: where a row stands."""
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], cursor.encode(last(rows[limit - 1]))
