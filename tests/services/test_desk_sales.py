"""Selling at the desk: out of the same stock, exactly once, never a ticket without somebody who answers for it."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from unittest.mock import patch
from uuid import UUID, uuid4

import pytest

from domain.desk_sales import DeskSale, Method
from domain.errors import (
    EventNotFound,
    HoldEnded,
    InsufficientInventory,
    NothingChosen,
    QuantityOutOfBounds,
    RequestKeyReused,
    TicketTypeNotOnSale,
    TooBusy,
)
from domain.refunds import Everything, Money, RefundReason
from models import database as db
from models import invariants, order, stock
from services import attention, checkout, comparison, desk_sales, reconciliation, refunds, reservations, settlement
from services.audit import Actor
from tasks import jobs
from tests import mutants
from tests.faults import scenarios
from tests.faults.interleaving import after_statement, hold_at_another_till, rendezvous
from tests.makers import hold, key, left, let_time_pass, make_event, statuses, ticket_type

pytestmark = pytest.mark.usefixtures("database")

MIRA = Actor(uuid4(), "Mira Novak")


def a_sale(event, method=Method.CASH, *, name="Ana Kovač", email="ana@example.org", note="", **quantities):
    wish = event.wish(**(quantities or {"General": 1}))
    return DeskSale(wish, buyer_name=name, buyer_email=email, method=method, note=note)


async def sell(event, method=Method.CASH, *, request_key=None, **values) -> UUID:
    sale = a_sale(event, method, **values)
    return await desk_sales.sell(event.id, sale, request_key=request_key or key(), actor=MIRA)


async def order_of(order_id):
    return await db.fetchrow(
        "SELECT o.*, p.method, p.note, p.captured FROM orders AS o JOIN payment AS p ON p.id = o.payment_id "
        "WHERE o.id = $1",
        order_id,
    )


# ---------------------------------------------------------------- what is sold


async def test_what_was_paid_elsewhere_is_an_order_at_the_list_price_with_its_tickets():
    event = await make_event(ticket_type(), ticket_type("Front row", price=3600))
    order_id = await sell(event, Method.TRANSFER, General=2, Front_row=1, note="Invoice 17")
    made = await order_of(order_id)
    assert (made["status"], made["total_amount"], made["captured"]) == ("COMPLETED", 8400, 8400)
    assert (made["payment_provider"], made["method"], made["note"]) == ("manual", "transfer", "Invoice 17")
    assert (made["buyer_name"], made["buyer_email"]) == ("Ana Kovač", "ana@example.org")
    paid = await order.paid_order(order_id)
    assert [t["holder_name"] for t in paid.tickets] == ["Ana Kovač"] * 3
    assert await left(event) == 27


async def test_a_complimentary_order_costs_nothing_and_counts_as_sold():
    event = await make_event(capacity=2)
    made = await order_of(await sell(event, None, General=2))
    assert (made["payment_provider"], made["total_amount"], made["method"]) == ("complimentary", 0, None)
    assert await left(event) == 0
    with pytest.raises(InsufficientInventory):
        await hold(event)


async def test_tickets_that_are_free_for_everybody_need_no_way_of_paying():
    event = await make_event(ticket_type(price=0))
    made = await order_of(await sell(event, Method.CASH))
    assert (made["payment_provider"], made["method"]) == ("complimentary", None)


async def test_who_sold_it_and_how_is_in_the_audit_of_the_order():
    event = await make_event()
    order_id = await sell(event, Method.TERMINAL, General=2)
    entry = await db.fetchrow("SELECT * FROM audit_entry WHERE subject_kind = 'order'")
    assert (entry["actor_name"], entry["action"], entry["subject_id"]) == ("Mira Novak", desk_sales.SOLD, str(order_id))
    for words in ("terminal", "4800", "ana@example.org"):
        assert words in entry["after"]


async def test_the_tickets_of_a_desk_sale_go_out_by_mail_like_any_others():
    order_id = await sell(await make_event())
    note = await db.fetchrow("SELECT * FROM outbox WHERE done_at IS NULL")
    assert (note["kind"], note["subject"]) == ("confirmation_mail", order_id)


# ---------------------------------------------------------------- what may be sold


async def test_the_desk_sells_before_after_and_beside_what_buyers_are_offered():
    now = datetime.now(UTC)
    event = await make_event(
        ticket_type("Off", is_enabled=False),
        ticket_type("Soon", sales_start=now + timedelta(days=1)),
        ticket_type("Past", sales_end=now - timedelta(days=1)),
        ticket_type("Pairs", min_per_order=2, max_per_order=2),
        ticket_type(),
    )
    order_id = await sell(event, Off=1, Soon=1, Past=1, Pairs=5)
    assert (await order_of(order_id))["total_quantity"] == 8


async def test_guests_may_have_their_tickets_before_publication_and_at_the_door():
    draft = await make_event(status="DRAFT")
    begun = await make_event(start_date=datetime.now(UTC) - timedelta(minutes=5))
    assert (await order_of(await sell(draft, None)))["status"] == "COMPLETED"
    assert (await order_of(await sell(begun)))["status"] == "COMPLETED"


async def test_the_desk_never_sells_more_than_there_is():
    event = await make_event(ticket_type(), ticket_type("Early", allocation=1), capacity=3)
    with pytest.raises(InsufficientInventory) as refused:
        await sell(event, General=2, Early=2)
    assert [(s.name, s.requested, s.available) for s in refused.value.shortages] == [("Early", 2, 1)]
    with pytest.raises(InsufficientInventory):
        await sell(event, None, General=4)
    assert await left(event) == 3, "all or nothing"


async def test_what_buyers_hold_is_not_the_desks_to_sell():
    event = await make_event(capacity=1)
    await hold(event)
    with pytest.raises(InsufficientInventory):
        await sell(event)


async def test_a_hold_past_its_time_is_in_nobodys_way_at_the_desk_either():
    event = await make_event(capacity=1)
    checkout_id = await hold(event)
    await let_time_pass(minutes=16)
    await sell(event)
    assert await statuses(checkout_id) == ["EXPIRED"]


async def test_odd_wishes_are_refused():
    event, other = await make_event(), await make_event()
    for wish, refusal in (
        ({}, NothingChosen),
        ({event.types["General"]: 0}, NothingChosen),
        ({event.types["General"]: 101}, QuantityOutOfBounds),
        ({event.types["General"]: 1, other.types["General"]: 1}, TicketTypeNotOnSale),
    ):
        sale = DeskSale(wish, buyer_name="Ana", buyer_email="ana@example.org", method=None)
        with pytest.raises(refusal):
            await desk_sales.sell(event.id, sale, request_key=key(), actor=MIRA)
    with pytest.raises(EventNotFound):
        await desk_sales.sell(uuid4(), a_sale(event), request_key=key(), actor=MIRA)
    assert await left(event) == 30


async def test_buyers_have_no_share_in_what_the_desk_may():
    event = await make_event(ticket_type(is_enabled=False), ticket_type("Other"))
    with pytest.raises(TicketTypeNotOnSale):
        await hold(event)


# ---------------------------------------------------------------- once


async def press(event, request_key):
    """As the page says: very busy, press again."""
    while True:
        with suppress(TooBusy):
            return await sell(event, request_key=request_key)


async def test_a_button_pressed_twice_sells_once():
    event, request_key = await make_event(), key()
    made = await asyncio.gather(*(press(event, request_key) for _ in range(3)))
    assert len(set(made)) == 1
    assert await left(event) == 29
    assert await db.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'sold at the desk'") == 1


async def test_the_same_request_for_something_else_is_refused():
    event, request_key = await make_event(), key()
    await sell(event, request_key=request_key)
    for other in ({"General": 2}, {"name": "Eva"}, {"email": "eva@example.org"}, {"method": None}, {"note": "x"}):
        values = {"method": Method.CASH, **other}
        with pytest.raises(RequestKeyReused):
            await sell(event, request_key=request_key, **values)


async def test_a_correction_of_the_buyer_does_not_make_the_request_another_one():
    event, request_key = await make_event(), key()
    order_id = await sell(event, request_key=request_key)
    await db.execute("UPDATE orders SET buyer_email = 'other@example.org' WHERE id = $1", order_id)
    assert await sell(event, request_key=request_key) == order_id


# ---------------------------------------------------------------- crashes


class Killed(BaseException):
    pass


async def crash_between_hold_and_order(event, request_key, method=Method.CASH):
    with patch.object(desk_sales, "_settle", side_effect=Killed), pytest.raises(Killed):
        await sell(event, method, request_key=request_key)


async def test_after_a_crash_between_hold_and_order_the_same_request_finishes_it():
    event, request_key = await make_event(), key()
    await crash_between_hold_and_order(event, request_key)
    assert await left(event) == 29
    assert await db.fetchval("SELECT count(*) FROM payment") == 0
    made = await order_of(await sell(event, request_key=request_key))
    assert made["status"] == "COMPLETED"
    assert await left(event) == 29


async def test_after_a_crash_between_hold_and_order_the_hold_lapses_by_itself():
    event, request_key = await make_event(), key()
    await crash_between_hold_and_order(event, request_key)
    await let_time_pass(minutes=16)
    assert await left(event) == 30
    with pytest.raises(HoldEnded):
        await sell(event, request_key=request_key)
    await checkout.expire_holds(event.id)
    with pytest.raises(HoldEnded):
        await sell(event, request_key=request_key)
    assert await db.fetchval("SELECT count(*) FROM orders") == 0
    assert await db.fetchval("SELECT held FROM event WHERE id = $1", event.id) == 0


async def test_what_was_held_to_be_sold_is_not_given_away_by_a_second_try():
    event, request_key = await make_event(), key()
    await crash_between_hold_and_order(event, request_key)
    with pytest.raises(RequestKeyReused):
        await sell(event, None, request_key=request_key)


async def test_after_a_crash_before_the_tickets_the_worker_makes_them(stripe):
    event = await make_event()
    with patch.object(desk_sales.tickets, "issue", side_effect=Killed), pytest.raises(Killed):
        await sell(event)
    assert await db.fetchval("SELECT status FROM orders") == "PAID"
    await jobs.drain_outbox({})
    assert await db.fetchval("SELECT status FROM orders") == "COMPLETED"


# ---------------------------------------------------------------- the last seat


async def the_desk_and_a_buyer_want_the_last_seat() -> None:
    event = await make_event(capacity=1)
    with after_statement(stock.WISHES_BY_KEY, rendezvous(2)):
        outcomes = await asyncio.gather(
            _sell_at_another_till(event), hold_at_another_till(event), return_exceptions=True
        )
    await scenarios._nothing_oversold()
    refused = [o for o in outcomes if isinstance(o, InsufficientInventory)]
    assert len(refused) == 1, "one gets the seat, the other is told the truth"


async def _sell_at_another_till(event):
    """As from another web process, whose line knows nothing of the buyer's."""
    with patch.object(reservations, "_turnstile", reservations.Turnstile(reservations._serve)):
        return await sell(event)


