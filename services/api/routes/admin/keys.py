"""Keys and people: who acts for the hospital; make a key or a sign-in link, shown once; revoke."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ValidationError

from services.api.auth import Caller, Signed
from services.api.routes import keys
from services.api.web.forms import field_of, tried
from services.api.web.reader import Reader
from services.api.web.render import page
from services.api.web.secret import secret_page
from shared.errors import ThoracleError
from shared.schemas import Role
from shared.sentences import say

router = APIRouter(include_in_schema=False)


class Asked(BaseModel):
    """The form of a new key."""

    name: str = ""
    roles: list[str] = []
    kind: str = "person"
    what: str = "link"
    days: str = ""
    person: str = ""


@router.get("/admin/keys")
async def overview(request: Request, caller: Signed, done: str = "") -> Response:
    """Everybody, with the beginnings of their keys."""
    return await _overview(request, caller, Asked(), revoked=done == "revoked")


@router.post("/admin/keys")
async def make(request: Request, caller: Signed, asked: Annotated[Asked, Form()]) -> Response:
    """Make it and show it, once. What is wrong is said above the form, which is filled in still."""
    made = await tried(lambda: keys.make(request, caller, _wanted(asked)), _said)
    if isinstance(made, ThoracleError):
        return await _overview(request, caller, asked, made)
    return secret_page(caller, made.kind, made.name, made.secret, "/admin/keys")


@router.post("/admin/keys/{key_id}/revoke")
async def revoke(request: Request, caller: Signed, key_id: UUID) -> Response:
    """Invalid at once; its holder is signed out everywhere."""
    await keys.revoke(request, caller, key_id)
    return RedirectResponse("/admin/keys?done=revoked", status_code=303)


def _wanted(asked: Asked) -> keys.NewKey:
    given = {"name": asked.name, "roles": asked.roles, "kind": asked.kind, "what": asked.what}
    hours = {"hours": 24 * _number(asked.days)} if asked.days.strip() else {}
    person = {"person": asked.person} if asked.person.strip() else {}
    return keys.NewKey.model_validate({**given, **hours, **person})


def _number(text: str) -> float:
    """The days of the form; what is no number is none, which the model refuses."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def _said(error: ValidationError) -> str:
    field = field_of(error)
    return say(f"admin.key.invalid.{field if field in ('name', 'roles', 'hours', 'person') else 'other'}")


async def _overview(
    request: Request, caller: Caller, asked: Asked, problem: ThoracleError | None = None, *, revoked: bool = False
) -> Response:
    return page(
        "admin/keys.html",
        problem.status if problem else 200,
        reader=Reader.of(caller),
        people=(await keys.listed(request, caller)).people,
        asked=asked,
        grantable=[role for role in Role if keys.may_give(request, caller, role)],
        problem=problem.detail if problem else None,
        revoked=revoked,
    )
