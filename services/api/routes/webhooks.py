"""Webhooks: addresses that are told when a job ends or a version is recalled, their secrets, each delivery's end."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from services.api import cursor, replies
from services.api.auth import Signed
from services.api.gateway import Gateway, of
from services.api.paging import After, Limit, paged
from services.api.problems import request_id
from services.api.webhooks import signing
from services.api.webhooks.address import Addresses
from services.api.webhooks.views import (
    DeliveryPage,
    DeliveryView,
    NewWebhook,
    Replayed,
    State,
    WebhookChange,
    WebhookSecret,
    WebhookView,
    delivery_view,
    webhook_view,
)
from shared.db.statements import audit
from shared.db.statements import webhooks as statements
from shared.db.tables import Delivery, Webhook, new_id
from shared.errors import Conflict, NotFound

router = APIRouter(tags=["webhooks"])

_MOST = 20
_OVERLAP = timedelta(hours=24)


@router.post(
    "/v1/webhooks",
    status_code=201,
    response_model=WebhookSecret,
    summary="Add a webhook",
    responses=replies.errors(409, 422),
)
async def add(request: Request, caller: Signed, wanted: NewWebhook) -> WebhookSecret:
    """Its secret is in this answer and nowhere else."""
    gateway, secret = of(request), signing.new_secret()
    await _reachable(gateway, wanted.url)
    row = Webhook(
        id=new_id(),
        tenant_id=caller.tenant_id,
        principal_id=caller.principal_id,
        url=wanted.url,
        events=sorted(set(wanted.events)),
        secret=secret,
    )
    async with gateway.begin() as session:
        if len((await session.scalars(statements.visible(caller.tenant_id))).all()) >= _MOST:
            raise Conflict("webhooks_full")
        session.add(row)
        await session.flush()
        await session.refresh(row)
        await session.execute(audit.event(caller, "webhook.add", "webhook", str(row.id), request_id(request)))
    return WebhookSecret(**webhook_view(row).model_dump(), secret=signing.shown(secret))


@router.get("/v1/webhooks", summary="Your hospital's webhooks")
async def listed(request: Request, caller: Signed) -> list[WebhookView]:
    """Without their secrets."""
    async with of(request).begin() as session:
        return [webhook_view(row) for row in await session.scalars(statements.visible(caller.tenant_id))]


@router.get("/v1/webhooks/{webhook_id}", summary="One webhook", responses=replies.errors(404))
async def one(request: Request, caller: Signed, webhook_id: UUID) -> WebhookView:
    """Without its secret."""
    async with of(request).begin() as session:
        return webhook_view(await _found(session, caller.tenant_id, webhook_id))


@router.patch("/v1/webhooks/{webhook_id}", summary="Change a webhook", responses=replies.errors(404, 422))
async def change(request: Request, caller: Signed, webhook_id: UUID, wanted: WebhookChange) -> WebhookView:
    """A webhook that is changed is tried again at once."""
    gateway = of(request)
    if wanted.url is not None:
        await _reachable(gateway, wanted.url)
    values = wanted.model_dump(include={"url", "events"}, exclude_none=True)
    if wanted.enabled is not None:
        values["disabled_at"] = None if wanted.enabled else func.now()
    return await _changed(request, caller, webhook_id, "webhook.change", failures=0, paused_until=None, **values)


@router.delete("/v1/webhooks/{webhook_id}", status_code=204, summary="Remove a webhook", responses=replies.errors(404))
async def remove(request: Request, caller: Signed, webhook_id: UUID) -> Response:
    """What waits for it is given up."""
    async with of(request).begin() as session:
        if (await session.execute(statements.remove(caller.tenant_id, webhook_id))).one_or_none() is None:
            raise NotFound
        await session.execute(audit.event(caller, "webhook.remove", "webhook", str(webhook_id), request_id(request)))
    return Response(status_code=204)


@router.post("/v1/webhooks/{webhook_id}/secret", summary="A new secret", responses=replies.errors(404))
async def rotate(request: Request, caller: Signed, webhook_id: UUID) -> WebhookSecret:
    """For a day messages carry a signature of the old secret too."""
    secret = signing.new_secret()
    values = {"old_secret": Webhook.secret, "secret": secret, "old_until": func.now() + _OVERLAP}
    view = await _changed(request, caller, webhook_id, "webhook.rotate", **values)
    return WebhookSecret(**view.model_dump(), secret=signing.shown(secret))


@router.post(
    "/v1/webhooks/{webhook_id}/test", status_code=202, summary="Send a test message", responses=replies.errors(404)
)
async def test(request: Request, caller: Signed, webhook_id: UUID) -> DeliveryView:
    """An event `webhook.test`, sent as every other."""
    row = Delivery(id=new_id(), tenant_id=caller.tenant_id, webhook_id=webhook_id, event="webhook.test")
    async with of(request).begin() as session:
        await _found(session, caller.tenant_id, webhook_id)
        session.add(row)
        await session.flush()
        await session.refresh(row)
        await session.execute(audit.event(caller, "webhook.test", "webhook", str(webhook_id), request_id(request)))
    return delivery_view(row)


@router.get(
    "/v1/webhooks/{webhook_id}/deliveries",
    summary="What was sent, waits or was given up",
    responses=replies.errors(400, 404, 422),
)
async def deliveries(
    request: Request,
    caller: Signed,
    webhook_id: UUID,
    state: Annotated[State | None, Query()] = None,
    limit: Limit = 50,
    after: After = None,
) -> DeliveryPage:
    """Kept for thirty days."""
    before = cursor.to_uuid(after)
    async with of(request).begin() as session:
        await _found(session, caller.tenant_id, webhook_id)
        query = statements.deliveries(caller.tenant_id, webhook_id, state, before, limit + 1)
        rows = (await session.scalars(query)).all()
    found, following = paged(rows, limit, lambda row: row.id)
    return DeliveryPage(deliveries=[delivery_view(row) for row in found], next=following)


@router.post(
    "/v1/webhooks/{webhook_id}/replay",
    status_code=202,
    summary="Send again what was given up",
    responses=replies.errors(404),
)
async def replay(
    request: Request, caller: Signed, webhook_id: UUID, delivery: Annotated[UUID | None, Query()] = None
) -> Replayed:
    """All of it, or one delivery."""
    async with of(request).begin() as session:
        await _found(session, caller.tenant_id, webhook_id)
        again = (await session.scalars(statements.replay(caller.tenant_id, webhook_id, delivery))).all()
        await session.execute(statements.change(caller.tenant_id, webhook_id, failures=0, paused_until=None))
        await session.execute(audit.event(caller, "webhook.replay", "webhook", str(webhook_id), request_id(request)))
    return Replayed(replayed=len(again))


async def _reachable(gateway: Gateway, url: str) -> None:
    """Raises Unprocessable for an address that no message could be sent to; each sending looks again."""
    addresses = Addresses(gateway.settings)
    await addresses.resolve(addresses.parse(url))


async def _found(session: AsyncSession, tenant: UUID, webhook_id: UUID) -> Webhook:
    row = await session.scalar(statements.visible(tenant).where(Webhook.id == webhook_id))
    if row is None:
        raise NotFound
    return row


async def _changed(request: Request, caller: Signed, webhook_id: UUID, action: str, **values: object) -> WebhookView:
    async with of(request).begin() as session:
        row = await session.scalar(statements.change(caller.tenant_id, webhook_id, **values))
        if row is None:
            raise NotFound
        await session.execute(audit.event(caller, action, "webhook", str(webhook_id), request_id(request)))
        return webhook_view(row)
