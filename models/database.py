"""The engine under every model, and plain SQL on the connection that is at hand.

Piccolo's own transaction keeps its connection when COMMIT or ROLLBACK fails, and a nested one that failed still
commits. This one always gives the connection back and refuses to nest.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import asyncpg
from piccolo.engine import engine_finder
from piccolo.engine.postgres import PostgresEngine, PostgresTransaction

# A lock waits for 2 s at most, a statement runs for 5: one stuck session never takes the shop with it.
SESSION = {"lock_timeout": "2000", "statement_timeout": "5000", "timezone": "UTC", "application_name": "foyer"}


class Transaction(PostgresTransaction):
    __slots__ = ()

    async def __aenter__(self) -> "Transaction":
        self.connection = await self.get_connection()
        try:
            self.transaction = self.connection.transaction()
            await self.begin()
        except BaseException:
            await self._give_back()
            raise
        self.context = self.engine.current_transaction.set(self)
        return self

    async def __aexit__(self, exception_type: Any, exception: Any, traceback: Any) -> Literal[False]:
        try:
            if exception_type is not None:
                await self.rollback()
            else:
                await self.commit()
        finally:
            self.engine.current_transaction.reset(self.context)
            await asyncio.shield(self._give_back())
        return False

    async def _give_back(self) -> None:
        if self.engine.pool:
            await self.engine.pool.release(self.connection)
        else:
            await self.connection.close()


class Engine(PostgresEngine):
    def __init__(self, dsn: str) -> None:
        super().__init__(config={"dsn": dsn, "server_settings": SESSION}, extensions=())

    def transaction(self, allow_nested: bool = False) -> Transaction:
        return Transaction(self, allow_nested=False)

    async def check_version(self) -> None:
        """Importing the configuration must not open a connection."""


def engine() -> Engine:
    found = engine_finder()
    assert isinstance(found, Engine)
    return found


async def open_pool(size: int) -> None:
    """A small pool is fast: on one hot row, 64 connections were three times slower than 6."""
    await engine().start_connection_pool(min_size=1, max_size=size, reset=_leave_as_it_is)


async def close_pool() -> None:
    await engine().close_connection_pool()


async def _leave_as_it_is(_: asyncpg.Connection) -> None:
    """A connection goes back without the driver's RESET ALL, a round trip for each query: nobody here changes the
    session. What a transaction left open is rolled back all the same."""


def in_transaction() -> bool:
    """Whether this task holds an open transaction, and with it perhaps locks."""
    return engine().current_transaction.get() is not None


async def fetch(sql: str, *args: Any) -> Sequence[asyncpg.Record]:
    return await _run("fetch", sql, *args)


async def fetchrow(sql: str, *args: Any) -> asyncpg.Record | None:
    return await _run("fetchrow", sql, *args)


async def fetchval(sql: str, *args: Any) -> Any:
    return await _run("fetchval", sql, *args)


async def execute(sql: str, *args: Any) -> str:
    """Returns the command tag, such as “UPDATE 1”."""
    return await _run("execute", sql, *args)


@asynccontextmanager
async def set_apart() -> AsyncIterator[None]:
    """What may fail here without taking the open transaction with it, if there is one."""
    transaction = engine().current_transaction.get()
    if transaction is None:
        yield
        return
    async with transaction.connection.transaction():  # a savepoint
        yield


async def script(sql: str) -> None:
    """Several statements at once, inside the migration's transaction."""
    transaction = engine().current_transaction.get()
    assert transaction is not None, "a script runs inside a transaction"
    await transaction.connection.execute(sql)


async def _run(method: str, sql: str, *args: Any) -> Any:
    database = engine()
    transaction = database.current_transaction.get()
    if transaction is not None:
        return await getattr(transaction.connection, method)(sql, *args)
    if database.pool is None:
        connection = await database.get_new_connection()
        try:
            return await getattr(connection, method)(sql, *args)
        finally:
            await connection.close()
    return await getattr(database.pool, method)(sql, *args)
