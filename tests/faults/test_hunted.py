"""What was hunted down by thinking of the worst moment for everything to happen at once."""

import asyncio
from unittest.mock import patch

import pytest

from domain.refunds import Money, RefundReason
from domain.reservations import HoldState
from models import database as db
from models.checkout import visit
from sandbox.plan import SANDBOX_SECRET_KEY
from services import audit, checkout, gateway, links, pace, reconciliation, refunds, settlement, stripe_gateway
from services.gateway import OutcomeUnknown
from services.stripe_gateway import StripeGateway
from tests.conftest import WEBHOOK_SECRET, until
from tests.faults import money, scenarios
from tests.faults.interleaving import after_statement
from tests.makers import buy, hold, hold_with_buyer, key, let_time_pass, make_event, start_paying

pytestmark = pytest.mark.usefixtures("database", "stripe")


@pytest.fixture
async def impatient(stripe_url, monkeypatch, stripe):
    """The same gateway, for which 0.3 s are an eternity."""
    monkeypatch.setattr(stripe_gateway, "TIMEOUT_SECONDS", 0.3)
    ours = StripeGateway(secret_key=SANDBOX_SECRET_KEY, api_base=stripe_url, webhook_secrets=(WEBHOOK_SECRET,))
    before = gateway.current()
    gateway.use(ours)
    yield
    gateway.use(before)
    await ours.close()


@pytest.mark.usefixtures("impatient")
async def test_a_refund_that_is_done_late_is_not_made_again_because_of_a_503_in_between(stripe):
    """The first call is silent and done only in the end; the SDK's second try is told 503, which says nothing about
    the first; a new key would then pay a second time."""
    order_id = await buy(await make_event(capacity=5), stripe, General=2)
    refund_id = await refunds.request(
        order_id,
        Money(1000),
        reason=RefundReason.GOODWILL,
        note="",
        seats_return=False,
        request_key=key(),
        actor=audit.SYSTEM,
    )
    await stripe.fault(op="refunds.create", mode="late", seconds=1.5)
    await stripe.fault(op="refunds.create", mode="503")
    with pytest.raises(OutcomeUnknown):
        await refunds.run(refund_id)
    await asyncio.gather(refunds.run(refund_id), return_exceptions=True)
    await until(lambda: _has_refunds(stripe))
    await until(lambda: _was_done(stripe))
    await refunds.sync(await db.fetchval("SELECT reference FROM payment"))
    assert [refund["amount"] for refund in (await stripe.state())["refunds"]] == [1000], "paid twice"


async def test_money_taken_before_the_house_was_closed_for_eight_days_is_an_order_or_goes_back(stripe):
    """The answer to the capture was lost, everything stood still, the pin ran out, and the sweeper wakes first."""
    event = await make_event(capacity=1)
    payment, secret = await scenarios._ready_to_pay(event)
    await stripe.pay(secret)
    await stripe.fault(op="payment_intents.capture", mode="drop_after", times=2)
    await scenarios._settle_whatever_happens(payment)
    await let_time_pass(days=8)
    await checkout.expire_holds(event.id)
    await reconciliation.reconcile()
    await money._the_worker_works()
    orders = await db.fetchval("SELECT count(*) FROM orders")
    assert (orders, await money._kept(stripe)) in ((1, 2400), (0, 0)), "charged, and no order"


async def test_money_taken_before_the_house_was_closed_for_eight_days_goes_back_when_the_seat_was_resold(stripe):
    event = await make_event(capacity=1)
    payment, secret = await scenarios._ready_to_pay(event)
    await stripe.pay(secret)
    await stripe.fault(op="payment_intents.capture", mode="drop_after", times=2)
    await scenarios._settle_whatever_happens(payment)
    await let_time_pass(days=8)
    await hold(event)  # the first buyer through the door again
    await reconciliation.reconcile()
    await money._the_worker_works()
    assert await money._kept(stripe) == 0, "charged, and no order"


