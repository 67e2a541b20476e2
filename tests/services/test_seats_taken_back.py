"""A refund fails after its seats went back on sale: who has paid gets a seat again as soon as there is one.

The counters, the capacity and the allocations hold at every instant (I1, I2, I9), and nobody is left with neither
money nor ticket while a seat is free (I13).
"""

import asyncio
import json
import uuid
from unittest.mock import patch

import pytest

from domain.errors import InsufficientInventory, NoSeatFree, NothingToTakeBack
from domain.refunds import Money, TheseTickets
from models import database as db
from models import invariants, stock
from services import outbox, refunds, seats
from tests import mutants
from tests.faults.interleaving import after_statement, hold_at_another_till, in_this_order, rendezvous
from tests.makers import buy, hold, left, let_time_pass, make_event, ticket_type
from tests.services.refunding import (
    ADMIN,
    FAILED,
    REFUND_FAILS,
    at_every_instant,  # noqa: F401
    audit_trail,
    fail,
    intent_of,
    pay_with,
    refund_and_run,
    status,
    tickets_of,
    validity,
)

pytestmark = pytest.mark.usefixtures("database", "stripe")
EVERY_INSTANT = pytest.mark.usefixtures("at_every_instant")
UNHURRIED = 5


async def given_back(stripe, event=None, **quantities):
    """An order whose money is on its way and whose seats are on sale again. Returns order and refund."""
    order_id = await pay_with(stripe, REFUND_FAILS, event or await make_event(capacity=1), **quantities)
    return order_id, await refund_and_run(order_id, seats_return=True)


async def hear_of_the_failure(stripe, refund_id, order_id):
    await fail(stripe, refund_id)
    await refunds.sync(await intent_of(order_id))
    assert await status(refund_id) == FAILED


async def sold_on(stripe, event):
    """Its only seat was bought by somebody else before the refund failed. Returns both orders and the refund."""
    order_id, refund_id = await given_back(stripe, event)
    other = await buy(event, stripe)
    await hear_of_the_failure(stripe, refund_id, order_id)
    return order_id, other, refund_id


async def raise_capacity(event, to):
    await db.execute("UPDATE event SET total_capacity = $2 WHERE id = $1", event.id, to)


async def notes(kind):
    return [tuple(n) for n in await db.fetch("SELECT subject, done_at IS NULL FROM outbox WHERE kind = $1", kind)]


# At once, when a seat is free


@EVERY_INSTANT
async def test_a_seat_that_is_still_free_is_taken_back_and_the_ticket_admits_again(stripe):
    event = await make_event(capacity=1)
    order_id, refund_id = await given_back(stripe, event)
    assert (await validity(order_id), await left(event)) == ("r", 1)
    await hear_of_the_failure(stripe, refund_id, order_id)
    assert (await validity(order_id), await left(event)) == ("v", 0)
    entry = await db.fetchval("SELECT after FROM audit_entry WHERE action = 'refund failed'")
    number = await db.fetchval("SELECT number FROM ticket")
    assert json.loads(entry)["seats taken back"] == [number]


async def test_a_seat_that_was_sold_on_is_not_taken_from_its_buyer(stripe):
    event = await make_event(capacity=1)
    order_id, other, _ = await sold_on(stripe, event)
    assert (await validity(order_id), await validity(other), await left(event)) == ("r", "v", 0)


async def test_as_many_tickets_admit_again_as_there_are_seats(stripe):
    event = await make_event(capacity=2)
    order_id, refund_id = await given_back(stripe, event, General=2)
    await hold(event)
    await hear_of_the_failure(stripe, refund_id, order_id)
    assert (await validity(order_id), await left(event)) == ("vr", 0)


async def test_a_seat_of_the_tickets_own_type_must_be_free(stripe):
    event = await make_event(ticket_type("Early", allocation=1), ticket_type(), capacity=3)
    order_id, refund_id = await given_back(stripe, event, Early=1)
    await buy(event, stripe, Early=1)
    await hear_of_the_failure(stripe, refund_id, order_id)
    assert await validity(order_id) == "r", "two seats of the event are free, none of the allocation"
    await db.execute("UPDATE ticket_type SET allocation = 2 WHERE name = 'Early'")
    assert await seats.take_back(refund_id, actor=ADMIN) == 1
    assert await validity(order_id) == "v"


async def test_a_seat_of_the_event_must_be_free_whatever_the_allocation_says(stripe):
    event = await make_event(ticket_type("Early", allocation=1), ticket_type(), capacity=1)
    order_id, refund_id = await given_back(stripe, event, Early=1)
    await buy(event, stripe, General=1)
    await hear_of_the_failure(stripe, refund_id, order_id)
    assert await validity(order_id) == "r"


