"""A purchase as its buyer lives it, from the hold to the tickets (1.3.3, 1.5, 2.1, AC 5, AC 6)."""

import asyncio
import uuid

import pytest

from domain.errors import AlreadyPaid, CheckoutNotFound, HoldEnded, PaymentUnderWay, Refusal
from domain.reservations import HoldState
from models import database as db
from models.checkout import visit
from models.order import paid_order
from services import checkout, settlement
from services.checkout import FreeOfCharge
from services.gateway import Intent, IntentStatus, OutcomeUnknown
from tests.makers import (
    buy,
    hold,
    hold_with_buyer,
    left,
    let_time_run_out,
    make_event,
    start_paying,
    statuses,
    ticket_type,
)

pytestmark = pytest.mark.usefixtures("database", "stripe")


async def order_of(checkout_id):
    return await db.fetchrow("SELECT * FROM orders WHERE checkout_id = $1", checkout_id)


async def pay(stripe, intent, card="4242424242424242"):
    """The buyer presses Pay, and their page asks how the purchase stands."""
    answer = await stripe.pay(intent.client_secret, card)
    await settlement.settle(intent.reference)
    return answer


async def test_case_1_a_paid_purchase_becomes_a_completed_order_with_tickets(stripe):
    event = await make_event(capacity=5)
    order_id = await buy(event, stripe, General=2)
    order = await db.fetchrow("SELECT * FROM orders WHERE id = $1", order_id)
    assert (order["status"], order["total_quantity"], order["total_amount"]) == ("COMPLETED", 2, 4800)
    assert await db.fetchval("SELECT count(*) FROM ticket WHERE order_id = $1", order_id) == 2
    assert await statuses(order["checkout_id"]) == ["CONSUMED"]
    assert await left(event) == 3


async def test_1_5_2_the_order_keeps_the_reference_of_its_payment(stripe):
    checkout_id = await hold_with_buyer(await make_event())
    intent = await start_paying(checkout_id)
    await pay(stripe, intent)
    order = await order_of(checkout_id)
    assert (order["payment_provider"], order["payment_reference"]) == ("stripe", intent.reference)
    assert (order["buyer_name"], order["buyer_email"]) == ("Ana Kovač", "ana@example.org")


async def test_1_5_2_nothing_but_a_payment_makes_an_order(stripe):
    checkout_id = await hold_with_buyer(await make_event())
    intent = await start_paying(checkout_id)
    await settlement.settle(intent.reference)
    assert await order_of(checkout_id) is None
    assert (await visit(checkout_id)).state == HoldState.HELD


async def test_several_types_become_one_order_with_a_line_each_and_a_ticket_for_everybody(stripe):
    event = await make_event(
        ticket_type("Early Bird", price=1800), ticket_type(), ticket_type("Patron", price=9900), capacity=9
    )
    paid = await paid_order(await buy(event, stripe, Patron=1, Early_Bird=2, General=1))
    assert [(i["name"], i["quantity"], i["line_total"]) for i in paid.items] == [
        ("Early Bird", 2, 3600),
        ("General", 1, 2400),
        ("Patron", 1, 9900),
    ]
    assert (paid.order["total_quantity"], paid.order["total_amount"]) == (4, 15900)
    assert [t["name"] for t in paid.tickets] == ["Early Bird", "Early Bird", "General", "Patron"]
    assert [t["number"] for t in paid.tickets] == [f"{paid.order['number']}-{n}" for n in (1, 2, 3, 4)]
    assert {t["holder_name"] for t in paid.tickets} == {"Ana Kovač"}


async def test_the_provider_is_asked_for_exactly_what_was_held_and_to_wait_with_the_capture(stripe):
    event = await make_event(ticket_type(price=1999), currency="CHF")
    intent = await start_paying(await hold_with_buyer(event, General=3))
    (there,) = (await stripe.state())["intents"]
    assert (there["amount"], there["currency"], there["capture_method"]) == (5997, "chf", "manual")
    assert (intent.amount, intent.currency) == (5997, "CHF")


async def test_case_2_a_declined_card_is_tried_again_with_the_same_intent_and_the_same_hold(stripe):
    checkout_id = await hold_with_buyer(await make_event())
    intent = await start_paying(checkout_id)
    refused = await pay(stripe, intent, "4000000000009995")
    assert refused["error"]["decline_code"] == "insufficient_funds"
    found = await visit(checkout_id)
    assert (found.state, found.checkout["payment_problem"]) == (HoldState.HELD, "insufficient_funds")
    again = await start_paying(checkout_id)
    assert again.reference == intent.reference
    await pay(stripe, again)
    assert (await order_of(checkout_id))["status"] == "COMPLETED"
    assert len((await stripe.state())["intents"]) == 1


