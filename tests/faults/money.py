"""The promises about money, each as one story that ends in the promise it is about. See scenarios.py for the seats.

test_promises.py tells them of the house as it stands; test_payment_mutants.py of a house with one guard taken out.
"""

import asyncio
from unittest.mock import patch
from uuid import UUID

from domain.errors import InsufficientInventory
from domain.payments import OurProblem
from domain.refunds import Everything, RefundReason, RefundWish, TheseTickets
from models import database as db
from models import invariants
from models.checkout import visit
from services import audit, checkout, comparison, gateway, notices, outbox, pace, reconciliation, refunds, settlement
from services.gateway import Intent, Notice
from tasks import jobs
from tests.conftest import StripeSandbox
from tests.faults import scenarios
from tests.makers import (
    Made,
    buy,
    hold,
    key,
    let_time_pass,
    let_time_run_out,
    make_event,
    start_paying,
)


async def a_capture_without_an_answer_is_finished(stripe: StripeSandbox) -> None:
    """Case 19, G1."""
    payment, secret = await scenarios._ready_to_pay(await make_event(capacity=1))
    await stripe.pay(secret)
    await stripe.fault(op="payment_intents.capture", mode="drop_after", times=2)
    await scenarios._settle_whatever_happens(payment)
    await let_time_pass(seconds=20)
    await reconciliation.reconcile()
    await scenarios._who_paid_has_tickets(stripe)


async def money_taken_by_hand_without_seats_goes_back(stripe: StripeSandbox) -> None:
    """Case 22, I4."""
    payment = await _late_and_the_seat_is_gone(stripe)
    await stripe.dashboard(payment, "capture")
    await settlement.settle(payment)
    await _the_worker_works()
    assert await _kept(stripe) == 0, "money stays with us for nothing"
    assert await invariants.broken() == {}


async def a_part_taken_by_hand_is_not_the_whole(stripe: StripeSandbox) -> None:
    """Case 22: the buyer paid ten euros for tickets of twenty-four."""
    payment, secret = await scenarios._ready_to_pay(await make_event(capacity=1))
    await stripe.pay(secret)
    await stripe.dashboard(payment, "capture", amount_to_capture=1000)
    await settlement.settle(payment)
    assert await db.fetchval("SELECT count(*) FROM orders") == 0, "a part was taken for the whole"
    await _the_worker_works()
    assert await _kept(stripe) == 0


async def a_part_taken_by_hand_while_we_take_it_ourselves_is_not_the_whole(stripe: StripeSandbox) -> None:
    """Case 22: the seats are pinned, our capture was lost on its way, and somebody was quicker in the dashboard."""
    payment, secret = await scenarios._ready_to_pay(await make_event(capacity=1))
    await stripe.pay(secret)
    await stripe.fault(op="payment_intents.capture", mode="drop_before", times=2)
    await scenarios._settle_whatever_happens(payment)
    await stripe.dashboard(payment, "capture", amount_to_capture=1000)
    await settlement.settle(payment)
    assert await db.fetchval("SELECT count(*) FROM orders") == 0, "a part was taken for the whole"
    await _the_worker_works()
    assert await _kept(stripe) == 0


async def a_notice_told_three_times_is_one(stripe: StripeSandbox) -> None:
    """The provider says it again and again until it is answered."""
    payment, secret = await scenarios._ready_to_pay(await make_event())
    await stripe.pay(secret)
    told = Notice("evt_1", "payment_intent.amount_capturable_updated", payment, None, False, "{}")
    news = [await notices.keep(told) for _ in range(3)]
    assert sum(news) == await notices.handle_due() == 1, "one notice was three"


async def a_dead_intent_is_followed_by_a_new_one(stripe: StripeSandbox) -> None:
    """Case 24: cancelled by hand, while the hold lives."""
    dead, _ = await scenarios._ready_to_pay(await make_event())
    await stripe.dashboard(dead, "cancel")
    new = await start_paying(await scenarios._checkout_of(dead))
    assert new.reference != dead, "who wants to pay is given a dead intent"


async def nobody_is_given_the_secret_of_another_checkout(stripe: StripeSandbox) -> None:
    """Case 35."""
    event = await make_event()
    _, first = await scenarios._ready_to_pay(event)
    _, second = await scenarios._ready_to_pay(event)
    assert first != second, "the secret of another checkout was served"


