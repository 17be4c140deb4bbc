"""From a version back to the first click."""

from fastapi import APIRouter, Request

from services.api import lineage, moves, replies
from services.api.auth import Signed
from services.api.gateway import of
from services.api.lineage import Lineage
from services.api.moves import Address

router = APIRouter(tags=["models"])


@router.get(
    "/v1/versions/{sha256}/lineage",
    summary="Where a version comes from",
    responses=replies.errors(404),
)
async def of_version(request: Request, caller: Signed, sha256: Address) -> Lineage:
    """Its moves, its run, its data, and the verdicts that made it: one by one for their own hospital, else counted."""
    gateway = of(request)
    async with gateway.begin() as session:
        version = await moves.addressed(session, sha256)
        card = (await gateway.cards.of(session, [version.id]))[version.id]
        return await lineage.lineage(session, caller, version, card)
