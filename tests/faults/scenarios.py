"""The races, each as one story that ends in the promise it is about.

tests/faults/test_races.py tells them of the house as it stands, where the promise holds; test_mutants.py tells the same
stories of a house with one guard taken out, where it must break. The message of an assertion is the broken promise.
"""

import asyncio
from typing import Any
from unittest.mock import patch
from uuid import UUID

from domain.errors import HoldEnded, InsufficientInventory
from models import database, invariants, stock
from services import checkout, gateway, reconciliation, settlement, tickets
from services.gateway import Intent
from tests.conftest import StripeSandbox, until
from tests.faults.interleaving import (
    after_statement,
    before,
    hold_at_another_till,
    in_this_order,
    lock_held,
    rendezvous,
    waiting_for_a_lock,
)
from tests.makers import (
    Made,
    hold,
    hold_with_buyer,
    key,
    let_time_pass,
    let_time_run_out,
    make_event,
    start_paying,
    ticket_type,
)

REFUSED = InsufficientInventory


async def two_tills_want_the_last_seat() -> None:
    event = await make_event(capacity=1)
    with after_statement(stock.WISHES_BY_KEY, rendezvous(2)):
        outcomes = await asyncio.gather(
            hold_at_another_till(event), hold_at_another_till(event), return_exceptions=True
        )
    await _nothing_oversold()
    granted, refused = _sorted(outcomes)
    assert (len(granted), len(refused)) == (1, 1), "one gets the seat, the other is told the truth"


async def two_tills_want_the_last_of_an_allocation() -> None:
    event = await make_event(ticket_type("Early Bird", allocation=1), ticket_type(), capacity=30)
    with after_statement(stock.WISHES_BY_KEY, rendezvous(2)):
        outcomes = await asyncio.gather(
            *(hold_at_another_till(event, Early_Bird=1, General=1) for _ in range(2)), return_exceptions=True
        )
    await _nothing_oversold()
    granted, refused = _sorted(outcomes)
    assert (len(granted), len(refused)) == (1, 1), "one gets the ticket, the other is told the truth"


async def the_same_key_twice_at_once() -> None:
    event, request_key = await make_event(capacity=30), key()
    with after_statement(stock.WISHES_BY_KEY, rendezvous(2)):
        first, second = await asyncio.gather(
            hold_at_another_till(event, request_key), hold_at_another_till(event, request_key), return_exceptions=True
        )
    assert await database.fetchval("SELECT count(*) FROM checkout") == 1, "one key made two holds"
    assert first == second, "the same key did not answer the same hold"


async def a_hold_lapses_and_nobody_has_swept() -> None:
    event = await make_event(capacity=1)
    await let_time_run_out(await hold(event))
    await _is_sold(hold(event), "a lapsed hold still blocks the seat")
    await _invariants_hold()


async def a_hold_lapses_while_the_next_buyer_waits_for_the_lock() -> None:
    event = await make_event(capacity=1)
    lapsing = await hold(event)
    await let_time_run_out(lapsing, seconds_ago=-0.3)
    async with lock_held(event.id) as other:
        waiting = asyncio.ensure_future(hold_at_another_till(event))
        await waiting_for_a_lock(1)
        await _until_it_lapsed(other, lapsing)
    await _is_sold(waiting, "a hold that lapsed while the next buyer waited still blocks the seat")


async def a_hold_lapses_while_its_buyer_waits_to_pay() -> None:
    event = await make_event(capacity=1)
    checkout_id = await hold_with_buyer(event)
    await let_time_run_out(checkout_id, seconds_ago=-0.3)
    async with lock_held(event.id) as other:
        waiting = asyncio.ensure_future(checkout.start_payment(checkout_id))
        await waiting_for_a_lock(1)
        await _until_it_lapsed(other, checkout_id)
    outcome = (await asyncio.gather(waiting, return_exceptions=True))[0]
    assert isinstance(outcome, HoldEnded), "a payment was begun for a hold that had ended"


async def the_clock_steps_back_after_a_seat_was_resold(stripe: StripeSandbox) -> None:
    """A hold lapses, its seat is resold, the clock steps back an hour, and then both pay."""
    event = await make_event(capacity=1)
    first, first_secret = await _ready_to_pay(event)
    await let_time_run_out(await _checkout_of(first))
    second, second_secret = await _ready_to_pay(event)
    await database.execute("UPDATE reservation SET expires_at = expires_at + interval '1 hour' WHERE status = 'ACTIVE'")
    await stripe.pay(first_secret)
    await stripe.pay(second_secret)
    await _settle_whatever_happens(first, second)
    await _nothing_oversold()
    await _who_paid_has_tickets(stripe)


