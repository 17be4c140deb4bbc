"""Where people who look after the service can go: one line a page, shown to whom its row in `access` lets in."""

from collections.abc import Mapping, Set
from typing import NamedTuple

from services.api.web.access import PAGES
from shared.schemas import Role


class Place(NamedTuple):
    """A page in the menu. `here` is what its template calls itself; the sentence `admin.nav.HERE` names it."""

    here: str
    href: str


# A group's name is the sentence `admin.group.NAME`.
_GROUPS: Mapping[str, tuple[Place, ...]] = {
    "overview": (Place("overview", "/admin"),),
    "models": (
        Place("deployments", "/admin/deployments"),
        Place("side_by_side", "/admin/versions"),
        Place("training", "/admin/training"),
        Place("feedback", "/admin/feedback"),
        Place("retraining", "/admin/retraining"),
    ),
    "service": (
        Place("drift", "/admin/drift"),
        Place("system", "/admin/system"),
        Place("webhooks", "/admin/webhooks"),
        Place("keys", "/admin/keys"),
        Place("audit", "/admin/audit"),
    ),
}


def menu(roles: Set[Role]) -> dict[str, list[Place]]:
    """The groups of places that these roles may open; a group without any is left out."""
    found = {group: [place for place in places if _open(place, roles)] for group, places in _GROUPS.items()}
    return {group: places for group, places in found.items() if places}


def _open(place: Place, roles: Set[Role]) -> bool:
    return not roles.isdisjoint(PAGES.get(("GET", place.href)) or frozenset())
