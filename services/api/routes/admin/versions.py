"""Versions side by side: two or three of one kind of input, by what their cards say."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.api.auth import Signed
from services.api.gateway import of
from services.api.lineage import Lineage
from services.api.routes.lineage import of_version
from services.api.web import curves
from services.api.web.reader import Reader
from services.api.web.render import page
from services.api.web.shown import ShownVersion, shown_versions
from services.api.web.side_by_side import Side, differences, sides
from shared.sentences import say

router = APIRouter(include_in_schema=False)

_FEWEST, _MOST = 2, 3


@router.get("/admin/versions")
async def side_by_side(
    request: Request, caller: Signed, v: Annotated[list[str] | None, Query(max_length=20)] = None
) -> Response:
    """Choose, then compare. Everything shown is from the cards, and so from patients whom no version had seen."""
    known = await shown_versions(of(request), caller.tenant_id)
    chosen = [version for version in known if version.sha256 in (v or [])]
    problem = _problem(chosen) if v is not None else None
    shown: list[Side] = sides(chosen) if v and not problem else []
    cards = [side.version.card for side in shown]
    return page(
        "admin/side_by_side.html",
        reader=Reader.of(caller),
        known=known,
        chosen=v or [],
        problem=problem,
        sides=shown,
        differences=differences(cards) if cards else [],
        roc=curves.operating_points(cards) if cards else None,
        reliability=curves.reliability(cards) if any(card.metrics.detail for card in cards) else None,
    )


@router.get("/admin/versions/{sha256}")
async def lineage(request: Request, caller: Signed, sha256: str) -> Response:
    """From a version back to the first click. Verdicts are counted: an administrator sees no patients."""
    found = await of_version(request, caller, sha256)
    return page("admin/lineage.html", reader=Reader.of(caller), lineage=found, labels=_labels(found))


def _labels(found: Lineage) -> list[tuple[str, int]]:
    """How many verdicts rest on which basis, and whose answers they judged."""
    if found.retraining is None:
        return []
    verdicts = found.retraining.verdicts
    bases = [(say(f"admin.basis.{basis}"), count) for basis, count in verdicts.by_basis.items()]
    return [
        *bases,
        *((say("admin.lineage.answered", name=name), count) for name, count in verdicts.answered_by.items()),
    ]


def _problem(chosen: list[ShownVersion]) -> str | None:
    if not _FEWEST <= len(chosen) <= _MOST:
        return say("admin.side.how_many")
    if len({version.card.modality for version in chosen}) > 1:
        return say("admin.side.one_kind")
    return None