async def test_a_hold_past_its_time_is_in_nobodys_way_and_a_live_one_is(stripe):
    event = await make_event(capacity=2)
    order_id, refund_id = await given_back(stripe, event, General=2)
    await hold(event)
    await let_time_pass(minutes=16)
    await hold(event)
    await hear_of_the_failure(stripe, refund_id, order_id)
    assert await validity(order_id) == "vr"


async def test_a_type_that_is_no_longer_on_sale_still_has_its_seat(stripe):
    event = await make_event(capacity=1)
    order_id, refund_id = await given_back(stripe, event)
    await db.execute("UPDATE event SET status = 'DRAFT'")
    await db.execute("UPDATE ticket_type SET is_enabled = false")
    await hear_of_the_failure(stripe, refund_id, order_id)
    assert await validity(order_id) == "v", "it was sold to them before"


@EVERY_INSTANT
async def test_what_went_only_with_the_last_of_the_money_takes_its_seat_back_too(stripe):
    event = await make_event(capacity=2)
    order_id = await pay_with(stripe, REFUND_FAILS, event, General=2)
    part = await refund_and_run(order_id, Money(1000))
    rest = await refund_and_run(order_id, Money(3800), seats_return=True)
    assert await validity(order_id) == "rr"
    await hear_of_the_failure(stripe, part, order_id)
    assert (await validity(order_id), await left(event)) == ("vv", 0), "it was not the last of the money"
    assert await status(rest) == "SUCCEEDED"


async def test_a_refund_made_instead_takes_the_ticket_with_it_and_leaves_its_seat_off_sale(stripe):
    event = await make_event(capacity=1)
    order_id, refund_id = await given_back(stripe, event)
    await fail(stripe, refund_id)
    await stripe.dashboard(await intent_of(order_id), "refund")
    await refunds.sync(await intent_of(order_id))
    assert (await validity(order_id), await left(event)) == ("i", 0)


# Later, at somebody's word


@EVERY_INSTANT
async def test_the_desk_takes_the_seat_back_when_the_capacity_was_raised(stripe):
    event = await make_event(capacity=1)
    order_id, other, refund_id = await sold_on(stripe, event)
    with pytest.raises(NoSeatFree):
        await seats.take_back(refund_id, actor=ADMIN)
    await raise_capacity(event, 2)
    assert await seats.take_back(refund_id, actor=ADMIN) == 1
    assert (await validity(order_id), await validity(other), await left(event)) == ("v", "v", 0)
    assert (await audit_trail())[-1] == ("Mira", "seats taken back", "refund")
    assert await notes("valid_again_mail") == [(refund_id, True)]


async def test_the_desk_takes_the_seat_back_when_another_one_was_returned(stripe):
    event = await make_event(capacity=1)
    order_id, other, refund_id = await sold_on(stripe, event)
    await refund_and_run(other, seats_return=True)
    assert await seats.take_back(refund_id, actor=ADMIN) == 1
    assert (await validity(order_id), await validity(other)) == ("v", "r")


async def test_what_is_taken_back_in_two_steps_is_told_twice(stripe):
    event = await make_event(capacity=2)
    order_id, refund_id = await given_back(stripe, event, General=2)
    await buy(event, stripe, General=2)
    await hear_of_the_failure(stripe, refund_id, order_id)
    for capacity, valid in ((3, "vr"), (4, "vv")):
        await raise_capacity(event, capacity)
        assert await seats.take_back(refund_id, actor=ADMIN) == 1
        assert await validity(order_id) == valid
        assert await notes("valid_again_mail") == [(refund_id, True)]
        await outbox.drain({"valid_again_mail": _sent, "refund_mail": _sent, "refund_failed_mail": _sent})
        assert await notes("valid_again_mail") == [(refund_id, False)]


async def test_nobody_comes_in_whose_money_has_gone_back_after_all(stripe):
    event = await make_event(capacity=1)
    order_id, _, refund_id = await sold_on(stripe, event)
    await refund_and_run(order_id, Money(2400))
    await raise_capacity(event, 2)
    with pytest.raises(NothingToTakeBack):
        await seats.take_back(refund_id, actor=ADMIN)
    assert (await validity(order_id), await left(event)) == ("r", 1)


