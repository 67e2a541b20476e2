"""Money that comes late, changed or unasked: an order with its tickets, or nobody charged (1.5, PAYMENTS cases)."""

import uuid
from contextlib import suppress
from dataclasses import replace

import asyncpg
import pytest

from domain.errors import HoldEnded
from domain.reservations import HoldState
from models import database as db
from models import stock
from models.checkout import visit
from services import checkout, gateway, reconciliation, settlement
from services.gateway import IntentStatus, OutcomeUnknown
from services.transaction import transaction
from tasks import jobs
from tests.faults import scenarios
from tests.makers import (
    hold,
    hold_with_buyer,
    left,
    let_time_pass,
    let_time_run_out,
    make_event,
    start_paying,
    statuses,
    ticket_type,
)

pytestmark = pytest.mark.usefixtures("database", "stripe")


class Purchase:
    """A buyer whose card form is open."""

    def __init__(self, stripe, event, checkout_id, intent):
        self.stripe, self.event, self.checkout_id, self.intent = stripe, event, checkout_id, intent

    async def authorise(self):
        return await self.stripe.pay(self.intent.client_secret)

    async def settle(self):
        await settlement.settle(self.intent.reference)

    async def at_stripe(self):
        intents = (await self.stripe.state())["intents"]
        return next(i for i in intents if i["id"] == self.intent.reference)

    async def order(self):
        return await db.fetchrow("SELECT * FROM orders WHERE checkout_id = $1", self.checkout_id)

    async def payment(self):
        return await db.fetchrow("SELECT * FROM payment WHERE reference = $1", self.intent.reference)

    async def has_its_tickets(self):
        there, order = await self.at_stripe(), await self.order()
        assert (there["status"], there["amount_received"]) == ("succeeded", order["total_amount"])
        assert (order["status"], (await self.payment())["status"]) == ("COMPLETED", "CAPTURED")
        return True

    async def was_not_charged(self):
        there = await self.at_stripe()
        assert (there["status"], there["amount_received"]) == ("canceled", 0)
        assert await self.order() is None
        assert (await self.payment())["status"] == "VOIDED"
        return True


@pytest.fixture
def begin(stripe):
    async def begin(event=None, **quantities):
        event = event or await make_event(capacity=5)
        checkout_id = await hold_with_buyer(event, **quantities)
        return Purchase(stripe, event, checkout_id, await start_paying(checkout_id))

    return begin


async def test_ac_5_a_finalised_sale_is_written_whole_or_not_at_all(begin, monkeypatch):
    purchase = await begin()
    await purchase.authorise()

    async def fail(*_):
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(settlement.outbox, "write", fail)  # the last thing that finalising writes
        with pytest.raises(ZeroDivisionError):
            await purchase.settle()
    assert await purchase.order() is None
    assert await statuses(purchase.checkout_id) == ["ACTIVE"]
    assert (await purchase.payment())["status"] == "CAPTURING"
    await purchase.settle()
    assert await purchase.has_its_tickets()


async def test_ac_6_an_order_is_paid_before_its_tickets_exist_and_completed_after(begin, monkeypatch):
    purchase = await begin()
    await purchase.authorise()
    seen = []

    issue = settlement.tickets.issue

    async def watch(order_id):
        seen.append((await purchase.order())["status"])
        await issue(order_id)
        seen.append((await purchase.order())["status"])

    monkeypatch.setattr(settlement.tickets, "issue", watch)
    await purchase.settle()
    assert seen == ["PAID", "COMPLETED"]


async def test_case_6_money_authorised_in_time_is_taken_by_the_sweeper_when_no_notice_came(begin):
    event = await make_event(capacity=1)
    purchase = await begin(event)
    await purchase.authorise()
    await let_time_run_out(purchase.checkout_id)
    assert await checkout.expire_holds(event.id) == 0, "nothing came back: it is sold"
    assert await purchase.has_its_tickets()
    assert await left(event) == 0


async def test_case_7_an_unpaid_expiry_cancels_the_intent_and_a_later_attempt_is_refused(begin):
    purchase = await begin()
    await let_time_run_out(purchase.checkout_id)
    assert await checkout.expire_holds(purchase.event.id) == 1
    assert (await purchase.authorise())["error"]["code"] == "payment_intent_unexpected_state"
    assert await purchase.was_not_charged()
    assert await statuses(purchase.checkout_id) == ["EXPIRED"]
    assert (await visit(purchase.checkout_id)).state == HoldState.ENDED


