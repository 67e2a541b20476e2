"""Mutants: the house with one guard taken out. A test that still passes against one proves nothing.

Two ways to make one: send other SQL than was written, or take a wall out of a database made for the purpose.
"""

import re
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from models import database


def _sql_of(migration: Path) -> str:
    found = re.search(r'runs\("(\w+\.sql)"', migration.read_text())
    assert found, migration
    return found[1]


MIGRATIONS = Path(database.__file__).with_name("migrations")
# In the order in which they are run: each migration names its file of SQL.
SCHEMA = [MIGRATIONS / _sql_of(file) for file in sorted(MIGRATIONS.glob("foyer_*.py"))]

# The walls that more than one mutant has to take out.
OVERSELL_CHECKS = (
    "ALTER TABLE event DROP CONSTRAINT event_never_oversold",
    "ALTER TABLE ticket_type DROP CONSTRAINT ticket_type_never_oversold",
)
NO_EVENT_LOCK = ("FOR NO KEY UPDATE", "")


def breaks(promise: str, *, by: type[Exception] = AssertionError) -> AbstractContextManager[Any]:
    """The story must end in a broken promise, and in this one. `by`: whoever says so, where that is not the story."""
    return pytest.raises(by, match=promise)


@contextmanager
def sql(old: str, new: str) -> Iterator[None]:
    """Every statement with `old` in it is sent with `new` in its place. A mutant that nobody meets is an error."""
    honest, met = database._run, 0

    async def send(method: str, statement: str, *args: Any) -> Any:
        nonlocal met
        met += old in statement
        return await honest(method, statement.replace(old, new), *args)

    with patch.object(database, "_run", send):
        yield
        assert met, f"no statement contains {old!r}: this mutant changes nothing"


@asynccontextmanager
async def database_after(*alterations: str) -> AsyncIterator[None]:
    """Our models live among empty tables of their own meanwhile, which were altered as said."""
    engine, name = database.engine(), f"mutant_{uuid.uuid4().hex[:12]}"
    home = engine.pool
    await home.execute(f"CREATE SCHEMA {name}")
    try:
        with patch.dict(database.SESSION, search_path=name):
            await _lay_out(alterations)
            engine.pool = None
            await database.open_pool(10)
            try:
                yield
            finally:
                await database.close_pool()
    finally:
        engine.pool = home
        await home.execute(f"DROP SCHEMA {name} CASCADE")


async def _lay_out(alterations: tuple[str, ...]) -> None:
    connection = await database.engine().get_new_connection()
    try:
        for file in SCHEMA:
            await connection.execute(file.read_text())
        for alteration in alterations:
            await connection.execute(alteration)
    finally:
        await connection.close()