async def test_there_is_nothing_to_take_back_of_a_refund_that_has_not_failed(stripe):
    order_id, refund_id = await given_back(stripe)
    for unknown in (refund_id, uuid.uuid4()):
        with pytest.raises(NothingToTakeBack):
            await seats.take_back(unknown, actor=ADMIN)
    await hear_of_the_failure(stripe, refund_id, order_id)
    with pytest.raises(NothingToTakeBack):
        await seats.take_back(refund_id, actor=ADMIN)


async def test_a_ticket_that_was_taken_back_can_be_refunded_again(stripe):
    event = await make_event(capacity=1)
    order_id, refund_id = await given_back(stripe, event)
    await hear_of_the_failure(stripe, refund_id, order_id)
    again = await refund_and_run(order_id, TheseTickets(frozenset(await tickets_of(order_id, valid=True))))
    assert (await status(again), await validity(order_id)) == ("SUCCEEDED", "i")


# At the same moment


async def test_two_workers_who_hear_of_the_failure_take_one_seat(stripe):
    event = await make_event(capacity=3)
    order_id, refund_id = await given_back(stripe, event)
    await fail(stripe, refund_id)
    intent = await intent_of(order_id)
    await in_this_order(event.id, *(lambda: refunds.sync(intent) for _ in range(2)))
    assert (await validity(order_id), await left(event)) == ("v", 2)
    assert (await audit_trail()).count(("Foyer", "refund failed", "refund")) == 1
    assert await notes("refund_failed_mail") == [(refund_id, True)]


async def _two_people_press_the_button(stripe, *, patience=0.25):
    event = await make_event(capacity=1)
    order_id, _, refund_id = await sold_on(stripe, event)
    await raise_capacity(event, 3)
    with after_statement(stock.SHUT_OUT, rendezvous(2, patience=patience)):
        pressed = (seats.take_back(refund_id, actor=ADMIN) for _ in range(2))
        outcomes = await asyncio.gather(*pressed, return_exceptions=True)
    assert (await validity(order_id), await left(event)) == ("v", 1), "one seat was counted twice"
    assert sorted(type(outcome) for outcome in outcomes if outcome != 1) == [NothingToTakeBack]


async def test_two_people_who_press_the_button_take_one_seat(stripe):
    await _two_people_press_the_button(stripe)


@pytest.mark.parametrize("news_first", [True, False])
async def test_the_last_seat_goes_to_the_news_or_to_a_buyer_never_to_both(stripe, news_first):
    event = await make_event(capacity=1)
    order_id, refund_id = await given_back(stripe, event)
    await fail(stripe, refund_id)
    intent = await intent_of(order_id)
    deeds = [lambda: refunds.sync(intent), lambda: hold_at_another_till(event)]
    outcomes = await in_this_order(event.id, *(deeds if news_first else reversed(deeds)))
    if news_first:
        assert isinstance(outcomes[1], InsufficientInventory)
    assert (await validity(order_id), await left(event)) == ("v" if news_first else "r", 0)


async def _a_buyer_takes_the_last_seat_meanwhile(stripe, *, patience=0.25):
    event = await make_event(capacity=1)
    order_id, refund_id = await given_back(stripe, event)
    await fail(stripe, refund_id)
    intent = await intent_of(order_id)
    with after_statement(stock.TYPES_AND_CLOCK, rendezvous(2, patience=patience)):
        await asyncio.gather(refunds.sync(intent), hold_at_another_till(event), return_exceptions=True)
    taken = await db.fetchval("SELECT held + sold FROM event")
    assert taken <= 1, "the last seat was given away twice"
    assert taken == 1
    assert await invariants.broken() == {}


async def test_a_buyer_at_the_same_moment_gets_the_last_seat_or_it_is_taken_back(stripe):
    await _a_buyer_takes_the_last_seat_meanwhile(stripe)


async def test_news_buttons_buyers_and_returns_at_once_end_with_every_promise_kept(stripe):
    event = await make_event(capacity=3)
    pairs = [await given_back(stripe, event) for _ in range(3)]
    other = await buy(event, stripe)
    for _, refund_id in pairs:
        await fail(stripe, refund_id)
    intents = [await intent_of(order_id) for order_id, _ in pairs]
    await asyncio.gather(
        *(refunds.sync(intent) for intent in intents * 2),
        *(seats.take_back(refund_id, actor=ADMIN) for _, refund_id in pairs),
        *(hold_at_another_till(event) for _ in range(3)),
        refund_and_run(other, seats_return=True),
        return_exceptions=True,
    )
    assert [await status(refund_id) for _, refund_id in pairs] == [FAILED] * 3
    # The other refund may have been refused for want of the lock: then its ticket is valid, and its seat is sold.
    seated = await db.fetchval("SELECT count(*) FROM ticket WHERE NOT returned")
    admitted = await db.fetchval("SELECT count(*) FROM ticket WHERE refund_id IS NULL")
    held, sold = await db.fetchrow("SELECT held, sold FROM event")
    assert (held + sold <= 3, sold, admitted <= sold) == (True, seated, True)