async def test_case_8_a_3d_secure_page_open_at_expiry_charges_nobody(begin, stripe):
    purchase = await begin()
    await stripe.pay(purchase.intent.client_secret, "4000002500003155")
    await let_time_run_out(purchase.checkout_id)
    await checkout.expire_holds(purchase.event.id)
    answer = await stripe.answer_bank(purchase.intent.client_secret, "success")
    assert answer["error"]["code"] == "payment_intent_unexpected_state"
    assert await purchase.was_not_charged()


async def test_case_9_late_money_gets_the_same_seats_when_they_are_still_there(begin):
    """Nobody cancelled the intent in time: every worker was dead."""
    event = await make_event(ticket_type("Early Bird", price=1800, allocation=2), ticket_type(), capacity=4)
    purchase = await begin(event, Early_Bird=1, General=2)
    await let_time_pass(minutes=16)
    await hold(event, Early_Bird=1)
    await purchase.authorise()
    await purchase.settle()
    assert await purchase.has_its_tickets()
    old_and_new = await db.fetch(
        """SELECT old.status AS old, new.status AS new, new.quantity = old.quantity AS same
           FROM reservation AS new JOIN reservation AS old ON new.replaces = old.id"""
    )
    assert [tuple(row) for row in old_and_new] == [("EXPIRED", "CONSUMED", True)] * 2
    assert (await visit(purchase.checkout_id)).quantity == 3, "the page shows the purchase once"


async def test_case_9_late_money_for_a_hold_that_was_already_released(begin):
    purchase = await begin()
    await let_time_pass(minutes=16)
    async with transaction():
        shelf = await stock.lock(purchase.event.id)
        assert await stock.release_overdue(purchase.event.id, shelf.now)
    await purchase.authorise()
    await purchase.settle()
    assert await purchase.has_its_tickets()
    assert sorted(await statuses(purchase.checkout_id)) == ["CONSUMED", "EXPIRED"]


async def test_case_10_late_money_for_a_sold_out_event_is_let_go(begin):
    event = await make_event(capacity=1)
    late = await begin(event)
    await let_time_run_out(late.checkout_id)
    other = await begin(event)
    await late.authorise()
    await late.settle()
    assert await late.was_not_charged()
    assert (await late.payment())["last_error"] == "late"
    await other.authorise()
    await other.settle()
    assert await other.has_its_tickets()


async def test_case_10_late_money_for_two_types_is_let_go_when_only_one_still_fits(begin):
    event = await make_event(ticket_type("Early Bird", allocation=1), ticket_type(), capacity=9)
    late = await begin(event, Early_Bird=1, General=1)
    await let_time_run_out(late.checkout_id)
    await hold(event, Early_Bird=1)
    await late.authorise()
    await late.settle()
    assert await late.was_not_charged()
    assert await left(event) == 8


async def test_case_11_a_price_that_changed_while_the_tickets_were_held_is_not_the_buyer_s_matter(begin):
    purchase = await begin()
    await db.execute("UPDATE ticket_type SET price = 9900")
    await purchase.authorise()
    await purchase.settle()
    assert await purchase.has_its_tickets()
    assert (await purchase.order())["total_amount"] == 2400


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ticket_type SET is_enabled = name <> 'General'",
        "UPDATE event SET status = 'DRAFT'",
        "UPDATE ticket_type SET sales_end = now()",
        "UPDATE ticket_type SET min_per_order = 5",
    ],
)
async def test_what_the_organiser_changes_while_tickets_are_held_does_not_take_them_away(begin, change):
    purchase = await begin(await make_event(ticket_type(), ticket_type("Other"), capacity=5))
    await db.execute(change)
    await purchase.authorise()
    await purchase.settle()
    assert await purchase.has_its_tickets()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ticket_type SET price = 2401",
        "UPDATE ticket_type SET price = 2399",
        "UPDATE ticket_type SET is_enabled = name <> 'General'",
        "UPDATE event SET status = 'DRAFT'",
        "UPDATE ticket_type SET sales_end = now()",
    ],
)
async def test_case_11_late_money_after_a_change_is_let_go(begin, change):
    purchase = await begin(await make_event(ticket_type(), ticket_type("Other"), capacity=5))
    await let_time_run_out(purchase.checkout_id)
    await db.execute(change)
    await purchase.authorise()
    await purchase.settle()
    assert await purchase.was_not_charged()


