"""From a version back to the first click."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from services.api import lineage, replies
from services.api.auth import Signed
from services.api.gateway import of
from services.api.lineage import Lineage
from shared.db.statements import versions
from shared.errors import NotFound

router = APIRouter(tags=["models"])


@router.get(
    "/v1/versions/{sha256}/lineage",
    summary="Where a version comes from",
    responses=replies.errors(404),
)
async def of_version(
    request: Request, caller: Signed, sha256: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
) -> Lineage:
    """Its moves, its run, its data, and the verdicts that made it: one by one for their own hospital, else counted."""
    gateway = of(request)
    async with gateway.begin() as session:
        version = await session.scalar(versions.addressed(sha256))
        if version is None:
            raise NotFound("version_unknown")
        card = (await gateway.cards.of(session, [version.id]))[version.id]
        return await lineage.lineage(session, caller, version, card)
