"""What keeps the order of ends whole when the database moves to another cluster."""

from sqlalchemy import Boolean, CheckConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.tables.base import Base


class TransactionCount(Base):
    """One row. `added`: what `jobs.ended_in` adds to PostgreSQL's own number, for the clusters before this one."""

    __tablename__ = "transaction_count"
    single: Mapped[bool] = mapped_column(
        Boolean, CheckConstraint("single", name="single"), primary_key=True, server_default=text("true")
    )
    added: Mapped[int] = mapped_column(server_default=text("0"))