async def a_capture_without_an_answer_outlives_the_hold(stripe: StripeSandbox) -> None:
    """Case 26: Stripe took the money, the answer was lost, and the quarter of an hour went by."""
    event = await make_event(capacity=1)
    payment, secret = await _ready_to_pay(event)
    await stripe.pay(secret)
    await stripe.fault(op="payment_intents.capture", mode="drop_after", times=2)
    await _settle_whatever_happens(payment)
    await let_time_pass(minutes=16)
    await checkout.expire_holds(event.id)
    await _is_refused(hold(event), "the seat of a payment under way was resold")
    await reconciliation.reconcile()
    await _who_paid_has_tickets(stripe)


async def a_paid_order_waits_for_its_tickets(stripe: StripeSandbox) -> None:
    """Case 27: PAID, not yet COMPLETED."""
    event = await make_event(capacity=1)
    payment, secret = await _ready_to_pay(event)
    await stripe.pay(secret)
    with patch.object(tickets, "issue", _not_now):
        await _settle_whatever_happens(payment)
    assert await database.fetchval("SELECT status FROM orders") == "PAID"
    await _is_refused(hold(event), "a paid seat was sold again")
    await tickets.issue(await database.fetchval("SELECT id FROM orders"))


async def fifty_settle_the_same_payment(stripe: StripeSandbox) -> None:
    event = await make_event(capacity=5)
    payment, secret = await _ready_to_pay(event, General=2)
    await stripe.pay(secret)
    with before(settlement, "_finalise", rendezvous(2)):
        await asyncio.gather(*(settlement.settle(payment) for _ in range(50)))
    await _exactly_one_order_of(2)


async def two_tabs_start_to_pay(stripe: StripeSandbox) -> None:
    event = await make_event(capacity=5)
    checkout_id = await hold_with_buyer(event)
    with after_statement(checkout.LIVE_PAYMENT, rendezvous(2)):
        await asyncio.gather(*(checkout.start_payment(checkout_id) for _ in range(2)), return_exceptions=True)
    assert len((await stripe.state())["intents"]) == 1, "two tabs made two intents"
    assert await database.fetchval("SELECT count(*) FROM payment") == 1, "two tabs made two payments"


async def two_tabs_open_the_same_intent_at_the_same_instant(stripe: StripeSandbox) -> None:
    """Both have made it, under the same key, and both write it down: the second waits for the first one's row."""
    checkout_id = await hold_with_buyer(await make_event(capacity=5))
    create, made, go_on = gateway.current().create, [], asyncio.Event()
    other = await database.engine().get_new_connection()

    async def create_and_wait(**wish: Any) -> Intent:
        made.append(await create(**wish))
        await go_on.wait()
        return made[-1]

    try:
        with patch.object(gateway.current(), "create", create_and_wait):
            tabs = [asyncio.ensure_future(start_paying(checkout_id)) for _ in range(2)]
            await until(lambda: len(made) == 2)
            async with other.transaction():
                await other.execute("SELECT 1 FROM payment FOR UPDATE")
                go_on.set()
                await waiting_for_a_lock(2)
        first, second = await asyncio.gather(*tabs)
    finally:
        await other.close()
    assert first.reference == second.reference, "two tabs were given two intents"
    assert [i["status"] for i in (await stripe.state())["intents"]] == ["requires_payment_method"], "a tab was cut off"


async def money_comes_late_and_the_seat_is_gone(stripe: StripeSandbox) -> None:
    """Case 10."""
    event = await make_event(capacity=1)
    late, secret = await _ready_to_pay(event)
    await let_time_run_out(await _checkout_of(late))
    _, other_secret = await _ready_to_pay(event)
    await stripe.pay(secret)
    await _settle_whatever_happens(late)
    assert await _charged(stripe) == 0, "money was taken for a seat that somebody else holds"
    await stripe.pay(other_secret)
    await _settle_whatever_happens(await _open_payment())
    await _nothing_oversold()
    await _who_paid_has_tickets(stripe)


async def the_bank_grants_another_amount(stripe: StripeSandbox) -> None:
    """Case 12."""
    event = await make_event(capacity=5)
    payment, secret = await _ready_to_pay(event)
    await stripe.change_amount(payment, 100)
    await stripe.pay(secret)
    await _settle_whatever_happens(payment)
    assert await _charged(stripe) == 0, "another amount than asked was taken"
    assert await database.fetchval("SELECT count(*) FROM orders") == 0, "tickets were given for another amount"


async def expiry_meets_settlement(stripe: StripeSandbox, *, settlement_first: bool) -> None:
    """The last seat, authorised at the last moment, just as its hold is swept and another buyer arrives."""
    event = await make_event(capacity=1)
    payment, secret = await _ready_to_pay(event)
    await stripe.pay(secret)
    await let_time_run_out(await _checkout_of(payment))
    deeds = [lambda: settlement.settle(payment), lambda: _sweep(event)]
    await in_this_order(
        event.id, *(deeds if settlement_first else reversed(deeds)), lambda: hold_at_another_till(event)
    )
    await _settle_whatever_happens(payment)
    await _nothing_oversold()
    await _who_paid_has_tickets(stripe)
    orders = await database.fetchval("SELECT count(*) FROM orders")
    holds = await database.fetchval("SELECT count(*) FROM reservation WHERE status = 'ACTIVE'")
    assert orders + holds == 1, "the seat belongs to one of them"