async def test_case_3_a_rejected_3d_secure_is_tried_again_and_approved(stripe):
    checkout_id = await hold_with_buyer(await make_event())
    intent = await start_paying(checkout_id)
    await pay(stripe, intent, "4000002500003155")
    assert await order_of(checkout_id) is None, "the bank is still asking"
    await stripe.answer_bank(intent.client_secret, "fail")
    await settlement.settle(intent.reference)
    assert (await visit(checkout_id)).checkout["payment_problem"] == "payment_intent_authentication_failure"
    await pay(stripe, intent, "4000002500003155")
    await stripe.answer_bank(intent.client_secret, "success")
    await settlement.settle(intent.reference)
    assert (await order_of(checkout_id))["status"] == "COMPLETED"


async def test_case_5_tabs_and_reloads_share_one_intent(stripe):
    checkout_id = await hold_with_buyer(await make_event())
    references = {(await start_paying(checkout_id)).reference for _ in range(3)}
    assert len(references) == 1
    assert len((await stripe.state())["intents"]) == 1


async def test_case_5_the_second_tab_cannot_pay_twice(stripe):
    checkout_id = await hold_with_buyer(await make_event())
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    twice = await stripe.pay(intent.client_secret)
    assert twice["error"]["code"] == "payment_intent_unexpected_state"
    await settlement.settle(intent.reference)
    assert sum(i["amount_received"] for i in (await stripe.state())["intents"]) == 2400


async def test_case_35_each_checkout_is_given_its_own_secret_only(stripe):
    event = await make_event()
    mine, yours = await start_paying(await hold_with_buyer(event)), await start_paying(await hold_with_buyer(event))
    assert mine.client_secret.startswith(mine.reference)
    assert yours.client_secret.startswith(yours.reference)
    assert mine.reference != yours.reference


def test_case_35_a_client_secret_is_not_shown_where_an_intent_is_logged():
    intent = Intent("pi_1", IntentStatus.AWAITING_BUYER, 100, "EUR", client_secret="pi_1_secret_x")
    assert "secret_x" not in repr(intent)


async def test_paying_begun_by_another_tab_is_found_paid(stripe):
    """The buyer paid in one tab and presses Pay in the other, before any notice came."""
    checkout_id = await hold_with_buyer(await make_event())
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    with pytest.raises(AlreadyPaid) as already:
        await checkout.start_payment(checkout_id)
    assert already.value.order_id == (await order_of(checkout_id))["id"]


async def test_ac_7_an_ended_hold_cannot_be_paid(stripe):
    checkout_id = await hold_with_buyer(await make_event())
    await let_time_run_out(checkout_id)
    with pytest.raises(HoldEnded):
        await checkout.start_payment(checkout_id)
    assert (await stripe.state())["intents"] == []


async def test_ac_7_a_payment_may_be_retried_only_while_the_hold_lives(stripe):
    checkout_id = await hold_with_buyer(await make_event())
    intent = await start_paying(checkout_id)
    await pay(stripe, intent, "4000000000000002")
    await let_time_run_out(checkout_id)
    with pytest.raises(HoldEnded):
        await checkout.start_payment(checkout_id)


async def test_a_paid_checkout_cannot_be_paid_again_nor_given_back(stripe):
    order_id = await buy(await make_event(), stripe)
    checkout_id = await db.fetchval("SELECT checkout_id FROM orders WHERE id = $1", order_id)
    for verb in (checkout.start_payment, checkout.give_back):
        with pytest.raises(AlreadyPaid):
            await verb(checkout_id)
    with pytest.raises(AlreadyPaid):
        await checkout.remember_buyer(checkout_id, name="Eve", email="eve@example.org")


@pytest.mark.parametrize("verb", [checkout.start_payment, checkout.give_back])
async def test_an_unknown_checkout_is_not_found(verb):
    with pytest.raises(CheckoutNotFound):
        await verb(uuid.uuid4())


async def test_given_back_tickets_are_free_at_once_and_cannot_be_paid(stripe):
    event = await make_event(capacity=2)
    checkout_id = await hold_with_buyer(event, General=2)
    await checkout.give_back(checkout_id)
    assert await left(event) == 2
    assert (await visit(checkout_id)).state == HoldState.GIVEN_BACK
    with pytest.raises(HoldEnded):
        await checkout.start_payment(checkout_id)
    await checkout.give_back(checkout_id)
    assert await left(event) == 2


async def test_giving_back_cancels_the_intent(stripe):
    checkout_id = await hold_with_buyer(await make_event())
    intent = await start_paying(checkout_id)
    await checkout.give_back(checkout_id)
    answer = await stripe.pay(intent.client_secret)
    assert answer["error"]["code"] == "payment_intent_unexpected_state"
    assert await db.fetchval("SELECT status FROM payment") == "VOIDED"


