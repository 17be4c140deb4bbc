"""What every move of a pointer shares over HTTP: If-Match, a reason, who asks, and the answer."""

import re
from typing import Annotated

from fastapi import Header, Path, Request, Response
from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.auth import Caller
from services.api.pointers import DeploymentView, deployment_view
from services.api.problems import request_id
from shared.db.statements import audit, versions
from shared.db.tables import Version
from shared.errors import Conflict, NotFound, ThoracleError, Unprocessable
from shared.schemas import Modality

_PLAIN = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500, pattern=_PLAIN)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128, pattern=_PLAIN)]
Address = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="sha256 of a version")]
IfMatch = Annotated[str | None, Header(description='The generation that you looked at, as in `"3"`')]


_REASON = TypeAdapter(Reason)


class Body(BaseModel):
    """Base of the requests here: a field nobody knows is an error."""

    model_config = ConfigDict(extra="forbid")


class Missing(ThoracleError):
    """A change that does not say what it was decided on."""

    code, status = "precondition_required", 428


class Stale(ThoracleError):
    """Somebody else was faster."""

    code, status = "generation_stale", 412


def because(text: str) -> str:
    """A reason as it is kept. Raises pydantic's ValidationError."""
    return _REASON.validate_python(text)


def generation_of(if_match: str | None) -> int | None:
    """The generation that a caller looked at. Raises Stale: it can be none."""
    if if_match is None:
        return None
    found = re.fullmatch(r'\s*(?:W/)?"?(\d{1,15})"?\s*', if_match)
    if found is None:
        raise Stale
    return int(found[1])


def required(if_match: str | None) -> int:
    """The same for a move that must name it. Raises Missing, Stale."""
    generation = generation_of(if_match)
    if generation is None:
        raise Missing
    return generation


def as_precondition(conflict: Conflict) -> ThoracleError:
    """A lost race is the precondition's failure over HTTP; other conflicts stay."""
    return Stale() if conflict.code == "generation_stale" else conflict


def actor(caller: Caller) -> str:
    """A caller's name in the history."""
    return f"{caller.tenant}/{caller.name}"


async def named(session: AsyncSession, modality: Modality, name: str) -> Version:
    """The version of a modality with this sha256 or name. Raises Unprocessable."""
    version = await session.scalar(versions.named(modality, name))
    if version is None:
        raise Unprocessable("version_unknown")
    return version


async def addressed(session: AsyncSession, sha256: str) -> Version:
    """The version at an address. Raises NotFound."""
    version = await session.scalar(versions.addressed(sha256))
    if version is None:
        raise NotFound("version_unknown")
    return version


async def read(session: AsyncSession, caller: Caller, modality: Modality) -> DeploymentView:
    """The pointers as they are now. Raises NotFound."""
    row = (await session.execute(versions.deployments(caller.tenant_id, modality))).first()
    if row is None:
        raise NotFound("no_version")
    return deployment_view(tuple(row))


async def moved(
    session: AsyncSession, caller: Caller, modality: Modality, action: str, request: Request
) -> DeploymentView:
    """Remember the move in the audit log, in its own transaction, and read what it made."""
    await session.execute(audit.event(caller, action, "deployment", modality, request_id(request)))
    return await read(session, caller, modality)


def answer(view: DeploymentView) -> Response:
    """The pointers with their validator, the generation."""
    headers = {"ETag": f'"{view.generation}"', "Cache-Control": "private, no-cache"}
    return Response(view.model_dump_json(), headers=headers, media_type="application/json")
