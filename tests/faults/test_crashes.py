"""Processes that end in the middle: whatever was left half done is finished by whoever comes next, exactly once."""

import asyncio
from unittest.mock import patch

import pytest

from models import database as db
from models import stock
from services import checkout, gateway, outbox, reconciliation, settlement, tickets
from tasks import jobs
from tests.makers import hold, hold_with_buyer, key, let_time_pass, make_event, start_paying, statuses, ticket_type

pytestmark = pytest.mark.usefixtures("database", "stripe")


class Killed(BaseException):
    """kill -9: nothing that catches Exception gets to clean up."""


async def killed(*_, **__):
    raise Killed


@pytest.fixture
async def authorised(stripe):
    event = await make_event(capacity=2)
    checkout_id = await hold_with_buyer(event, General=2)
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    return intent


async def run_until_killed(verb, *, at, name):
    with patch.object(at, name, killed), pytest.raises(Killed):
        await verb


async def the_next_worker_comes():
    """All that a worker does, after the leases of the dead one have run out."""
    await let_time_pass(minutes=16)
    with patch.dict(jobs.DEEDS, confirmation_mail=_nothing):
        await jobs.expire_holds({})
        await jobs.reconcile({})
        await jobs.handle_notices({})
        await jobs.drain_outbox({})


async def is_one_order_of_two(stripe):
    assert [i["amount_received"] for i in (await stripe.state())["intents"]] == [4800]
    assert [tuple(o) for o in await db.fetch("SELECT status, total_quantity FROM orders")] == [("COMPLETED", 2)]
    assert await db.fetchval("SELECT count(*) FROM ticket") == 2
    assert await db.fetchval("SELECT count(*) FROM outbox WHERE done_at IS NULL") == 0


async def test_case_13_killed_after_the_pin(authorised, stripe):
    await run_until_killed(settlement.settle(authorised.reference), at=gateway.current(), name="capture")
    assert await db.fetchval("SELECT status FROM payment") == "CAPTURING"
    await the_next_worker_comes()
    await is_one_order_of_two(stripe)


async def test_case_14_killed_between_the_capture_and_its_writing_down(authorised, stripe):
    await run_until_killed(settlement.settle(authorised.reference), at=settlement, name="_finalise")
    assert (await stripe.state())["intents"][0]["status"] == "succeeded"
    assert await db.fetchval("SELECT count(*) FROM orders") == 0
    await the_next_worker_comes()
    await is_one_order_of_two(stripe)


@pytest.mark.parametrize(
    ("place", "name"), [(stock, "consume_holds"), (stock, "_move"), (outbox, "write"), (settlement, "_set_status")]
)
async def test_case_15_killed_inside_the_writing_down_leaves_nothing_of_it(authorised, stripe, place, name):
    with patch.object(tickets, "issue", killed):  # so that only what comes before it is killed where we say
        pinned = settlement._pin

        async def pin_then_arm(case, *, again):
            await pinned(case, again=again)
            armed.start()

        armed = patch.object(place, name, killed)
        with patch.object(settlement, "_pin", pin_then_arm), pytest.raises(Killed):
            await settlement.settle(authorised.reference)
        armed.stop()
    assert await db.fetchval("SELECT count(*) FROM orders") == 0
    assert await db.fetchval("SELECT sold FROM event") == 0
    await the_next_worker_comes()
    await is_one_order_of_two(stripe)


async def test_case_16_killed_before_the_tickets(authorised, stripe):
    await run_until_killed(settlement.settle(authorised.reference), at=tickets, name="issue")
    assert await db.fetchval("SELECT status FROM orders") == "PAID"
    await the_next_worker_comes()
    await is_one_order_of_two(stripe)


async def test_case_16_killed_while_issuing_tickets_leaves_none_of_them(authorised, stripe):
    await run_until_killed(settlement.settle(authorised.reference), at=outbox, name="strike")
    assert await db.fetchval("SELECT status FROM orders") == "PAID"
    assert await db.fetchval("SELECT count(*) FROM ticket") == 0
    await the_next_worker_comes()
    await is_one_order_of_two(stripe)