async def test_a_checkout_given_back_while_its_intent_is_made_cannot_be_paid(stripe):
    """One tab opens the card field, the other gives the tickets back meanwhile."""
    event = await make_event(capacity=1)
    checkout_id = await hold_with_buyer(event)
    create, secrets = gateway.current().create, []

    async def create_while_given_back(**wish):
        intent = await create(**wish)
        secrets.append(intent.client_secret)
        await checkout.give_back(checkout_id)
        return intent

    with patch.object(gateway.current(), "create", create_while_given_back):
        await asyncio.gather(start_paying(checkout_id), return_exceptions=True)
    await stripe.pay(secrets[0])
    await let_time_pass(seconds=20)
    await reconciliation.reconcile()
    assert await money._kept(stripe) == 0, "charged for what was given back"
    (intent,) = (await stripe.state())["intents"]
    assert intent["status"] == "canceled"


async def test_an_authorisation_in_the_very_moment_of_the_sweepers_cancel_charges_nobody_and_page_and_mail_say_so(shop):
    """The sweeper has looked, the buyer's bank agrees, and then the sweeper cancels: their bank shows money as gone."""
    event = await make_event(capacity=1)
    payment = await money._agreed_while_the_sweeper_cancels(shop.stripe, event)
    await settlement.settle(payment)
    assert await money._kept(shop.stripe) == 0
    assert await db.fetchval("SELECT status FROM payment") == "VOIDED"
    token = links.checkout_token(await scenarios._checkout_of(payment))
    assert await hold(event), "and the seat is free"
    shop.web()
    shop.worker()
    await until(shop.answers, patience=20)
    page = (await shop.browser.get(f"/checkouts/{token}")).text
    assert "your bank had agreed only after your hold was over" in page
    assert "if your bank shows €24.00 as reserved" in page
    await until(shop.mails, patience=20)
    (mail,) = await shop.mails()
    assert mail["subject"] == "You were not charged: Winter Light"
    assert "If your bank shows money as reserved" in mail["text"]


async def test_an_authorisation_cancelled_by_hand_before_we_had_heard_of_it_is_said_when_the_hold_is_over(stripe):
    event = await make_event(capacity=1)
    payment, secret = await scenarios._ready_to_pay(event)
    checkout_id = await scenarios._checkout_of(payment)
    await stripe.pay(secret)
    await stripe.dashboard(payment, "cancel")
    await settlement.settle(payment)
    found = await visit(checkout_id)
    assert found.state == HoldState.HELD, "they may pay again"
    assert found.checkout["payment_was_agreed"]
    due = await db.fetchval("SELECT run_at FROM outbox WHERE kind = 'not_charged_mail'")
    assert due == found.checkout["expires_at"]


async def test_a_card_that_was_declined_before_the_sweepers_cancel_is_not_called_late(stripe):
    """The charge that was tried is there all the same: the bank had not set anything aside."""
    event = await make_event(capacity=1)
    payment, secret = await scenarios._ready_to_pay(event)
    await stripe.pay(secret, "4000000000000002")
    await let_time_pass(minutes=16)
    await checkout.expire_holds(event.id)
    found = await visit(await scenarios._checkout_of(payment))
    assert (found.checkout["payment_status"], found.checkout["payment_problem"]) == ("VOIDED", None)
    assert await db.fetchval("SELECT count(*) FROM outbox") == 0


async def test_a_hold_that_grew_in_line_while_it_was_swept_is_sold_once(stripe):
    """The place in line is given after the hold's end: either the hold lives on, or the seat is somebody else's."""
    event = await make_event(capacity=1)
    checkout_id = await hold_with_buyer(event)

    async def sweep_first():
        await let_time_pass(minutes=16)
        await checkout.expire_holds(event.id)

    with money.paced(1), after_statement(pace.WAIT, sweep_first):
        await pace.place_in_line()
        await asyncio.gather(checkout.start_payment(checkout_id), return_exceptions=True)
    assert await hold(event)
    assert await db.fetchval("SELECT held + sold FROM event") == 1


async def _has_refunds(stripe) -> bool:
    return bool((await stripe.state())["refunds"])


async def _was_done(stripe) -> bool:
    """The silent call has been answered at last."""
    calls = [call for call in (await stripe.state())["calls"] if call["op"] == "refunds.create"]
    return calls[0]["status"] is not None
