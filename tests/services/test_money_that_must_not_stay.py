"""What somebody who tried to break the house has found: money that stayed, words that were not true."""

from unittest.mock import patch

import pytest

from domain.refunds import Everything, Money, TheseTickets
from models import database as db
from sandbox.plan import SANDBOX_SECRET_KEY
from services import checkout, comparison, gateway, mail, outbox, refunds, settlement
from services.gateway import OutcomeUnknown
from tasks import jobs
from tests.makers import (
    buy,
    hold_with_buyer,
    let_time_pass,
    let_time_run_out,
    make_event,
    start_paying,
)
from tests.services import bank
from tests.services.test_refunds import (
    REFUND_FAILS,
    amounts,
    at_stripe,
    intent_of,
    known,
    pay_with,
    refund,
    refund_and_run,
    tickets_of,
    validity,
    work,
)

pytestmark = pytest.mark.usefixtures("database", "stripe")


async def nobody_asks(_) -> None:
    """The sweeper dies before it has asked."""


async def paid_and_resold(event, stripe):
    """The only seat of a buyer whose bank has agreed is somebody else's now. Returns the first one's intent."""
    checkout_id = await hold_with_buyer(event)
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await let_time_run_out(checkout_id)
    with patch.object(checkout, "_let_go", nobody_asks):
        await checkout.expire_holds(event.id)
    await buy(event, stripe)
    return intent


async def test_a_part_given_back_in_the_dashboard_does_not_keep_the_rest_with_us(stripe):
    intent = await paid_and_resold(await make_event(capacity=1), stripe)
    await stripe.dashboard(intent.reference, "capture")
    await settlement.settle(intent.reference)
    assert await known() == [(2400, "REQUESTED", "NO_SEATS")]
    await stripe.dashboard(intent.reference, "refund", amount=1000)
    for _ in range(3):
        await db.execute("UPDATE outbox SET run_at = clock_timestamp() WHERE done_at IS NULL")
        await work()
    assert sum(await amounts(stripe)) == 2400
    await comparison.compare()
    assert await db.fetchval("SELECT count(*) FROM discrepancy") == 0


async def test_a_ticket_that_went_with_the_last_of_the_money_is_good_again_when_that_was_not_the_last(stripe):
    order_id = await pay_with(stripe, REFUND_FAILS, General=2)
    failing = await refund_and_run(order_id, Money(2400))
    first, _ = await tickets_of(order_id, valid=True)
    await refund_and_run(order_id, TheseTickets(frozenset({first})))
    assert await validity(order_id) == "ii"
    made = next(r for r in await at_stripe(stripe) if r["metadata"]["refund_id"] == str(failing))
    await bank.decide(stripe, made["id"], "fail")
    await refunds.sync(await intent_of(order_id))
    assert sorted(await validity(order_id)) == ["i", "v"]


@pytest.fixture
def sent(monkeypatch):
    """The subjects of the letters that went out."""
    subjects = []

    async def send(message):
        subjects.append(message["Subject"])

    monkeypatch.setattr(mail, "_send", send)
    monkeypatch.setattr(mail, "_post", mail._Post("smtp://127.0.0.1:1", "a@example.org", "http://shop.localhost"))
    return subjects


@pytest.mark.parametrize("waits", [True, False], ids=["standing in line", "before they press"])
async def test_nobody_reads_that_their_tickets_are_gone_while_they_are_held(stripe, sent, waits):
    """Cancelled in the Dashboard when the bank had agreed; the hold was prolonged by a line past its old end."""
    checkout_id = await hold_with_buyer(await make_event(capacity=2))
    first = await start_paying(checkout_id)
    await stripe.pay(first.client_secret)
    await stripe.dashboard(first.reference, "cancel")
    await settlement.settle(first.reference)
    if waits:
        await checkout._live_payment(checkout_id)
    await db.execute("UPDATE reservation SET expires_at = expires_at + interval '10 minutes'")
    await let_time_pass(minutes=16)
    await outbox.drain(jobs.DEEDS)
    assert sent == []
    await let_time_pass(minutes=20)
    await db.execute("UPDATE payment SET status = 'VOIDED' WHERE status = 'CREATING'")
    await outbox.drain(jobs.DEEDS)
    assert len(sent) == 1


async def test_nobody_reads_that_they_were_not_charged_while_a_second_try_is_under_way(stripe, sent):
    checkout_id = await hold_with_buyer(await make_event(capacity=2))
    first = await start_paying(checkout_id)
    await stripe.pay(first.client_secret)
    capture = gateway.current().capture

    async def too_late(reference):
        await stripe.dashboard(reference, "cancel")
        return await capture(reference)

    async def answer_lost(reference):
        await capture(reference)
        raise OutcomeUnknown("lost")

    with patch.object(gateway.current(), "capture", too_late):
        await settlement.settle(first.reference)
    second = await start_paying(checkout_id)
    await stripe.pay(second.client_secret)
    with patch.object(gateway.current(), "capture", answer_lost), pytest.raises(OutcomeUnknown):
        await settlement.settle(second.reference)
    await let_time_pass(minutes=16)
    await outbox.drain(jobs.DEEDS)
    assert sent == []
    await settlement.settle(second.reference)
    await db.execute("UPDATE outbox SET run_at = clock_timestamp() WHERE done_at IS NULL")
    await outbox.drain(jobs.DEEDS)
    assert [subject.partition(":")[0] for subject in sent] == ["Your tickets"]


async def test_money_is_not_even_taken_when_the_pin_ran_out_and_the_seat_is_gone(stripe):
    event = await make_event(capacity=1)
    checkout_id = await hold_with_buyer(event)
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)

    async def away(_):
        raise OutcomeUnknown("away")

    with patch.object(gateway.current(), "capture", away), pytest.raises(OutcomeUnknown):
        await settlement.settle(intent.reference)
    await let_time_pass(days=8)
    with patch.object(checkout, "_let_go", nobody_asks):
        await checkout.expire_holds(event.id)
    await buy(event, stripe)
    await settlement.settle(intent.reference)
    there = next(i for i in (await stripe.state())["intents"] if i["id"] == intent.reference)
    assert (there["status"], there["amount_received"]) == ("canceled", 0)


async def test_our_mark_on_another_amount_is_not_our_refund(stripe):
    order_id = await buy(await make_event(capacity=5), stripe, General=2)
    refund_id = await refund(order_id, Everything())
    await stripe.dashboard(await intent_of(order_id), "refund", amount=100)
    (made,) = await at_stripe(stripe)
    marked = {"metadata[refund_id]": str(refund_id)}
    answer = await stripe._client.post(f"/v1/refunds/{made['id']}", data=marked, auth=(SANDBOX_SECRET_KEY, ""))
    answer.raise_for_status()
    await work()
    assert (100, "SUCCEEDED", "OUTSIDE") in await known()
    assert (4800, "SUCCEEDED", "REQUESTED") not in await known()