@pytest.mark.parametrize("amount", [100, 2399, 2401, 99_999])
async def test_case_12_another_amount_than_asked_is_never_captured(begin, stripe, amount):
    purchase = await begin()
    await stripe.change_amount(purchase.intent.reference, amount)
    await purchase.authorise()
    await purchase.settle()
    assert await purchase.was_not_charged()
    assert (await purchase.payment())["last_error"] == "amount_differs"
    assert await statuses(purchase.checkout_id) == ["ACTIVE"], "the hold is the buyer's until its end"
    again = await start_paying(purchase.checkout_id)
    assert again.amount == 2400


async def test_case_20_an_authorisation_that_died_before_the_capture_makes_no_order_and_unpins_the_hold(begin, stripe):
    purchase = await begin()
    await purchase.authorise()
    await stripe.fault(op="payment_intents.capture", mode="drop_before", times=2)
    with pytest.raises(OutcomeUnknown):
        await purchase.settle()
    assert (await purchase.payment())["status"] == "CAPTURING"
    before = (await visit(purchase.checkout_id)).checkout["expires_at"]
    await stripe.dashboard(purchase.intent.reference, "expire_authorisation")
    await purchase.settle()
    assert await purchase.was_not_charged()
    assert await db.fetchval("SELECT expires_at FROM reservation") == before, "the hold has its old end again"
    assert (await start_paying(purchase.checkout_id)).reference != purchase.intent.reference


async def test_case_20_after_its_time_an_unpinned_hold_goes_back_on_sale(begin, stripe):
    event = await make_event(capacity=1)
    purchase = await begin(event)
    await purchase.authorise()
    await stripe.fault(op="payment_intents.capture", mode="drop_before", times=2)
    with pytest.raises(OutcomeUnknown):
        await purchase.settle()
    await let_time_pass(minutes=16)
    await stripe.dashboard(purchase.intent.reference, "expire_authorisation")
    await reconciliation.reconcile()
    assert await purchase.was_not_charged()
    assert await left(event) == 1
    assert await hold(event)


async def test_case_20_a_capture_that_is_refused_for_good_strands_nobody(begin, stripe):
    """The intent still says that the money is set aside, and the bank's word is over all the same."""
    purchase = await begin(await make_event(capacity=1))
    await purchase.authorise()
    before = (await visit(purchase.checkout_id)).checkout["expires_at"]
    await stripe.fault(op="payment_intents.capture", mode="expired")
    await purchase.settle()
    assert await purchase.was_not_charged()
    assert await db.fetchval("SELECT expires_at FROM reservation") == before, "the hold has its old end again"
    purchase.intent = await start_paying(purchase.checkout_id)
    await purchase.authorise()
    await purchase.settle()
    assert await purchase.has_its_tickets()


async def test_a_cancel_that_is_lost_after_a_refused_capture_is_made_up_for(begin, stripe):
    purchase = await begin()
    await purchase.authorise()
    await stripe.fault(op="payment_intents.capture", mode="expired")
    await stripe.fault(op="payment_intents.cancel", mode="drop_before", times=2)
    with pytest.raises(OutcomeUnknown):
        await purchase.settle()
    assert (await purchase.payment())["status"] == "VOIDING"
    await let_time_pass(seconds=20)
    await reconciliation.reconcile()
    assert await purchase.was_not_charged()


@pytest.mark.parametrize("status", ["CAPTURING", "VOIDING"])
async def test_an_authorisation_that_is_gone_without_a_trace_is_let_go_at_the_second_question(begin, stripe, status):
    """The first may have been answered before the bank agreed."""
    purchase = await begin()
    await purchase.authorise()
    await stripe.fault(op="payment_intents.capture", mode="drop_before", times=2)
    with pytest.raises(OutcomeUnknown):
        await purchase.settle()
    await db.execute("UPDATE payment SET status = $1", status)
    gone = replace(purchase.intent, status=IntentStatus.AWAITING_BUYER)
    await settlement.settle(gone.reference, known=gone)
    assert (await purchase.payment())["status"] == status
    await db.execute("UPDATE payment SET attempts = 2")
    await settlement.settle(gone.reference, known=gone)
    assert await purchase.was_not_charged()


async def test_case_22_money_captured_by_hand_with_the_hold_alive_is_an_order(begin, stripe):
    purchase = await begin()
    await purchase.authorise()
    await stripe.dashboard(purchase.intent.reference, "capture")
    await purchase.settle()
    assert await purchase.has_its_tickets()


