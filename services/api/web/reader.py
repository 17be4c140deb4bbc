"""Whom a page is for."""

from typing import NamedTuple

from services.api.access import PATIENT
from services.api.auth import Caller


class Reader(NamedTuple):
    """What a page shows of the person who is signed in."""

    name: str
    tenant: str
    clinical: bool

    @classmethod
    def of(cls, caller: Caller) -> "Reader":
        """The reader behind a caller."""
        return cls(caller.name, caller.tenant, caller.may(*(PATIENT or ())))
