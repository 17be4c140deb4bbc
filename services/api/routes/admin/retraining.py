"""Training from verdicts: ask for it, set the rule that asks for it, follow each from its cause to the shadow."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field, ValidationError

from services.api.auth import Caller, Signed
from services.api.routes import retraining
from services.api.routes.admin.training import known_trainers
from services.api.web.forms import field_of, tried
from services.api.web.reader import Reader
from services.api.web.render import page
from shared.errors import ThoracleError, Unprocessable
from shared.schemas import Basis, Modality, RetrainingPlan
from shared.sentences import say

router = APIRouter(include_in_schema=False)

_ROWS = 20


class Asked(BaseModel):
    """The form: what to train, on which verdicts, and either why now or by which rule."""

    recipe: str = Field("", max_length=128)
    base: str = Field("", max_length=64)
    bases: list[str] = []
    hold_out: str = "0.2"
    reason: str = Field("", max_length=2000)
    min_labels: str = ""
    on_drift: bool = False
    enabled: bool = False


Filled = Annotated[Asked, Form()]


@router.get("/admin/retraining")
async def overview(request: Request, caller: Signed, cursor: str | None = None, done: str = "") -> Response:
    """Every training from verdicts, the rules, and the forms."""
    return await _overview(request, caller, Asked(), cursor=cursor, done=done)


@router.post("/admin/retraining")
async def ask(request: Request, caller: Signed, asked: Filled) -> Response:
    """Train from the confirmed verdicts so far."""

    async def begin() -> object:
        body = {"modality": _kind(asked), "plan": _plan(asked), "reason": asked.reason}
        return await retraining.ask(request, caller, retraining.RetrainingRequest.model_validate(body))

    return await _done(request, caller, asked, begin, "asked")


@router.post("/admin/retraining/rule")
async def rule(request: Request, caller: Signed, asked: Filled) -> Response:
    """Set when verdicts are trained on by themselves."""

    async def keep() -> object:
        labels = {"min_labels": asked.min_labels} if asked.min_labels.strip() else {}
        body = {"plan": _plan(asked), "on_drift": asked.on_drift, "enabled": asked.enabled, **labels}
        wanted = retraining.RuleRequest.model_validate(body)
        return await retraining.set_rule(request, caller, _kind(asked), wanted)

    return await _done(request, caller, asked, keep, "rule")


async def _done(
    request: Request, caller: Caller, asked: Asked, act: Callable[[], Awaitable[object]], word: str
) -> Response:
    done = await tried(act, _said)
    if isinstance(done, ThoracleError):
        return await _overview(request, caller, asked, problem=done)
    return RedirectResponse(f"/admin/retraining?done={word}", status_code=303)


async def _overview(
    request: Request,
    caller: Caller,
    asked: Asked,
    *,
    problem: ThoracleError | None = None,
    cursor: str | None = None,
    done: str = "",
) -> Response:
    listed = await retraining.listed(request, caller, _ROWS, cursor)
    return page(
        "admin/retraining.html",
        problem.status if problem else 200,
        reader=Reader.of(caller),
        retrainings=listed.retrainings,
        older=listed.next,
        busy=any(one.ended_at is None for one in listed.retrainings),
        rules=(await retraining.rules(request, caller)).rules,
        there=await known_trainers(request),
        bases=list(Basis),
        asked=asked,
        problem=problem.detail if problem else None,
        done=done if done in ("asked", "rule") else None,
    )


def _kind(asked: Asked) -> Modality:
    """Recipes are called after their kind of input. Raises Unprocessable."""
    try:
        return Modality(asked.recipe.partition("/")[0])
    except ValueError:
        raise Unprocessable(detail=say("admin.retraining.invalid.other")) from None


def _plan(asked: Asked) -> RetrainingPlan:
    base = {"base": asked.base} if asked.base else {}
    given = {"recipe": asked.recipe, "bases": asked.bases, "hold_out": asked.hold_out, **base}
    return RetrainingPlan.model_validate(given)


def _said(error: ValidationError) -> str:
    """Which part of the form, in words."""
    field = field_of(error, whole="cause")
    known = ("bases", "hold_out", "reason", "cause", "min_labels")
    return say(f"admin.retraining.invalid.{field if field in known else 'other'}")