async def who_was_let_go_is_told(stripe: StripeSandbox) -> None:
    """Case 10: the bank had agreed, so its holder may wonder."""
    await settlement.settle(await _late_and_the_seat_is_gone(stripe))
    told = await db.fetchval("SELECT count(*) FROM outbox WHERE kind = 'not_charged_mail'")
    assert told == 1, "nobody told the buyer that they were not charged"


async def who_was_let_go_in_the_moment_of_agreeing_is_told(stripe: StripeSandbox) -> None:
    """Case 8: the sweeper has looked, the buyer's bank agrees, and then the sweeper cancels."""
    payment = await _agreed_while_the_sweeper_cancels(stripe, await make_event(capacity=1))
    told = await db.fetchval("SELECT count(*) FROM outbox WHERE kind = 'not_charged_mail'")
    assert told == 1, "nobody told the buyer of the money that their bank still shows"
    seen = await visit(await scenarios._checkout_of(payment))
    assert seen
    assert seen.checkout["payment_problem"] == OurProblem.LATE, "their page does not say that they were late"


async def who_paid_in_time_is_served_although_no_notice_came(stripe: StripeSandbox) -> None:
    """Case 6: the sweeper asks before it lets go, and others want the seat."""
    event = await make_event(capacity=1)
    payment, secret = await scenarios._ready_to_pay(event)
    await stripe.pay(secret)
    await let_time_run_out(await scenarios._checkout_of(payment))
    await checkout.expire_holds(event.id)
    await asyncio.gather(hold(event), return_exceptions=True)
    await scenarios._settle_whatever_happens(payment)
    assert await db.fetchval("SELECT count(*) FROM orders") == 1, "who paid in time lost the seat"


async def nobody_can_pay_for_a_hold_that_was_swept(stripe: StripeSandbox) -> None:
    """Case 7: the sweeper cancels the intent before it lets the seat go."""
    event = await make_event(capacity=1)
    payment, secret = await scenarios._ready_to_pay(event)
    await let_time_run_out(await scenarios._checkout_of(payment))
    assert await checkout.expire_holds(event.id) == 1
    assert "error" in await stripe.pay(secret), "an intent outlived its hold"


async def nobody_can_pay_for_a_hold_that_is_gone(stripe: StripeSandbox) -> None:
    """Case 7: released lazily, by another buyer; the reconciler cancels the intent."""
    event = await make_event(capacity=1)
    _, secret = await scenarios._ready_to_pay(event)
    await let_time_pass(minutes=16)
    await hold(event)
    await reconciliation.reconcile()
    assert "error" in await stripe.pay(secret), "an intent outlived its hold"


async def a_refunded_ticket_admits_nobody(stripe: StripeSandbox) -> None:
    order_id = await buy(await make_event(capacity=5), stripe, General=2)
    one = await db.fetchval("SELECT id FROM ticket WHERE order_id = $1 LIMIT 1", order_id)
    await _refund(order_id, TheseTickets(frozenset({one})))
    valid = await db.fetchval("SELECT count(*) FROM ticket WHERE refund_id IS NULL")
    assert valid == 1, "a refunded ticket still admits"


async def a_refunded_seat_is_not_sold_unasked(stripe: StripeSandbox) -> None:
    event = await make_event(capacity=1)
    await _refund(await buy(event, stripe), Everything())
    outcome = (await asyncio.gather(hold(event), return_exceptions=True))[0]
    assert isinstance(outcome, InsufficientInventory), "a refunded seat was sold again, and nobody had said so"


async def a_failed_refund_gives_the_tickets_back(stripe: StripeSandbox) -> None:
    """The money stayed with us."""
    order_id = await buy(await make_event(capacity=5), stripe, General=2)
    await _refund(order_id, Everything())
    (made,) = (await stripe.state())["refunds"]
    await _bank_says(stripe, made["id"], "fail")
    await refunds.sync(made["payment_intent"])
    valid = await db.fetchval("SELECT count(*) FROM ticket WHERE refund_id IS NULL")
    assert valid == 2, "paid for, and not admitted"


async def a_refund_made_elsewhere_is_noticed(stripe: StripeSandbox) -> None:
    """In the provider's dashboard: its notice leads to a look."""
    await buy(await make_event(capacity=5), stripe, General=2)
    reference = await db.fetchval("SELECT reference FROM payment")
    await stripe.dashboard(reference, "refund")
    for kind in ("charge.refunded", "refund.created", "charge.refund.updated"):
        await notices.keep(Notice(key(), kind, reference, None, False, "{}"))
    await notices.handle_due()
    assert await db.fetchval("SELECT sum(amount) FROM refund") == 4800, "money went back, and nobody noticed"
    valid = await db.fetchval("SELECT count(*) FROM ticket WHERE refund_id IS NULL")
    assert valid == 0, "a ticket admits whose money went back"


