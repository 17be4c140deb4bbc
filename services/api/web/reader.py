"""Whom a page is for."""

from typing import NamedTuple

from services.api.access import PATIENT
from services.api.auth import Caller
from services.api.web.navigation import Place, menu
from shared.schemas import Role


class Reader(NamedTuple):
    """What a page shows of the person who is signed in."""

    name: str
    tenant: str
    clinical: bool
    roles: frozenset[Role] = frozenset()

    @property
    def judges(self) -> bool:
        """Whether they may give verdicts."""
        return Role.CLINICIAN in self.roles

    @property
    def changes(self) -> bool:
        """Whether they may change what the pages for administrators show; an auditor only reads."""
        return Role.ADMIN in self.roles

    @property
    def menu(self) -> dict[str, list[Place]]:
        """Where they can go beside the worklist and the versions, by group."""
        return menu(self.roles)

    @classmethod
    def of(cls, caller: Caller) -> "Reader":
        """The reader behind a caller."""
        return cls(caller.name, caller.tenant, caller.may(*(PATIENT or ())), caller.roles)