async def giving_back_meets_paying(stripe: StripeSandbox, *, payment_first: bool) -> None:
    """One tab has just paid, the other gives the tickets back."""
    event = await make_event(capacity=1)
    payment, secret = await _ready_to_pay(event)
    checkout_id = await _checkout_of(payment)
    await stripe.pay(secret)
    deeds = [lambda: settlement.settle(payment), lambda: checkout.give_back(checkout_id)]
    await in_this_order(event.id, *(deeds if payment_first else reversed(deeds)))
    await _settle_whatever_happens(payment)
    await _who_paid_has_tickets(stripe)
    orders = await database.fetchval("SELECT count(*) FROM orders")
    free = await database.fetchval("SELECT total_capacity - held - sold FROM event")
    assert orders + free == 1, "either paid for, or free again"
    assert orders == (1 if payment_first else 0), "who came first had their way"


async def two_workers_issue_the_same_tickets(stripe: StripeSandbox) -> None:
    event = await make_event(capacity=5)
    payment, secret = await _ready_to_pay(event, General=2)
    await stripe.pay(secret)
    with patch.object(tickets, "issue", _not_now):
        await _settle_whatever_happens(payment)
    order_id = await database.fetchval("SELECT id FROM orders")
    with after_statement("SELECT status, number, buyer_name FROM orders", rendezvous(2)):
        await asyncio.gather(*(tickets.issue(order_id) for _ in range(2)), return_exceptions=True)
    assert await database.fetchval("SELECT count(*) FROM ticket") == 2, "tickets were issued twice"


async def _ready_to_pay(event: Made, **quantities: int) -> tuple[str, str]:
    """A buyer whose card is about to be entered: the intent's reference and its secret."""
    intent = await start_paying(await hold_with_buyer(event, **quantities))
    return intent.reference, intent.client_secret


async def _settle_whatever_happens(*references: str) -> None:
    """As jobs do: a failure is not the end, and whatever it left behind must be right."""
    await asyncio.gather(*(settlement.settle(r) for r in references), return_exceptions=True)


async def _sweep(event: Made) -> None:
    """The sweeper, after it has asked about payments in vain."""
    with patch.object(checkout, "_let_go", _not_now):
        await checkout.expire_holds(event.id)


async def _until_it_lapsed(connection, checkout_id: UUID) -> None:
    """Wait on the database's clock, which is the one that decides."""
    await connection.execute(
        """SELECT pg_sleep_until(expires_at + interval '20 milliseconds') FROM reservation WHERE checkout_id = $1""",
        checkout_id,
    )


async def _not_now(*_: object, **__: object) -> None:
    """Somebody who will come later."""


async def _checkout_of(reference: str) -> UUID:
    return await database.fetchval("SELECT checkout_id FROM payment WHERE reference = $1", reference)


async def _open_payment() -> str:
    return await database.fetchval("SELECT reference FROM payment WHERE status = 'OPEN'")


def _sorted(outcomes: list) -> tuple[list, list]:
    granted = [o for o in outcomes if isinstance(o, UUID)]
    refused = [o for o in outcomes if isinstance(o, REFUSED)]
    return granted, refused


async def _is_sold(holding, otherwise: str) -> None:
    outcome = (await asyncio.gather(holding, return_exceptions=True))[0]
    assert isinstance(outcome, UUID), f"{otherwise}: {outcome!r}"


async def _is_refused(holding, otherwise: str) -> None:
    outcome = (await asyncio.gather(holding, return_exceptions=True))[0]
    assert isinstance(outcome, REFUSED), f"{otherwise}: {outcome!r}"


async def _nothing_oversold() -> None:
    """Recomputed from the rows: whatever the counters say."""
    broken = await invariants.broken()
    assert not {name for name in broken if name.startswith(("I1 ", "I2 "))}, f"oversold: {broken}"


async def _invariants_hold() -> None:
    assert await invariants.broken() == {}, "an invariant is broken"


async def _charged(stripe: StripeSandbox) -> int:
    return sum(intent["amount_received"] for intent in (await stripe.state())["intents"])


async def _who_paid_has_tickets(stripe: StripeSandbox) -> None:
    """G1 and G2, with the provider's own books: a charge for every order, an order for every charge."""
    charged = {i["id"]: i["amount_received"] for i in (await stripe.state())["intents"] if i["amount_received"]}
    orders = await database.fetch("SELECT payment_reference, total_amount FROM orders")
    assert charged == {o["payment_reference"]: o["total_amount"] for o in orders}, "charges and orders differ"


async def _exactly_one_order_of(quantity: int) -> None:
    assert await database.fetchval("SELECT count(*) FROM orders") == 1, "not exactly one order"
    assert await database.fetchval("SELECT count(*) FROM ticket") == quantity, "not exactly these tickets"
