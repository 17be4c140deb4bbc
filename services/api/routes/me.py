"""Who am I: the principal behind the credential, for clients that want to know before they try."""

from typing import Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from services.api.auth import Signed
from shared.schemas import Role

router = APIRouter(tags=["me"])


class Me(BaseModel):
    """The caller."""

    principal: UUID
    name: str
    kind: Literal["person", "system"]
    tenant: str
    roles: list[Role]
    credential: Literal["key", "session"]


@router.get("/v1/me", summary="Who you are and what you may do")
async def me(caller: Signed) -> Me:
    """Whom this credential belongs to."""
    return Me.model_validate(
        {
            "principal": caller.principal_id,
            "name": caller.name,
            "kind": caller.kind,
            "tenant": caller.tenant,
            "roles": sorted(caller.roles),
            "credential": caller.credential,
        }
    )
