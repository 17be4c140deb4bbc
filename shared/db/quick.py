"""Single statements that every request runs: SQLAlchemy's pool and SQL, psycopg's own execution.

What SQLAlchemy does around one statement (a transaction, greenlets, keys of caches, a result) costs a gateway several
times what sending it does.
"""

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import namedtuple_row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql import ClauseElement


class Quick:
    """Runs statements on an engine of `single_engine`, each a transaction of its own."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._texts: dict[ClauseElement, str] = {}

    async def rows(self, statement: ClauseElement, values: Mapping[str, Any]) -> list[Any]:
        """The rows of a statement, by name; it is durable when they are there. Raises SQLAlchemyError.

        The statement must be one that is built once: its text is kept. Its values go to psycopg as they are.
        """
        async with self._engine.connect() as connection:
            driver = await _driver(connection)
            try:
                async with driver.cursor(row_factory=namedtuple_row) as cursor:
                    await cursor.execute(self._text(statement), values, prepare=True)
                    return await cursor.fetchall()
            except psycopg.Error as error:
                raise DBAPIError.instance(None, None, error, psycopg.Error) from error
            finally:
                # A broken connection, or one on which a statement was cut off, goes to nobody else.
                if driver.info.transaction_status != TransactionStatus.IDLE:
                    await connection.invalidate()

    def _text(self, statement: ClauseElement) -> str:
        text = self._texts.get(statement)
        if text is None:
            text = self._texts[statement] = str(statement.compile(dialect=self._engine.dialect))
        return text


async def _driver(connection: AsyncConnection) -> psycopg.AsyncConnection[Any]:
    driver = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driver, psycopg.AsyncConnection)
    return driver
