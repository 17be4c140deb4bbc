"""What is accepted and which versions there are: everything here is read from cards."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from services.api import moves, replies
from services.api.auth import Signed
from services.api.gateway import of
from services.api.moves import Address
from services.api.pointers import VersionDetail, VersionSummary, pointing, version_summary
from services.api.views import version_ref
from shared.db.statements import versions
from shared.schemas import Card, Modality, VersionRef
from shared.sentences import say
from shared.sniff import read_by

router = APIRouter(tags=["models"])


class ModelView(BaseModel):
    """One modality as it is served now; without a version nothing is accepted."""

    modality: Modality
    title: str
    finding: str | None
    accepted: list[str]
    max_bytes: int
    input: str | None
    warning: str | None
    intended_use: str | None
    active: VersionRef | None
    generation: int | None


class Models(BaseModel):
    """Every modality."""

    models: list[ModelView]


class Versions(BaseModel):
    """Every version of a modality, newest first."""

    versions: list[VersionSummary]


@router.get("/v1/models", summary="Modalities, what they accept, and which version answers")
async def models(request: Request, caller: Signed) -> Models:
    """Read from the active versions' cards."""
    gateway = of(request)
    found: dict[Modality, ModelView] = {}
    async with gateway.begin() as session:
        for deployment, active, *_ in await session.execute(versions.deployments(caller.tenant_id)):
            if active is None:
                continue
            card = (await gateway.cards.of(session, [active.id]))[active.id]
            view = _view(card, version_ref(active), deployment.generation, gateway.settings.max_upload_mb * 2**20)
            found.setdefault(view.modality, view)
    return Models(models=[found.get(modality) or _closed(modality) for modality in Modality])


@router.get(
    "/v1/models/{modality}/versions", summary="Versions of a modality, newest first", responses=replies.errors(404)
)
async def of_modality(request: Request, caller: Signed, modality: Modality) -> Versions:
    """Summaries of their cards, and which pointers name them."""
    gateway = of(request)
    async with gateway.begin() as session:
        pointers = await session.execute(versions.deployments(caller.tenant_id, modality))
        named = pointing([row[0] for row in pointers])
        found = (await session.scalars(versions.of_modality(modality))).all()
        cards = await gateway.cards.of(session, [version.id for version in found])
    return Versions(versions=[version_summary(version, cards[version.id], named) for version in found])


@router.get(
    "/v1/versions/{sha256}",
    response_model=VersionDetail,
    summary="One version with its card",
    responses=replies.errors(404),
)
async def version(request: Request, caller: Signed, sha256: Address) -> Response:
    """The card says what the version was trained on, how good it is, and where not to use it."""
    gateway = of(request)
    async with gateway.begin() as session:
        found = await moves.addressed(session, sha256)
        card = (await gateway.cards.of(session, [found.id]))[found.id]
        pointers = await session.execute(versions.deployments(caller.tenant_id, found.modality))
        summary = version_summary(found, card, pointing([row[0] for row in pointers]))
    return replies.represented(request, VersionDetail(card=card, **summary.model_dump()))


def _view(card: Card, active: VersionRef, generation: int, most: int) -> ModelView:
    return ModelView(
        modality=card.modality,
        title=say(f"modality.{card.modality}"),
        finding=card.finding,
        accepted=list(read_by(card.input.media_types)),
        max_bytes=min(card.input.max_bytes, most),
        input=card.input.summary,
        warning=card.warning,
        intended_use=card.intended_use,
        active=active,
        generation=generation,
    )


def _closed(modality: Modality) -> ModelView:
    return ModelView(
        modality=modality,
        title=say(f"modality.{modality}"),
        finding=None,
        accepted=[],
        max_bytes=0,
        input=None,
        warning=None,
        intended_use=None,
        active=None,
        generation=None,
    )