async def test_case_22_money_captured_by_hand_after_the_hold_with_seats_left_is_an_order(begin, stripe):
    purchase = await begin()
    await purchase.authorise()
    await let_time_run_out(purchase.checkout_id)
    await stripe.dashboard(purchase.intent.reference, "capture")
    await purchase.settle()
    assert await purchase.has_its_tickets()


async def test_case_22_money_captured_by_hand_without_seats_goes_back_in_full(begin, stripe):
    event = await make_event(capacity=1)
    purchase = await begin(event)
    await purchase.authorise()
    await let_time_run_out(purchase.checkout_id)
    await hold(event)
    await stripe.dashboard(purchase.intent.reference, "capture")
    await purchase.settle()
    assert await purchase.order() is None
    payment = await purchase.payment()
    assert (payment["status"], payment["last_error"]) == ("REFUNDED", "captured_by_hand")
    await jobs.drain_outbox({})
    (refund,) = (await stripe.state())["refunds"]
    assert (refund["amount"], refund["payment_intent"]) == (2400, purchase.intent.reference)


async def test_case_24_an_intent_cancelled_at_the_provider_leaves_the_hold_alive(begin, stripe):
    purchase = await begin()
    await stripe.dashboard(purchase.intent.reference, "cancel")
    await purchase.settle()
    assert (await purchase.payment())["status"] == "VOIDED"
    assert (await visit(purchase.checkout_id)).state == HoldState.HELD


async def test_case_27_a_paid_order_occupies_its_seats_before_it_is_completed(stripe):
    await scenarios.a_paid_order_waits_for_its_tickets(stripe)


async def test_settling_at_rest_changes_nothing(begin, stripe):
    purchase = await begin()
    await purchase.authorise()
    await purchase.settle()
    before = await db.fetchrow("SELECT * FROM payment")
    for _ in range(3):
        await purchase.settle()
    assert await db.fetchrow("SELECT * FROM payment") == before
    captures = [c for c in (await stripe.state())["calls"] if c["op"] == "payment_intents.capture"]
    assert len(captures) == 1


async def test_an_intent_of_somebody_else_is_left_alone(begin, stripe):
    """Another system may share the account."""
    purchase = await begin()
    foreign = await gateway.current().create(payment_id=uuid.uuid4(), attempt=0, amount=999, currency="EUR")
    await stripe.pay(foreign.client_secret)
    await settlement.settle(foreign.reference)
    assert (await gateway.current().retrieve(foreign.reference)).status == IntentStatus.AUTHORISED
    assert (await purchase.payment())["status"] == "OPEN"


async def test_a_declined_late_payment_is_not_offered_again_after_the_end(begin, stripe):
    purchase = await begin()
    await stripe.pay(purchase.intent.client_secret, "4000000000000002")
    await let_time_run_out(purchase.checkout_id)
    await checkout.expire_holds(purchase.event.id)
    with pytest.raises(HoldEnded):
        await checkout.start_payment(purchase.checkout_id)
    assert await purchase.was_not_charged()


async def test_case_12_another_currency_is_not_called_late(begin, stripe, monkeypatch):
    purchase = await begin()
    await purchase.authorise()
    retrieve = gateway.current().retrieve

    async def in_dollars(reference):
        return replace(await retrieve(reference), currency="USD")

    monkeypatch.setattr(gateway.current(), "retrieve", in_dollars)
    await purchase.settle()
    assert await purchase.was_not_charged()
    assert (await purchase.payment())["last_error"] == "amount_differs"


async def test_case_22_a_part_captured_by_hand_is_not_an_order_over_the_whole(begin, stripe):
    purchase = await begin()
    await purchase.authorise()
    await stripe.dashboard(purchase.intent.reference, "capture", amount_to_capture=1000)
    await purchase.settle()
    assert await purchase.order() is None
    await jobs.drain_outbox({})
    (refund,) = (await stripe.state())["refunds"]
    assert refund["amount"] == 1000


async def test_the_currency_of_the_moment_is_kept_for_the_life_of_the_hold_or_not_changed_at_all(stripe):
    checkout_id = await hold_with_buyer(await make_event())
    with suppress(asyncpg.CheckViolationError):
        await db.execute("UPDATE event SET currency = 'JPY'")
    assert (await start_paying(checkout_id)).currency == "EUR"
