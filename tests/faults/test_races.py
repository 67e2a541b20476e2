"""Races on the real PostgreSQL. Each has its mutants in test_mutants.py."""

import asyncio
import random
from collections import Counter
from unittest.mock import patch
from uuid import UUID

import pytest

from domain.errors import InsufficientInventory, Refusal, RequestKeyReused
from models import database as db
from models import stock
from services import checkout, reconciliation, reservations, settlement
from tests.faults import scenarios
from tests.faults.interleaving import (
    after_statement,
    hold_at_another_till,
    lock_held,
    rendezvous,
    waiting_for_a_lock,
)
from tests.makers import hold, key, left, let_time_pass, let_time_run_out, make_event, ticket_type

pytestmark = pytest.mark.usefixtures("database")


async def test_eighty_buyers_get_exactly_thirty_seats_and_never_more_early_birds_than_were_allocated(another_process):
    """AC 3, AC 4, AC T6 under a burst, in two processes at once."""
    event = await make_event(ticket_type("Early Bird", allocation=10), ticket_type(), capacity=30)
    here = [{"Early Bird": 1}] * 12 + [{"General": 2}] * 10 + [{"Early Bird": 2, "General": 1}] * 3
    random.Random(7).shuffle(here)
    here += [{"General": 1}] * 15  # so that the last single seat finds somebody
    wishes = [{event.types[name]: n for name, n in wish.items()} for wish in here]

    with patch.object(reservations._turnstile, "_batch", 4):
        async with lock_held(event.id):
            theirs = asyncio.ensure_future(another_process.hold(event.id, [(key(), w) for w in wishes], batch=4))
            await waiting_for_a_lock(1)
            ours = asyncio.gather(*(_hold(event, wish) for wish in wishes), return_exceptions=True)
            await waiting_for_a_lock(2)
        outcomes, answers = await ours, await theirs

    refusals = [o for o in outcomes if isinstance(o, Exception)]
    assert {type(refusal) for refusal in refusals} == {InsufficientInventory}
    assert {answer["kind"] for answer in answers} == {"held", "InsufficientInventory"}, "both processes sold some"
    held = {name: await db.fetchval("SELECT held FROM ticket_type WHERE id = $1", t) for name, t in event.types.items()}
    assert sum(held.values()) == 30
    assert held["Early Bird"] <= 10
    assert await left(event) == 0
    granted = len(outcomes) - len(refusals) + sum(answer["kind"] == "held" for answer in answers)
    assert await db.fetchval("SELECT count(*) FROM checkout") == granted
    assert any(isinstance(outcome, UUID) for outcome in outcomes), "both processes sold some"
    for refusal in refusals:
        assert all(0 <= short.available < short.requested for short in refusal.shortages)


async def test_every_hold_of_a_burst_is_whole_or_not_there_at_all():
    """AC 3: all or nothing."""
    event = await make_event(ticket_type("Early Bird", allocation=3), ticket_type(), capacity=20)
    await asyncio.gather(*(hold(event, Early_Bird=1, General=2) for _ in range(12)), return_exceptions=True)
    lines = await db.fetch("SELECT checkout_id, array_agg(quantity ORDER BY quantity) AS q FROM reservation GROUP BY 1")
    assert [row["q"] for row in lines] == [[1, 2]] * 3


async def test_two_tills_never_sell_the_last_seat_twice():
    await scenarios.two_tills_want_the_last_seat()


async def test_two_tills_never_exceed_an_allocation():
    await scenarios.two_tills_want_the_last_of_an_allocation()


async def test_the_same_key_at_two_tills_at_once_is_one_hold():
    await scenarios.the_same_key_twice_at_once()


async def test_the_same_key_at_one_till_at_once_is_one_hold():
    event, request_key = await make_event(), key()
    held = await asyncio.gather(*(hold(event, request_key) for _ in range(10)))
    assert len(set(held)) == 1
    assert await left(event) == 29


async def test_the_same_key_in_two_processes_at_once_is_one_hold(another_process):
    event = await make_event()
    for _ in range(5):
        request_key = key()
        ours, theirs = await asyncio.gather(
            hold(event, request_key), another_process.hold(event.id, [(request_key, event.wish(General=1))])
        )
        assert [str(ours)] == [answer.get("checkout") for answer in theirs]
    assert await left(event) == 25


async def test_the_same_key_at_two_events_at_once_is_one_hold_and_one_refusal():
    first, second, request_key = await make_event(), await make_event(), key()
    with after_statement(stock.WISHES_BY_KEY, rendezvous(2)):
        outcomes = await asyncio.gather(
            hold_at_another_till(first, request_key), hold_at_another_till(second, request_key), return_exceptions=True
        )
    assert sum(isinstance(o, RequestKeyReused) for o in outcomes) == 1
    assert await left(first) + await left(second) == 59


