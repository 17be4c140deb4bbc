"""A form that cannot be accepted: its page comes back, filled in still, and says why."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import ValidationError

from shared.errors import ThoracleError, Unprocessable

Done = TypeVar("Done")


async def tried(
    act: Callable[[], Awaitable[Done]], said: Callable[[ValidationError], str] | None = None
) -> Done | ThoracleError:
    """What was done, or what forbids it. A failure of ours (5xx) is raised.

    `said`: the field that cannot be read, in words.
    """
    try:
        return await act()
    except ValidationError as error:
        if said is None:
            raise
        return Unprocessable(detail=said(error))
    except ThoracleError as problem:
        if problem.status >= 500:
            raise
        return problem


def field_of(error: ValidationError, whole: str = "") -> str:
    """The field that cannot be read; `whole` where it is the form itself."""
    place = error.errors(include_url=False, include_input=False, include_context=False)[0]["loc"]
    return str(place[0]) if place else whole