async def test_giving_back_what_was_just_authorised_takes_no_money(stripe):
    checkout_id = await hold_with_buyer(await make_event())
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await checkout.give_back(checkout_id)
    (there,) = (await stripe.state())["intents"]
    assert (there["status"], there["amount_received"]) == ("canceled", 0)
    assert await order_of(checkout_id) is None


async def test_while_money_is_being_taken_nothing_else_can_be_done(stripe):
    checkout_id = await hold_with_buyer(await make_event())
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await stripe.fault(op="payment_intents.capture", mode="500_before", times=2)
    with pytest.raises(OutcomeUnknown):
        await settlement.settle(intent.reference)
    assert (await visit(checkout_id)).state == HoldState.CONFIRMING
    for verb in (checkout.start_payment, checkout.give_back):
        with pytest.raises(PaymentUnderWay):
            await verb(checkout_id)
    await settlement.settle(intent.reference)
    assert (await visit(checkout_id)).state == HoldState.PAID


async def test_case_24_an_intent_that_died_while_the_hold_lives_is_followed_by_a_new_one(stripe):
    checkout_id = await hold_with_buyer(await make_event())
    first = await start_paying(checkout_id)
    await stripe.dashboard(first.reference, "cancel")
    second = await start_paying(checkout_id)
    assert second.reference != first.reference
    await pay(stripe, second)
    assert (await order_of(checkout_id))["payment_reference"] == second.reference


async def test_case_33_a_free_purchase_completes_at_once_without_the_provider(stripe):
    event = await make_event(ticket_type(price=0), capacity=3)
    checkout_id = await hold_with_buyer(event, General=2)
    assert await checkout.start_payment(checkout_id) == FreeOfCharge()
    order = await order_of(checkout_id)
    assert (order["status"], order["total_amount"], order["payment_provider"]) == ("COMPLETED", 0, "free")
    assert await db.fetchval("SELECT count(*) FROM ticket") == 2
    assert (await stripe.state())["calls"] == []
    assert await left(event) == 1


async def test_case_33_a_free_purchase_pressed_twice_is_one_order(stripe):
    checkout_id = await hold_with_buyer(await make_event(ticket_type(price=0)))
    outcomes = await asyncio.gather(*(checkout.start_payment(checkout_id) for _ in range(8)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} <= {FreeOfCharge, AlreadyPaid}
    assert await db.fetchval("SELECT count(*) FROM orders") == 1
    assert await db.fetchval("SELECT count(*) FROM ticket") == 1


async def test_a_free_ticket_beside_a_paid_one_is_paid_together(stripe):
    event = await make_event(ticket_type("Child", price=0), ticket_type())
    paid = await paid_order(await buy(event, stripe, Child=1, General=1))
    assert paid.order["total_amount"] == 2400
    assert len(paid.tickets) == 2


async def test_case_33_a_free_purchase_whose_hold_ends_at_the_last_moment_is_not_called_done(monkeypatch):
    checkout_id = await hold_with_buyer(await make_event(ticket_type(price=0)))
    settle_free = settlement.settle_free

    async def a_moment_later(payment_id):
        await let_time_run_out(checkout_id)
        await settle_free(payment_id)

    monkeypatch.setattr(settlement, "settle_free", a_moment_later)
    with pytest.raises(HoldEnded):
        await checkout.start_payment(checkout_id)


async def test_the_buyer_may_be_corrected_until_the_order_is_there(stripe):
    checkout_id = await hold(await make_event())
    await checkout.remember_buyer(checkout_id, name="Ana", email="ana@example")
    await checkout.remember_buyer(checkout_id, name="Ana Kovač", email="ana@example.org")
    intent = await start_paying(checkout_id)
    await pay(stripe, intent)
    assert (await order_of(checkout_id))["buyer_email"] == "ana@example.org"


@pytest.mark.parametrize(("price", "quantity"), [(30, 1), (10_000_000, 10)])
async def test_an_amount_that_the_provider_does_not_take_is_refused_in_our_words(price, quantity):
    event = await make_event(ticket_type(price=price), capacity=30)
    checkout_id = await hold_with_buyer(event, General=quantity)
    with pytest.raises((Refusal, OutcomeUnknown)):
        await checkout.start_payment(checkout_id)


async def test_the_dearest_purchase_that_the_limits_allow_can_at_least_be_given_back():
    kinds = [ticket_type(f"Patron {n}", price=10_000_000, max_per_order=100) for n in (1, 2, 3)]
    event = await make_event(*kinds, capacity=300)
    checkout_id = await hold(event, Patron_1=100, Patron_2=100, Patron_3=100)
    await checkout.give_back(checkout_id)
    assert await db.fetchval("SELECT held FROM event") == 0