async def test_a_lapsed_hold_gives_its_seat_to_the_next_buyer_with_every_worker_dead():
    """AC 7, 1.5.3."""
    await scenarios.a_hold_lapses_and_nobody_has_swept()


async def test_a_hold_that_lapses_while_the_next_buyer_waits_is_judged_by_the_clock_after_the_lock():
    await scenarios.a_hold_lapses_while_the_next_buyer_waits_for_the_lock()


async def test_a_hold_that_lapses_while_its_buyer_waits_cannot_be_paid_any_more():
    """AC 7."""
    await scenarios.a_hold_lapses_while_its_buyer_waits_to_pay()


async def test_a_resold_seat_stays_resold_when_the_clock_steps_back(stripe):
    await scenarios.the_clock_steps_back_after_a_seat_was_resold(stripe)


async def test_case_4_fifty_settlements_at_once_are_one_order(stripe):
    await scenarios.fifty_settle_the_same_payment(stripe)


async def test_case_5_two_tabs_share_one_intent(stripe):
    await scenarios.two_tabs_start_to_pay(stripe)


async def test_two_tabs_that_write_down_the_same_intent_at_once_both_keep_it(stripe):
    await scenarios.two_tabs_open_the_same_intent_at_the_same_instant(stripe)


@pytest.mark.parametrize("settlement_first", [True, False])
async def test_expiry_against_settlement_has_exactly_one_outcome(stripe, settlement_first):
    await scenarios.expiry_meets_settlement(stripe, settlement_first=settlement_first)


async def test_expiry_against_settlement_has_exactly_one_outcome_in_whatever_order_chance_brings(stripe):
    results = Counter()
    for round_ in range(12):
        event = await make_event(capacity=1)
        payment, secret = await scenarios._ready_to_pay(event)
        await stripe.pay(secret)
        checkout_id = await scenarios._checkout_of(payment)
        await let_time_run_out(checkout_id)
        deeds = [settlement.settle(payment), checkout.expire_holds(event.id), hold_at_another_till(event)]
        random.Random(round_).shuffle(deeds)
        await asyncio.gather(*deeds, return_exceptions=True)
        await settlement.settle(payment)
        ordered = await db.fetchval("SELECT count(*) FROM orders WHERE checkout_id = $1", checkout_id)
        others = await db.fetchval("SELECT held FROM event WHERE id = $1", event.id)
        assert ordered + others == 1
        results["order" if ordered else "resold"] += 1
    await scenarios._who_paid_has_tickets(stripe)
    assert results.total() == 12


@pytest.mark.parametrize("payment_first", [True, False])
async def test_giving_back_against_paying_has_exactly_one_outcome(stripe, payment_first):
    await scenarios.giving_back_meets_paying(stripe, payment_first=payment_first)


async def test_tickets_are_issued_once_by_two_workers_at_once(stripe):
    await scenarios.two_workers_issue_the_same_tickets(stripe)


async def test_case_28_a_stampede_with_declines_expiries_and_every_worker_at_once(stripe):
    """Sixty buyers, ten seats; the sweeper, the reconciler and impatient pages all get in each other's way."""
    event, chance = await make_event(capacity=10), random.Random(28)

    async def buyer(number):
        checkout_id = await scenarios.hold_with_buyer(event)
        intent = await checkout.start_payment(checkout_id)
        if number % 4 == 0:
            await let_time_run_out(checkout_id)
        if number % 5 == 0:
            await stripe.pay(intent.client_secret, "4000000000000002")
        if number % 7 != 0:
            await stripe.pay(intent.client_secret)
        await asyncio.gather(*(settlement.settle(intent.reference) for _ in range(chance.choice([1, 2, 3]))))

    async def worker():
        for _ in range(6):
            await checkout.expire_holds(event.id)
            await reconciliation.reconcile()
            await asyncio.sleep(chance.random() / 10)

    outcomes = await asyncio.gather(*(buyer(n) for n in range(60)), worker(), worker(), return_exceptions=True)
    surprises = [o for o in outcomes if isinstance(o, Exception) and not isinstance(o, Refusal)]
    assert surprises == []
    await let_time_pass(minutes=16)
    await checkout.expire_holds(event.id)
    await reconciliation.reconcile()
    await scenarios._nothing_oversold()
    await scenarios._who_paid_has_tickets(stripe)
    assert await db.fetchval("SELECT count(*) FROM orders WHERE status = 'COMPLETED'") > 0
    dangling = [i["id"] for i in (await stripe.state())["intents"] if i["status"] == "requires_capture"]
    assert dangling == [], "an authorisation was forgotten"


async def _hold(event, wish):
    return await reservations.hold_tickets(event.id, wish=wish, request_key=key())
