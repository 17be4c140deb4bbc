"""The kinds of access that a route can have; the rows are in `roles` and, for pages, in `web/access`."""

from collections.abc import Mapping

from shared.schemas import Role

Access = frozenset[Role] | None
Table = Mapping[tuple[str, str], Access]

PUBLIC: Access = None
ANYBODY: Access = frozenset(Role)  # whoever is signed in
PATIENT: Access = frozenset({Role.SUBMITTER, Role.CLINICIAN})  # an administrator as such sees no patient data
JUDGE: Access = frozenset({Role.CLINICIAN})
JUDGES: Access = frozenset({Role.CLINICIAN, Role.ADMIN})
WAITING: Access = frozenset({Role.CLINICIAN, Role.ADMIN, Role.AUDITOR})  # who looks after the service sees no patient
ADMIN: Access = frozenset({Role.ADMIN})
OVERSEER: Access = frozenset({Role.ADMIN, Role.AUDITOR})  # looks after the service; an auditor changes nothing