async def the_comparison_sees_what_they_never_heard_of(stripe: StripeSandbox) -> None:
    """Ours against theirs."""
    await buy(await make_event(capacity=5), stripe)
    await stripe.reset()
    await comparison.compare()
    found = await db.fetch("SELECT kind FROM discrepancy WHERE cleared_at IS NULL")
    assert [row["kind"] for row in found] == ["unknown_to_them"], "the books differ, and nobody noticed"


async def the_comparison_sees_what_we_never_heard_of(stripe: StripeSandbox) -> None:
    """Theirs against ours: given back by hand, and the notice was lost."""
    await buy(await make_event(capacity=5), stripe, General=2)
    await stripe.dashboard(await db.fetchval("SELECT reference FROM payment"), "refund")
    await comparison.compare()
    assert await db.fetchval("SELECT sum(amount) FROM refund") == 4800, "money went back, and nobody noticed"


STORIES = (
    a_capture_without_an_answer_is_finished,
    money_taken_by_hand_without_seats_goes_back,
    a_part_taken_by_hand_is_not_the_whole,
    a_part_taken_by_hand_while_we_take_it_ourselves_is_not_the_whole,
    a_notice_told_three_times_is_one,
    a_dead_intent_is_followed_by_a_new_one,
    nobody_is_given_the_secret_of_another_checkout,
    who_was_let_go_is_told,
    who_was_let_go_in_the_moment_of_agreeing_is_told,
    who_paid_in_time_is_served_although_no_notice_came,
    nobody_can_pay_for_a_hold_that_was_swept,
    nobody_can_pay_for_a_hold_that_is_gone,
    a_refunded_ticket_admits_nobody,
    a_refunded_seat_is_not_sold_unasked,
    a_failed_refund_gives_the_tickets_back,
    a_refund_made_elsewhere_is_noticed,
    the_comparison_sees_what_they_never_heard_of,
    the_comparison_sees_what_we_never_heard_of,
)


class paced:
    """`with paced(10):` the shop asks its provider ten times a second, with nobody in line."""

    def __init__(self, per_second: float) -> None:
        self._patch = patch.object(pace, "_per_second", per_second)

    def __enter__(self) -> None:
        self._patch.start()

    def __exit__(self, *_: object) -> None:
        self._patch.stop()


async def _late_and_the_seat_is_gone(stripe: StripeSandbox) -> str:
    event = await make_event(capacity=1)
    payment, secret = await scenarios._ready_to_pay(event)
    await let_time_run_out(await scenarios._checkout_of(payment))
    await hold(event)
    await stripe.pay(secret)
    return payment


async def _agreed_while_the_sweeper_cancels(stripe: StripeSandbox, event: Made) -> str:
    payment, secret = await scenarios._ready_to_pay(event)
    cancel = gateway.current().cancel

    async def pay_first(reference: str) -> Intent:
        await stripe.pay(secret)
        return await cancel(reference)

    await let_time_run_out(await scenarios._checkout_of(payment))
    with patch.object(gateway.current(), "cancel", pay_first):
        await checkout.expire_holds(event.id)
    return payment


async def _refund(order_id: UUID, wish: RefundWish) -> None:
    await refunds.request(
        order_id,
        wish,
        reason=RefundReason.REQUESTED,
        note="",
        seats_return=False,
        request_key=key(),
        actor=audit.SYSTEM,
    )
    await _the_worker_works()


async def _the_worker_works() -> None:
    """Everything in the outbox, mails left unsent."""
    await outbox.drain({**jobs.DEEDS, **{kind: _nothing for kind in jobs.DEEDS if kind.endswith("mail")}})


async def _nothing(_: object) -> None:
    pass


async def _bank_says(stripe: StripeSandbox, refund: str, verb: str) -> None:
    (await stripe._client.post(f"/_sandbox/refunds/{refund}/{verb}", json={})).raise_for_status()


async def _kept(stripe: StripeSandbox) -> int:
    state = await stripe.state()
    return sum(i["amount_received"] for i in state["intents"]) - sum(r["amount"] for r in state["refunds"])
