"""Webhooks and their deliveries as the API takes and shows them."""

from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.db.tables import Delivery, Webhook

Event = Literal["job.finished", "result.reviewed", "batch.finished", "drift.alert", "version.recalled"]
State = Literal["waiting", "sent", "dead"]


class NewWebhook(BaseModel):
    """Where to, and about what."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(max_length=2048, description="`https://host/path`; the host must be a public one")
    events: list[Event] = Field(["job.finished"], min_length=1, max_length=8)


class WebhookChange(BaseModel):
    """What is left out stays."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = Field(None, max_length=2048)
    events: list[Event] | None = Field(None, min_length=1, max_length=8)
    enabled: bool | None = Field(None, description="What happens while it is not is never told")


class WebhookView(BaseModel):
    """A webhook. `failures` in a row pause it, for at most a quarter of an hour each time."""

    id: UUID
    url: str
    events: list[str]
    enabled: bool
    failures: int
    paused_until: datetime | None
    created_at: datetime


class WebhookSecret(WebhookView):
    """With its secret, which is shown this once."""

    secret: str


class DeliveryView(BaseModel):
    """One message: `status` is the job's state or the review, `answer` the last HTTP status or what went wrong."""

    id: UUID
    webhook_id: str = Field(description="The header `webhook-id`, the same at every attempt")
    event: str
    job_id: UUID | None
    batch_id: UUID | None
    alert_id: UUID | None
    version_id: UUID | None = Field(description="The version that was recalled")
    status: str | None
    state: State
    attempts: int
    answer: str | None
    created_at: datetime
    due_at: datetime | None
    ended_at: datetime | None


class DeliveryPage(BaseModel):
    """Deliveries, newest first; `next` is the cursor of what follows."""

    deliveries: list[DeliveryView]
    next: str | None


class Replayed(BaseModel):
    """How many are sent again."""

    replayed: int


def webhook_view(row: Webhook) -> WebhookView:
    """A webhook's row as it is shown."""
    paused = row.paused_until if row.paused_until and row.paused_until > datetime.now(UTC) else None
    return WebhookView(
        id=row.id,
        url=row.url,
        events=row.events,
        enabled=row.disabled_at is None,
        failures=row.failures,
        paused_until=paused,
        created_at=row.created_at,
    )


def delivery_view(row: Delivery) -> DeliveryView:
    """A delivery's row as it is shown."""
    return DeliveryView.model_validate(
        {
            **{name: getattr(row, name) for name in DeliveryView.model_fields if name != "webhook_id"},
            "webhook_id": f"msg_{row.id}",
            "due_at": row.due_at if row.state == "waiting" else None,
        }
    )