async def test_the_desk_and_a_buyer_never_get_the_last_seat_both():
    await the_desk_and_a_buyer_want_the_last_seat()


async def test_without_lock_and_check_the_desk_sells_the_seat_that_a_buyer_holds(pool):
    async with mutants.database_after(*mutants.OVERSELL_CHECKS):
        with mutants.breaks("oversold"), mutants.sql(*mutants.NO_EVENT_LOCK):
            await the_desk_and_a_buyer_want_the_last_seat()


async def test_a_desk_that_does_not_count_oversells(pool):
    """The rules of the desk without the one that is not its to relax."""

    def grant_all(event, wish, *, now, terms):
        event.take(wish)

    async with mutants.database_after(*mutants.OVERSELL_CHECKS):
        event = await make_event(capacity=1)
        await hold(event)
        with patch.object(reservations.inventory, "grant", grant_all), mutants.breaks("oversold"):
            await sell(event)
            await scenarios._nothing_oversold()


# ---------------------------------------------------------------- the money


async def refund(order_id, wish, *, seats_return=False):
    return await refunds.request(
        order_id,
        wish,
        reason=RefundReason.REQUESTED,
        note="",
        seats_return=seats_return,
        request_key=key(),
        actor=MIRA,
    )


async def test_money_that_was_taken_by_hand_is_given_back_by_hand_and_stripe_hears_nothing(stripe):
    event = await make_event()
    order_id = await sell(event, General=2)
    refund_id = await refund(order_id, Money(1000))
    made = await db.fetchrow("SELECT * FROM refund WHERE id = $1", refund_id)
    assert (made["status"], made["by_hand"], made["reference"]) == ("SUCCEEDED", True, None)
    await refund(order_id, Everything(), seats_return=True)
    await jobs.drain_outbox({})
    assert await db.fetchval("SELECT sum(amount) FROM refund") == 4800
    assert await left(event) == 30
    assert not (await stripe.state())["intents"]