async def test_case_17_killed_after_the_intent_was_made(stripe):
    checkout_id = await hold_with_buyer(await make_event(capacity=2), General=2)
    create = gateway.current().create

    async def create_and_die(**wish):
        await create(**wish)
        raise Killed

    with patch.object(gateway.current(), "create", create_and_die), pytest.raises(Killed):
        await checkout.start_payment(checkout_id)
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await settlement.settle(intent.reference)
    with patch.dict(jobs.DEEDS, confirmation_mail=_nothing):
        await jobs.drain_outbox({})
    await is_one_order_of_two(stripe)


async def test_case_29_killed_in_the_capture_with_the_seats_wanted_by_others(authorised, stripe):
    await run_until_killed(settlement.settle(authorised.reference), at=gateway.current(), name="capture")
    await let_time_pass(minutes=16)
    event_id = await db.fetchval("SELECT id FROM event")
    assert await checkout.expire_holds(event_id) == 0, "pinned"
    await the_next_worker_comes()
    await is_one_order_of_two(stripe)


async def test_killed_after_letting_go_was_decided_and_before_the_provider_heard_of_it(stripe):
    event = await make_event(capacity=1)
    checkout_id = await hold_with_buyer(event)
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await let_time_pass(minutes=16)
    await hold(event)
    await run_until_killed(settlement.settle(intent.reference), at=gateway.current(), name="cancel")
    await db.execute("UPDATE payment SET next_check_at = now()")
    await reconciliation.reconcile()
    (there,) = (await stripe.state())["intents"]
    assert (there["status"], there["amount_received"]) == ("canceled", 0)
    assert await db.fetchval("SELECT status FROM payment") == "VOIDED"


async def test_a_free_purchase_killed_before_its_tickets_is_completed_later(stripe):
    event = await make_event(ticket_type(price=0), capacity=2)
    checkout_id = await hold_with_buyer(event, General=2)
    await run_until_killed(checkout.start_payment(checkout_id), at=tickets, name="issue")
    assert await db.fetchval("SELECT status FROM orders") == "PAID"
    await the_next_worker_comes()
    assert await db.fetchval("SELECT status FROM orders") == "COMPLETED"


async def test_a_free_purchase_killed_before_it_was_settled_can_be_pressed_again(stripe):
    checkout_id = await hold_with_buyer(await make_event(ticket_type(price=0), capacity=2))
    await run_until_killed(checkout.start_payment(checkout_id), at=settlement, name="settle_free")
    await checkout.start_payment(checkout_id)
    assert await db.fetchval("SELECT status FROM orders") == "COMPLETED"


async def test_f3_a_hold_whose_commit_was_not_acknowledged_is_found_by_its_key(stripe):
    """The connection broke after COMMIT: the buyer's page asks again with the same key."""
    event, request_key = await make_event(capacity=5), key()
    commit = db.Transaction.commit

    async def commit_and_lose_the_answer(self):
        await commit(self)
        raise ConnectionResetError

    with patch.object(db.Transaction, "commit", commit_and_lose_the_answer), pytest.raises(ConnectionResetError):
        await hold(event, request_key, General=2)
    again = await hold(event, request_key, General=2)
    assert await statuses(again) == ["ACTIVE"]
    assert await db.fetchval("SELECT held FROM event") == 2


async def test_f3_a_batch_whose_commit_was_not_acknowledged_gives_everybody_their_own_hold():
    event = await make_event(capacity=5)
    commit = db.Transaction.commit

    async def commit_and_lose_the_answer(self):
        await commit(self)
        raise ConnectionResetError

    keys = [key() for _ in range(5)]
    with patch.object(db.Transaction, "commit", commit_and_lose_the_answer):
        outcomes = await asyncio.gather(*(hold(event, k) for k in keys), return_exceptions=True)
    assert all(isinstance(outcome, ConnectionResetError) for outcome in outcomes)
    again = [await hold(event, k) for k in keys]
    assert len(set(again)) == 5
    assert await db.fetchval("SELECT held FROM event") == 5, "nobody holds twice"


async def _nothing(_):
    pass
