"""Style sheet, script and icon."""

from fastapi import APIRouter, Response

from services.api.web.assets import assets
from shared.errors import NotFound

router = APIRouter(include_in_schema=False)


@router.get("/static/{name}")
async def static(name: str) -> Response:
    """One of our own files. The address changes with the content, so it may be kept for ever."""
    asset = assets().get(name)
    if asset is None:
        raise NotFound
    return Response(
        asset.body, media_type=asset.media_type, headers={"Cache-Control": "public, max-age=31536000, immutable"}
    )