async def test_cancelling_a_gift_moves_no_money(stripe):
    event = await make_event()
    refund_id = await refund(await sell(event, None), Everything(), seats_return=True)
    made = await db.fetchrow("SELECT * FROM refund WHERE id = $1", refund_id)
    assert (made["status"], made["amount"], made["by_hand"]) == ("SUCCEEDED", 0, False)
    assert await left(event) == 30


async def test_stripe_is_never_asked_about_what_it_did_not_take(stripe):
    event = await make_event()
    order_id = await sell(event)
    await refund(order_id, Money(1000))
    reference = await db.fetchval("SELECT reference FROM payment")
    await stripe.fault(op="*", mode="drop_before", times=50)
    await settlement.settle(reference)
    await refunds.sync(reference)
    await let_time_pass(hours=2)
    await reconciliation.reconcile()
    await refunds.sync_pending()
    await stripe.fault(op="*", mode="none")
    await comparison.compare()
    assert await db.fetchval("SELECT count(*) FROM discrepancy") == 0
    assert (await db.fetchval("SELECT last_error FROM comparison")) is None
    payment_id = await db.fetchval("SELECT id FROM payment")
    with pytest.raises(attention.NotOnTheList):
        await attention.ask_again(attention.Subject.PAYMENT, str(payment_id), actor=MIRA)


async def test_a_manual_order_that_nobody_answers_for_breaks_a_promise():
    order_id = await sell(await make_event())
    assert await invariants.broken() == {}
    async with db.engine().transaction():
        await db.execute("SET LOCAL session_replication_role = replica")
        await db.execute("DELETE FROM audit_entry WHERE subject_id = $1", str(order_id))
    assert list(await invariants.broken()) == ["I3 what no provider took has somebody who says so"]
    await db.execute(
        "INSERT INTO audit_entry (actor_id, actor_name, action, subject_kind, subject_id) "
        "VALUES ($1, 'Mira', 'sold at the desk', 'order', $2)",
        uuid4(),
        str(order_id),
    )
