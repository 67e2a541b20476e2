"""The worker as a process: on time while it lives, and nothing lost when it or its Redis does not."""

import time
from contextlib import asynccontextmanager

import httpx
import pytest
from arq import create_pool
from arq.connections import RedisSettings

from models import database as db
from services import notices
from services.gateway import Notice
from tasks import queue
from tests.conftest import until
from tests.makers import (
    buy,
    hold,
    hold_with_buyer,
    let_time_run_out,
    make_event,
    start_paying,
    statuses,
)

pytestmark = pytest.mark.usefixtures("database", "stripe")


@asynccontextmanager
async def ringing(doorbell):
    """The web's side of the bell."""
    redis = await create_pool(RedisSettings.from_dsn(doorbell.url))
    queue.connect(redis)
    try:
        yield redis
    finally:
        queue.connect(None)
        await redis.aclose()


async def test_ac_7_while_the_worker_lives_a_hold_is_gone_within_two_seconds_of_its_end(worker, stripe):
    with worker() as process:
        await begins_to_work()
        event = await make_event(capacity=1)
        checkout_id = await hold_with_buyer(event)
        intent = await start_paying(checkout_id)
        await let_time_run_out(checkout_id, seconds_ago=-0.5)
        ends = time.monotonic() + 0.5
        await until(lambda: has_expired(checkout_id))
        assert time.monotonic() - ends < 2
        assert (await stripe.pay(intent.client_secret))["error"]["code"] == "payment_intent_unexpected_state"
        process.terminate()
        await until(lambda: process.poll() is not None)


async def test_a_ring_starts_the_work_at_once_and_a_flushed_redis_only_makes_it_later(worker, stripe, doorbell):
    with worker():
        await begins_to_work()
        async with ringing(doorbell) as redis:
            await an_authorised_payment_with_its_notice(stripe, "evt_1")
            await queue.ring("handle_notices")
            await until(is_complete, patience=2)
            await buy(await make_event(), stripe)
            await queue.ring("drain_outbox")
            await redis.flushall()
            await until(everything_is_done, patience=10)


async def test_what_lies_in_the_outbox_is_done_although_redis_was_lost_and_came_back_empty(
    worker, stripe, doorbell, post_office
):
    await empty(post_office)
    with worker():
        await begins_to_work()
        async with ringing(doorbell) as redis:
            await redis.flushall()
            doorbell.stop()
            await buy(await make_event(), stripe)
            started = time.monotonic()
            await queue.ring("drain_outbox")
            assert time.monotonic() - started < 3, "a dead Redis holds nobody up"
    doorbell.start()
    with worker():
        await until(everything_is_done, patience=20)
    assert [mail["to"] for mail in await mails(post_office)] == [["ana@example.org"]]


async def test_case_29_a_worker_killed_in_the_middle_of_a_capture_is_finished_by_the_next(worker, stripe, doorbell):
    await stripe.fault(op="payment_intents.capture", mode="hang", seconds=30)
    await an_authorised_payment_with_its_notice(stripe, "evt_1", capacity=1)
    async with ringing(doorbell):
        await queue.ring("handle_notices")
        with worker() as process:
            await until(lambda: was_called(stripe, "payment_intents.capture"), patience=20)
            process.kill()
            process.wait()
        assert await db.fetchval("SELECT status FROM payment") == "CAPTURING"
        assert await db.fetchval("SELECT count(*) FROM orders") == 0
        await db.execute("UPDATE payment SET next_check_at = now()")
        await queue.ring("reconcile")
        with worker():
            await until(is_complete, patience=20)
            await until(everything_is_done, patience=20)
    assert await db.fetchval("SELECT sold FROM event") == 1
    assert sum(i["amount_received"] for i in (await stripe.state())["intents"]) == 2400


async def test_two_workers_do_everything_once(worker, stripe, doorbell, post_office):
    await empty(post_office)
    for number in range(5):
        await an_authorised_payment_with_its_notice(stripe, f"evt_{number}", f"evt_{number}_again")
    async with ringing(doorbell):
        await queue.ring("handle_notices")
        await queue.ring("reconcile")
        with worker(), worker():
            await until(all_notices_are_handled, patience=25)
            await until(everything_is_done, patience=20)
    assert await db.fetchval("SELECT count(*) FROM orders WHERE status = 'COMPLETED'") == 5
    assert await db.fetchval("SELECT count(*) FROM ticket") == 5
    assert len(await mails(post_office)) == 5


async def test_a_ring_is_heard_although_the_same_job_is_just_running(worker, stripe, doorbell):
    async with ringing(doorbell):
        with worker():
            await begins_to_work()
            await stripe.fault(op="payment_intents.retrieve", mode="hang", seconds=9)
            await an_authorised_payment_with_its_notice(stripe, "evt_1")
            await queue.ring("handle_notices")
            await until(lambda: was_called(stripe, "payment_intents.retrieve"))
            await an_authorised_payment_with_its_notice(stripe, "evt_2")
            await queue.ring("handle_notices")
            await until(is_complete, patience=3)


def test_a_worker_with_wrong_settings_says_so_and_does_not_start(worker):
    with worker(SECRET_KEY="short") as process:
        assert process.wait(20) != 0


async def begins_to_work():
    """A sign of life: a hold that is long overdue is gone."""
    lapsed = await hold(await make_event())
    await let_time_run_out(lapsed)
    await until(lambda: has_expired(lapsed), patience=20)


async def an_authorised_payment_with_its_notice(stripe, *notice_ids, **event):
    intent = await start_paying(await hold_with_buyer(await make_event(**event)))
    await stripe.pay(intent.client_secret)
    for notice_id in notice_ids:
        kind = "payment_intent.amount_capturable_updated"
        await notices.keep(Notice(notice_id, kind, intent.reference, None, False, "{}"))


async def has_expired(checkout_id):
    return await statuses(checkout_id) == ["EXPIRED"]


async def is_complete():
    return await db.fetchval("SELECT count(*) FROM orders WHERE status = 'COMPLETED'") > 0


async def everything_is_done():
    return await db.fetchval("SELECT count(*) FROM outbox WHERE done_at IS NULL") == 0


async def all_notices_are_handled():
    return await db.fetchval("SELECT count(*) FROM payment_notice WHERE handled_at IS NULL") == 0


async def was_called(stripe, op):
    return op in {call["op"] for call in (await stripe.state())["calls"]}


async def mails(post_office):
    async with httpx.AsyncClient(base_url=post_office[0]) as client:
        return (await client.get("/mail.json")).json()


async def empty(post_office):
    async with httpx.AsyncClient(base_url=post_office[0]) as client:
        (await client.post("/_sandbox/reset")).raise_for_status()