# Mutants


async def _is_admitted_again_while_a_seat_is_free(stripe):
    event = await make_event(capacity=1)
    order_id, refund_id = await given_back(stripe, event)
    await hear_of_the_failure(stripe, refund_id, order_id)
    assert await validity(order_id) == "v", "paid for, a seat is free, and not admitted"
    assert await invariants.broken() == {}, "an invariant is broken"


async def _nobody_loses_a_seat_to_it(stripe):
    event = await make_event(capacity=1)
    order_id, refund_id = await given_back(stripe, event)
    await buy(event, stripe)
    await fail(stripe, refund_id)
    await asyncio.gather(refunds.sync(await intent_of(order_id)), return_exceptions=True)
    assert await db.fetchval("SELECT sold FROM event") == 1, "oversold"


async def test_without_taking_seats_back_who_has_paid_is_shut_out_beside_a_free_seat(stripe):
    async with mutants.database_after():
        with mutants.breaks("not admitted"), patch.object(seats, "take_what_is_free", _nothing):
            await _is_admitted_again_while_a_seat_is_free(stripe)


async def test_a_seat_taken_back_that_is_not_counted_is_seen(stripe):
    async with mutants.database_after():
        with mutants.breaks("invariant is broken"), patch.object(stock, "_move", _uncounted_when_sold):
            await _is_admitted_again_while_a_seat_is_free(stripe)


async def test_without_asking_whether_a_seat_is_free_the_database_still_refuses_to_oversell(stripe):
    async with mutants.database_after():
        with patch.object(seats, "seats_to_take_back", _all_of_them):
            await _nobody_loses_a_seat_to_it(stripe)
        assert await db.fetchval("SELECT count(*) FROM ticket WHERE refund_id IS NULL") == 1


async def test_without_asking_and_without_the_checks_a_seat_is_taken_from_its_buyer(stripe):
    async with mutants.database_after(*mutants.OVERSELL_CHECKS):
        with mutants.breaks("oversold"), patch.object(seats, "seats_to_take_back", _all_of_them):
            await _nobody_loses_a_seat_to_it(stripe)


async def test_without_lock_and_checks_the_last_seat_goes_to_the_news_and_to_a_buyer(stripe):
    async with mutants.database_after(*mutants.OVERSELL_CHECKS):
        with mutants.breaks("given away twice"), mutants.sql(*mutants.NO_EVENT_LOCK):
            await _a_buyer_takes_the_last_seat_meanwhile(stripe, patience=UNHURRIED)


async def test_without_lock_and_the_mark_on_the_ticket_one_seat_is_counted_twice(stripe):
    async with mutants.database_after():
        with (
            mutants.breaks("counted twice"),
            mutants.sql(*mutants.NO_EVENT_LOCK),
            mutants.sql("WHERE k.id = ANY($1) AND k.returned AND", "WHERE k.id = ANY($1) AND"),
        ):
            await _two_people_press_the_button(stripe, patience=UNHURRIED)


async def test_without_the_lock_alone_the_mark_on_the_ticket_counts_one_seat_once(stripe):
    async with mutants.database_after():
        with mutants.sql(*mutants.NO_EVENT_LOCK), mutants.breaks("NothingToTakeBack"):
            await _two_people_press_the_button(stripe, patience=UNHURRIED)
        assert await invariants.broken() == {}


async def test_a_house_that_forgets_the_money_admits_whose_money_went_back(stripe):
    """I13: the rule asks what is left."""
    async with mutants.database_after():
        event = await make_event(capacity=1)
        order_id, _, refund_id = await sold_on(stripe, event)
        await refund_and_run(order_id, Money(2400))
        await raise_capacity(event, 2)
        with mutants.breaks("admits"), mutants.sql(seats.LEFT, "SELECT 1 WHERE $1::uuid IS NOT NULL"):
            await seats.take_back(refund_id, actor=ADMIN)
            assert await invariants.broken() == {}, "somebody admits whose money went back"


async def _nothing(*_):
    return []


async def _sent(_):
    pass


def _all_of_them(event, wanted, *, left):
    return list(wanted)


_counted = stock._move


async def _uncounted_when_sold(event_id, quantities, *, held=0, sold=0):
    if sold == 1 and not held:
        return
    await _counted(event_id, quantities, held=held, sold=sold)
