"""Transactions: everything or nothing, never nested, and the connection always comes back."""

import asyncio

import asyncpg
import pytest
from piccolo.engine.exceptions import TransactionError

from models import database as db
from models.ids import new_id
from services.transaction import transaction
from tests.conftest import until
from tests.makers import make_event

pytestmark = pytest.mark.usefixtures("database")


def idle():
    pool = db.engine().pool
    return pool.get_idle_size() + pool.get_max_size() - pool.get_size()


async def test_what_fails_leaves_nothing_behind():
    event = await make_event(capacity=5)

    async def fail():
        async with transaction():
            await db.execute("UPDATE event SET total_capacity = 6")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await db.fetchval("SELECT total_capacity FROM event WHERE id = $1", event.id) == 5


async def test_a_transaction_refuses_to_nest():
    async with transaction():
        with pytest.raises(TransactionError):
            transaction()


async def test_piccolo_and_plain_sql_share_the_transaction():
    from models.event import Event

    event = await make_event(capacity=5)
    async with transaction():
        await Event.update({Event.total_capacity: 6}).where(Event.id == event.id)
        assert await db.fetchval("SELECT total_capacity FROM event") == 6
        assert await db.engine().pool.fetchval("SELECT total_capacity FROM event") == 5, (
            "others see it after the commit"
        )


async def test_ac_5_a_commit_that_fails_gives_its_connection_back_and_changes_nothing():
    await make_event(capacity=5)
    before = idle()
    for _ in range(3):
        with pytest.raises(asyncpg.CheckViolationError):
            async with transaction():
                await db.execute("UPDATE ticket_type SET allocation = 6")  # refused at commit
    assert idle() == before


async def test_a_cancelled_transaction_gives_its_connection_back():
    before = idle()

    async def sleep():
        async with transaction():
            await db.execute("SELECT pg_sleep(60)")

    sleeper = asyncio.create_task(sleep())
    await until(lambda: idle() == before - 1)
    sleeper.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeper
    await until(lambda: idle() == before)


async def test_a_connection_that_was_killed_is_replaced():
    before = idle()

    async def lose_the_connection():
        async with transaction():
            pid = await db.fetchval("SELECT pg_backend_pid()")
            await db.engine().pool.execute("SELECT pg_terminate_backend($1)", pid)
            await db.execute("SELECT 1")

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await lose_the_connection()
    assert idle() == before
    assert await db.fetchval("SELECT 1") == 1


def test_ids_made_later_sort_later_and_are_uuids_of_version_7():
    made = [new_id() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert {i.version for i in made} == {7}
    assert {i.variant for i in made} == {"specified in RFC 4122"}
    milliseconds = [i.int >> 80 for i in made]
    assert milliseconds == sorted(milliseconds)
