"""Single statements through psycopg: rows by name, SQLAlchemy's errors, and no broken connection for the next."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Integer, bindparam, text
from sqlalchemy.exc import DataError, OperationalError

from shared.db.engine import Database, single_engine
from shared.db.quick import Quick
from shared.settings import Settings

_DIVIDED = text("SELECT 12 / :by AS result, pg_backend_pid() AS pid").bindparams(bindparam("by", type_=Integer()))
_SLOW = text("SELECT pg_sleep(:s)::text AS slept, pg_backend_pid() AS pid")
_END = text("SELECT pg_terminate_backend(:pid, 5000)")


def run(settings: Settings, scene: Any) -> None:
    async def played() -> None:
        engine = single_engine(settings)
        try:
            await scene(Quick(engine))
        finally:
            await engine.dispose()

    asyncio.run(played())


def test_a_statement_that_fails_ends_no_connection(settings: Settings) -> None:
    async def scene(quick: Quick) -> None:
        (first,) = await quick.rows(_DIVIDED, {"by": 3})
        with pytest.raises(DataError):
            await quick.rows(_DIVIDED, {"by": 0})
        (after,) = await quick.rows(_DIVIDED, {"by": 4})
        assert (first.result, after.result) == (4, 3)
        assert first.pid == after.pid

    run(settings, scene)


def test_a_connection_that_broke_is_nobodys(settings: Settings, database: Database) -> None:
    async def scene(quick: Quick) -> None:
        (first,) = await quick.rows(_DIVIDED, {"by": 3})
        with database.begin() as session:
            assert session.scalar(_END, {"pid": first.pid})
        with pytest.raises(OperationalError):
            await quick.rows(_DIVIDED, {"by": 3})
        (after,) = await quick.rows(_DIVIDED, {"by": 3})
        assert after.pid != first.pid

    run(settings, scene)


def test_who_goes_away_leaves_no_statement_behind(settings: Settings) -> None:
    async def scene(quick: Quick) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await quick.rows(_SLOW, {"s": 20})
        (after,) = await quick.rows(_DIVIDED, {"by": 6})
        assert after.result == 2

    run(settings, scene)
