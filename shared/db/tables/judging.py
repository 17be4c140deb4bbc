"""What clinicians say of results: verdicts, and second readings of what is contested or was referred."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.tables.base import Base, now, own_id
from shared.schemas import AdjudicationState, Basis, Label, Verdict

REASON_RANK = {"refer": 0, "disagreement": 1}


def _among(column: str, values: Iterable[str]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


class Feedback(Base):
    """A reader's verdict on a result. Append-only: later it is withdrawn, or replaced by the same reader's next one.

    `person` is who gave it, as `people.compared` gives the name: two keys of one person are one reader. `label` says
    whether the finding is there, and is kept for an agreement too. `saw_result_first`: the reader knew the model's
    answer before the verdict.
    `adjudication_id` is the second reading that weighed it.
    """

    __tablename__ = "feedback"
    __table_args__ = (
        _among("verdict", Verdict),
        _among("label", Label),
        _among("basis", Basis),
        CheckConstraint("verdict <> 'disagree' OR label IS NOT NULL", name="corrected"),
        Index(
            "uq_feedback_standing",
            "job_id",
            "person",
            unique=True,
            postgresql_where=text("withdrawn_at IS NULL AND replaced_at IS NULL"),
        ),
        Index("ix_feedback_tenant_id_id", "tenant_id", "id"),
    )
    id: Mapped[UUID] = own_id()
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"), index=True)
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    person: Mapped[str]
    verdict: Mapped[str]
    label: Mapped[str | None]
    basis: Mapped[str]
    saw_result_first: Mapped[bool]
    comment: Mapped[str | None]
    created_at: Mapped[datetime] = now()
    replaced_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    adjudication_id: Mapped[UUID | None] = mapped_column(ForeignKey("adjudications.id"))


class Adjudication(Base):
    """A second reading of one result, by another person than those who judged it. One is open for a result at most.

    A trigger opens one with every result whose decision is `refer`. `rank` is the place of its reason on the worklist.
    From `label` on, everything is what the second reader said; nothing of it stands while it is open.
    """

    __tablename__ = "adjudications"
    __table_args__ = (
        _among("state", AdjudicationState),
        _among("label", Label),
        _among("basis", Basis),
        CheckConstraint("(state IN ('adjudicated', 'replaced')) = (label IS NOT NULL)", name="settled"),
        Index("uq_adjudications_open", "job_id", unique=True, postgresql_where=text("state = 'open'")),
        Index("ix_adjudications_worklist", "tenant_id", "state", "rank", "id"),
    )
    id: Mapped[UUID] = own_id()
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"), index=True)
    modality: Mapped[str]
    rank: Mapped[int] = mapped_column(SmallInteger)
    state: Mapped[str] = mapped_column(server_default=text("'open'"))
    opened_at: Mapped[datetime] = now()
    label: Mapped[str | None]
    basis: Mapped[str | None]
    saw_result_first: Mapped[bool | None]
    comment: Mapped[str | None]
    principal_id: Mapped[UUID | None] = mapped_column(ForeignKey("principals.id"))
    person: Mapped[str | None]
    closed_at: Mapped[datetime | None]
