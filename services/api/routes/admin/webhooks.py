"""Webhooks: add one and see its secret once, pause, change, test, look at its deliveries, send again."""

from collections.abc import Mapping
from typing import Annotated, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from services.api.auth import Caller, Signed
from services.api.routes import webhooks
from services.api.web.forms import tried
from services.api.web.reader import Reader
from services.api.web.render import page
from services.api.web.secret import secret_page
from services.api.webhooks.views import NewWebhook, State, WebhookChange, WebhookSecret
from shared.errors import ThoracleError

router = APIRouter(include_in_schema=False)

Action = Literal["pause", "resume", "test", "replay", "rotate", "remove"]
_ROWS = 25
_STATES: Mapping[str, State] = {"waiting": "waiting", "sent": "sent", "dead": "dead"}


@router.get("/admin/webhooks")
async def overview(request: Request, caller: Signed) -> Response:
    """This hospital's webhooks, and the form for another."""
    return await _overview(request, caller)


@router.post("/admin/webhooks")
async def add(request: Request, caller: Signed, url: Annotated[str, Form(max_length=2048)] = "") -> Response:
    """Add one. Its secret is on the page that follows and nowhere else."""
    wanted = NewWebhook.model_validate({"url": url.strip()})
    made = await tried(lambda: webhooks.add(request, caller, wanted))
    if isinstance(made, ThoracleError):
        return await _overview(request, caller, url, made)
    return _secret(caller, made)


@router.get("/admin/webhooks/{webhook_id}")
async def one(
    request: Request, caller: Signed, webhook_id: UUID, state: str = "", cursor: str | None = None, done: str = ""
) -> Response:
    """Where it leads, whether it is paused, and what was sent, waits or was given up."""
    sent = await webhooks.deliveries(request, caller, webhook_id, _STATES.get(state), _ROWS, cursor)
    return page(
        "admin/webhook.html",
        reader=Reader.of(caller),
        webhook=await webhooks.one(request, caller, webhook_id),
        deliveries=sent.deliveries,
        older=sent.next,
        busy=any(delivery.state == "waiting" for delivery in sent.deliveries),
        state=state if state in _STATES else "",
        done=done if done in ("pause", "resume", "test", "replay") else None,
    )


@router.post("/admin/webhooks/{webhook_id}")
async def act(
    request: Request,
    caller: Signed,
    webhook_id: UUID,
    action: Annotated[Action, Form()],
    delivery: Annotated[UUID | None, Form()] = None,
) -> Response:
    """What the buttons of its page do."""
    if action == "rotate":
        return _secret(caller, await webhooks.rotate(request, caller, webhook_id))
    if action == "remove":
        await webhooks.remove(request, caller, webhook_id)
        return RedirectResponse("/admin/webhooks", status_code=303)
    if action in ("pause", "resume"):
        change = WebhookChange(url=None, events=None, enabled=action == "resume")
        await webhooks.change(request, caller, webhook_id, change)
    elif action == "test":
        await webhooks.test(request, caller, webhook_id)
    else:
        await webhooks.replay(request, caller, webhook_id, delivery)
    return RedirectResponse(f"/admin/webhooks/{webhook_id}?done={cast(str, action)}", status_code=303)


async def _overview(request: Request, caller: Caller, url: str = "", problem: ThoracleError | None = None) -> Response:
    return page(
        "admin/webhooks.html",
        problem.status if problem else 200,
        reader=Reader.of(caller),
        webhooks=await webhooks.listed(request, caller),
        url=url,
        problem=problem.detail if problem else None,
    )


def _secret(caller: Caller, made: WebhookSecret) -> Response:
    return secret_page(caller, "webhook", made.url, made.secret, f"/admin/webhooks/{made.id}")
