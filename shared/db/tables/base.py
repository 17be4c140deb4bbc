"""What all tables share: names of constraints, types, ids, times."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import BigInteger, DateTime, MetaData, Text, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): sorts by time of creation."""
    return uuid_utils.compat.uuid7()


class Base(DeclarativeBase):
    """Declarative base with named constraints, so that migrations can drop what they made."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        },
    )
    type_annotation_map: ClassVar = {
        datetime: DateTime(timezone=True),
        str: Text,
        dict[str, Any]: JSONB,
        list[dict[str, Any]]: JSONB,
        list[str]: ARRAY(Text),
        int: BigInteger,
    }


def own_id() -> Mapped[UUID]:
    """The primary key of a row with a public id."""
    return mapped_column(primary_key=True, default=new_id)


def now() -> Mapped[datetime]:
    """A time that the database sets when the row is made."""
    return mapped_column(server_default=func.now())
