"""Jobs without a worker: twice at once, and one that fails beside others."""

import asyncio

import asyncpg
import pytest

from models import database as db
from tasks import jobs, queue
from tests.conftest import until
from tests.faults.interleaving import lock_held
from tests.makers import hold, let_time_run_out, make_event, statuses

pytestmark = pytest.mark.usefixtures("database")


async def test_overdue_holds_of_every_event_end_in_one_run():
    lapsed = [await hold(await make_event()) for _ in range(5)]
    for checkout_id in lapsed:
        await let_time_run_out(checkout_id)
    await jobs.expire_holds({})
    assert [await statuses(c) for c in lapsed] == [["EXPIRED"]] * 5


async def test_the_same_job_several_times_at_once_counts_nothing_twice():
    event = await make_event(capacity=9)
    for _ in range(3):
        await let_time_run_out(await hold(event, General=3))
        await asyncio.gather(*(jobs.expire_holds({}) for _ in range(4)))
    assert await db.fetchval("SELECT held FROM event") == 0


async def test_an_event_whose_lock_is_held_does_not_keep_the_holds_of_others():
    events = [await make_event() for _ in range(3)]
    lapsed = [await hold(event) for event in events]
    for checkout_id in lapsed:
        await let_time_run_out(checkout_id)
    for stuck in range(3):
        for checkout_id in lapsed:
            await revive(checkout_id)
        async with lock_held(events[stuck].id):
            job = asyncio.create_task(jobs.expire_holds({}))
            others = [c for number, c in enumerate(lapsed) if number != stuck]
            await _until_expired(others)
            assert await statuses(lapsed[stuck]) == ["ACTIVE"]
        (outcome,) = await asyncio.gather(job, return_exceptions=True)
        assert isinstance(outcome, asyncpg.LockNotAvailableError | None)


async def test_a_ring_without_redis_is_no_error():
    queue.connect(None)
    await queue.ring("handle_notices")


async def revive(checkout_id):
    """The same again: for once a hold is brought back by hand."""
    async with db.engine().transaction():
        await db.execute("SET LOCAL session_replication_role = replica")
        row = await db.fetchrow("SELECT * FROM reservation WHERE checkout_id = $1", checkout_id)
        if row["status"] == "EXPIRED":
            await db.execute("UPDATE reservation SET status = 'ACTIVE' WHERE checkout_id = $1", checkout_id)
            await db.execute("UPDATE event SET held = held + 1 WHERE id = $1", row["event_id"])
            await db.execute("UPDATE ticket_type SET held = held + 1 WHERE id = $1", row["ticket_type_id"])


async def _until_expired(checkouts):
    async def expired():
        return all([await statuses(c) == ["EXPIRED"] for c in checkouts])

    await until(expired, patience=1.5)
