"""What needs a person appears when, and only when, it should; and asking again does what the house does by itself."""

import asyncio

import pytest

from domain.attention import Book, NotOnTheList, Subject
from domain.refunds import Everything, RefundReason
from models import attention as facts
from models import database as db
from services import attention, checkout, comparison, disputes, notices, outbox, reconciliation, refunds, settlement
from services.audit import Actor
from services.gateway import Notice, OutcomeUnknown
from services.transaction import transaction
from tasks import jobs
from tests.makers import (
    buy,
    hold_with_buyer,
    key,
    let_time_pass,
    let_time_run_out,
    make_event,
    start_paying,
    ticket_type,
)

pytestmark = pytest.mark.usefixtures("database", "stripe")
MIRA = Actor(None, "Mira")


async def items() -> dict[Subject, list]:
    found = await facts.look(attention.ANSWERS)
    assert found.count == await facts.count(), "the navigation says the same number"
    return {subject: rows for subject, rows in found.rows.items() if rows}


async def only(subject: Subject):
    """The one thing that needs somebody."""
    found = await items()
    assert list(found) == [subject]
    assert len(found[subject]) == 1
    return found[subject][0]


async def book() -> Book:
    return (await facts.look(attention.ANSWERS)).book


async def last_deed():
    return (await facts.look(attention.ANSWERS)).deeds[0]


async def refund(order_id, wish=None, **values):
    request = {"reason": RefundReason.REQUESTED, "note": "", "seats_return": False, "request_key": key()}
    return await refunds.request(order_id, wish or Everything(), **{**request, **values}, actor=MIRA)


async def reference_of(order_id) -> str:
    return await db.fetchval("SELECT payment_reference FROM orders WHERE id = $1", order_id)


async def let_an_order_age() -> None:
    async with transaction():
        await db.execute("SET LOCAL session_replication_role = replica")
        await db.execute("UPDATE orders SET created_at = created_at - interval '2 minutes'")


async def make_dead(table: str) -> None:
    await db.execute(
        f"UPDATE {table} SET run_at = 'infinity', attempts = 12, last_error = 'no route to the mail server'"
    )


# ---------------------------------------------------------------- when there is nothing


async def test_a_shop_that_has_sold_nothing_needs_nobody():
    assert await items() == {}
    assert await book() == Book.NONE_YET


async def test_a_purchase_from_the_hold_to_the_tickets_needs_nobody(stripe):
    event = await make_event()
    checkout_id = await hold_with_buyer(event)
    assert await items() == {}
    intent = await start_paying(checkout_id)
    assert await items() == {}
    await stripe.pay(intent.client_secret)
    await settlement.settle(intent.reference)
    await jobs.drain_outbox({})
    await db.execute("UPDATE outbox SET done_at = clock_timestamp()")  # its mail; there is no mail server here
    await let_time_pass(minutes=30)
    assert await items() == {}


async def test_a_buyer_who_takes_all_their_time_needs_nobody():
    await start_paying(await hold_with_buyer(await make_event()))
    for _ in range(5):
        await let_time_pass(minutes=2)
        await reconciliation.reconcile()
    assert await items() == {}


async def test_a_hold_that_ends_unpaid_needs_nobody():
    event = await make_event()
    checkout_id = await hold_with_buyer(event)
    await start_paying(checkout_id)
    await let_time_run_out(checkout_id)
    await checkout.expire_holds(event.id)
    await let_time_pass(minutes=5)
    assert await items() == {}


async def test_a_refund_that_arrives_needs_nobody(stripe):
    order_id = await buy(await make_event(), stripe)
    await refunds.run(await refund(order_id))
    await db.execute("UPDATE outbox SET done_at = clock_timestamp()")
    await let_time_pass(days=30)
    assert await items() == {}


# ---------------------------------------------------------------- payments


async def test_a_payment_whose_making_was_not_heard_of_appears_after_a_minute(stripe):
    checkout_id = await hold_with_buyer(await make_event())
    await stripe.fault(op="payment_intents.create", mode="drop_after", times=4)
    with pytest.raises(OutcomeUnknown):
        await start_paying(checkout_id)
    await let_time_pass(seconds=50)
    assert await items() == {}
    await let_time_pass(seconds=20)
    assert (await only(Subject.PAYMENT))["status"] == "CREATING"


async def test_whoever_stands_in_line_is_not_unknown():
    checkout_id = await hold_with_buyer(await make_event())
    await checkout._live_payment(checkout_id)
    await let_time_pass(seconds=90)
    await db.execute("UPDATE payment SET turn_at = clock_timestamp() + interval '20 seconds'")
    assert await items() == {}


async def test_a_capture_without_an_answer_appears_after_15_seconds_and_stays_while_it_is_asked_about(stripe):
    intent = await start_paying(await hold_with_buyer(await make_event()))
    await stripe.pay(intent.client_secret)
    await stripe.fault(op="payment_intents.capture", mode="drop_before", times=None)
    await stripe.fault(op="payment_intents.retrieve", mode="none")
    with pytest.raises(OutcomeUnknown):
        await settlement.settle(intent.reference)
    assert await items() == {}
    await let_time_pass(seconds=16)
    assert (await only(Subject.PAYMENT))["status"] == "CAPTURING"
    await reconciliation.reconcile()  # touches the row, and gets no answer
    assert (await only(Subject.PAYMENT))["status"] == "CAPTURING"


async def test_an_ended_hold_that_stripe_says_nothing_about_appears(stripe):
    event = await make_event()
    checkout_id = await hold_with_buyer(event)
    await start_paying(checkout_id)
    await let_time_run_out(checkout_id)
    await stripe.fault(op="*", mode="down", by="server")
    await checkout.expire_holds(event.id)
    assert await items() == {}, "it may still come"
    await let_time_pass(seconds=16)
    assert (await only(Subject.PAYMENT))["status"] == "OPEN"


async def test_money_that_could_not_be_let_go_appears(stripe):
    event = await make_event(capacity=1)
    checkout_id = await hold_with_buyer(event)
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await let_time_run_out(checkout_id)
    await hold_with_buyer(event)
    await stripe.fault(op="payment_intents.cancel", mode="down")
    with pytest.raises(OutcomeUnknown):
        await settlement.settle(intent.reference)
    await let_time_pass(seconds=16)
    row = await only(Subject.PAYMENT)
    assert (row["status"], row["last_error"]) == ("VOIDING", "late")


# ---------------------------------------------------------------- refunds


async def test_a_refund_that_stripe_has_not_confirmed_appears_after_a_minute(stripe):
    refund_id = await refund(await buy(await make_event(), stripe))
    assert await items() == {}
    await let_time_pass(seconds=61)
    row = await only(Subject.REFUND)
    assert (row["id"], row["given_up"]) == (refund_id, False)


async def test_a_refund_that_was_given_up_is_one_thing_and_not_two(stripe):
    await refund(await buy(await make_event(), stripe))
    await db.execute("UPDATE outbox SET done_at = clock_timestamp() WHERE kind <> 'refund'")
    await let_time_pass(minutes=70)
    await make_dead("outbox")
    assert (await only(Subject.REFUND))["given_up"]


async def test_a_bank_that_takes_long_appears_after_ten_days(stripe):
    refund_id = await refund(await buy(await make_event(), stripe))
    await refunds.run(refund_id)
    await set_refund(refund_id, "PENDING")
    await db.execute("UPDATE outbox SET done_at = clock_timestamp()")
    await let_time_pass(days=9)
    assert await items() == {}
    await let_time_pass(days=2)
    assert (await only(Subject.REFUND))["status"] == "PENDING"


async def test_a_failed_refund_stays_until_somebody_has_seen_it(stripe):
    refund_id = await refund(await buy(await make_event(), stripe))
    await refunds.run(refund_id)
    made = await db.fetchval("SELECT reference FROM refund WHERE id = $1", refund_id)
    await at_stripe(stripe, "refunds", made, "fail")
    await refunds.sync(await only_reference())
    assert (await only(Subject.REFUND))["status"] == "FAILED"
    await attention.see(Subject.REFUND, str(refund_id), status="FAILED", actor=MIRA)
    assert await items() == {}
    assert (await last_deed()).action == attention.SEEN


async def test_a_refund_made_outside_stays_until_seen_and_comes_back_when_it_fails(stripe):
    order_id = await buy(await make_event(), stripe, General=2)
    reference = await reference_of(order_id)
    made = await stripe.dashboard(reference, "refund", amount=1000)
    await refunds.sync(reference)
    row = await only(Subject.REFUND)
    assert (row["reason"], row["tickets"], row["seats_kept"]) == ("OUTSIDE", 0, 0)
    await attention.see(Subject.REFUND, str(row["id"]), status="SUCCEEDED", actor=MIRA)
    assert await items() == {}
    await at_stripe(stripe, "refunds", made["id"], "fail")
    await refunds.sync(reference)
    assert (await only(Subject.REFUND))["status"] == "FAILED"


async def test_a_whole_refund_made_outside_says_what_it_did_to_tickets_and_seats(stripe):
    order_id = await buy(await make_event(), stripe, General=2)
    await stripe.dashboard(await reference_of(order_id), "refund")
    await refunds.sync(await reference_of(order_id))
    row = await only(Subject.REFUND)
    assert (row["tickets"], row["seats_kept"]) == (2, 2)
    await refunds.return_seats(row["id"], actor=MIRA)
    assert (await only(Subject.REFUND))["seats_kept"] == 0


async def test_money_taken_by_hand_for_nothing_appears_at_once_until_it_is_back(stripe):
    intent = await paid_too_late(stripe)
    await stripe.dashboard(intent.reference, "capture")
    await settlement.settle(intent.reference)
    row = await only(Subject.REFUND)
    assert (row["reason"], row["status"], row["payment_status"]) == ("NO_SEATS", "REQUESTED", "REFUNDED")
    await refunds.run(row["id"])
    assert await items() == {}


# ---------------------------------------------------------------- disputes, tickets, work, notices, books


async def test_a_dispute_needs_somebody_until_it_is_closed_and_seen(stripe):
    reference = await reference_of(await buy(await make_event(), stripe))
    theirs = await stripe.dashboard(reference, "dispute")
    await disputes.sync(reference)
    row = await only(Subject.DISPUTE)
    assert (row["status"], row["respond_by"] is not None) == ("needs_response", True)
    await at_stripe(stripe, "disputes", theirs["id"], "win")
    await attention.ask_again(Subject.DISPUTE, theirs["id"], actor=MIRA)
    assert (await only(Subject.DISPUTE))["status"] == "won"
    await attention.see(Subject.DISPUTE, theirs["id"], status="won", actor=MIRA)
    assert await items() == {}


async def test_an_order_without_tickets_appears_after_a_minute_and_they_can_be_made(stripe, monkeypatch):
    async def crash(_):
        raise RuntimeError("killed here")

    monkeypatch.setattr(settlement.tickets, "issue", crash)
    with pytest.raises(RuntimeError):
        await buy(await make_event(), stripe)
    monkeypatch.undo()
    assert await items() == {}
    await let_an_order_age()
    row = await only(Subject.ORDER)
    await attention.ask_again(Subject.ORDER, str(row["id"]), actor=MIRA)
    assert await items() == {}
    deed = await last_deed()
    assert (deed.action, deed.after) == ("made tickets", {"status": "COMPLETED", "order": row["number"]})


async def test_a_mail_that_was_given_up_appears_and_is_tried_again(stripe):
    await buy(await make_event(), stripe)
    assert await items() == {}
    await make_dead("outbox")
    row = await only(Subject.NOTE)
    assert (row["kind"], row["given_up"], row["run_at"], row["buyer_name"]) == (
        "confirmation_mail",
        True,
        None,
        "Ana Kovač",
    )
    await attention.try_again(Subject.NOTE, str(row["id"]), actor=MIRA)
    assert await items() == {}


async def test_work_that_nobody_does_appears_after_five_minutes(stripe):
    await buy(await make_event(), stripe)
    await let_time_pass(minutes=4)
    assert await items() == {}
    await let_time_pass(minutes=2)
    assert not (await only(Subject.NOTE))["given_up"]


async def test_a_notice_that_was_given_up_appears_and_is_tried_again(stripe):
    order_id = await buy(await make_event(), stripe)
    await db.execute("UPDATE outbox SET done_at = clock_timestamp()")
    notice = Notice("evt_1", "charge.refunded", await reference_of(order_id), None, False, "{}")
    assert await notices.keep(notice)
    assert await items() == {}
    await make_dead("payment_notice")
    assert (await only(Subject.NOTICE))["id"] == "evt_1"
    await attention.try_again(Subject.NOTICE, "evt_1", actor=MIRA)
    assert await items() == {}


async def test_what_differs_from_stripes_book_stays_until_both_agree(stripe):
    order_id = await buy(await make_event(), stripe)
    reference = await reference_of(order_id)
    await db.execute(
        "INSERT INTO discrepancy (id, kind, reference, theirs, ours) "
        "VALUES (gen_random_uuid(), 'refunds', $1, 'a', 'b')",
        reference,
    )
    row = await only(Subject.DISCREPANCY)
    await attention.ask_again(Subject.DISCREPANCY, str(row["id"]), actor=MIRA)
    assert await items() == {}
    assert (await last_deed()).after["status"] == "AGREES"


async def test_the_comparison_says_when_it_is_fresh_late_or_broke_off(stripe):
    await buy(await make_event(), stripe)
    await db.execute("UPDATE outbox SET done_at = clock_timestamp()")
    await comparison.compare()
    assert await book() == Book.FRESH
    await let_time_pass(hours=25)
    assert await book() == Book.FRESH
    await let_time_pass(hours=2)
    assert await book() == Book.LATE
    assert await facts.count() == 1
    await stripe.fault(op="payment_intents.list", mode="drop_before", times=4)
    with pytest.raises(OutcomeUnknown):
        await comparison.compare()
    assert await book() == Book.BROKE_OFF
    await stripe.fault(op="*", mode="none")
    await comparison.compare()
    assert await book() == Book.FRESH
    assert await facts.count() == 0


async def test_a_shop_that_never_compared_is_late_a_day_after_its_first_payment(stripe):
    await buy(await make_event(), stripe)
    await db.execute("UPDATE outbox SET done_at = clock_timestamp()")
    assert await book() == Book.NONE_YET
    await let_time_pass(hours=27)
    assert await book() == Book.LATE


async def test_a_comparison_is_asked_for_once():
    assert await attention.ask_for_comparison(actor=MIRA)
    assert not await attention.ask_for_comparison(actor=MIRA)
    await jobs.compare_now({})
    assert await book() == Book.FRESH
    assert await attention.ask_for_comparison(actor=MIRA)


async def test_ten_people_who_ask_for_a_comparison_at_once_get_one():
    asked = await asyncio.gather(*(attention.ask_for_comparison(actor=MIRA) for _ in range(10)))
    assert sum(asked) == 1


# ---------------------------------------------------------------- asking again


async def test_asking_again_finishes_a_capture_and_says_which_order_was_made(stripe):
    intent = await start_paying(await hold_with_buyer(await make_event()))
    await stripe.pay(intent.client_secret)
    await stripe.fault(op="payment_intents.capture", mode="drop_after", times=4)
    await stripe.fault(op="payment_intents.retrieve", mode="none")
    with pytest.raises(OutcomeUnknown):
        await settlement.settle(intent.reference)
    await let_time_pass(seconds=16)
    payment = await only(Subject.PAYMENT)
    await stripe.fault(op="*", mode="none")
    await attention.ask_again(Subject.PAYMENT, str(payment["id"]), actor=MIRA)
    assert await items() == {}
    number = await db.fetchval("SELECT number FROM orders")
    deed = await last_deed()
    assert (deed.actor, deed.after) == ("Mira", {"status": "CAPTURED", "order": number})
    entry = await db.fetchrow("SELECT * FROM audit_entry WHERE action = 'asked again'")
    assert (entry["actor_name"], entry["before"]) == ("Mira", '{"status": "CAPTURING"}')


async def test_asking_again_lets_go_what_nobody_paid_in_time(stripe):
    event = await make_event()
    checkout_id = await hold_with_buyer(event)
    await start_paying(checkout_id)
    await let_time_run_out(checkout_id)
    await stripe.fault(op="*", mode="down", by="server")
    await checkout.expire_holds(event.id)
    await let_time_pass(seconds=16)
    payment = await only(Subject.PAYMENT)
    await attention.ask_again(Subject.PAYMENT, str(payment["id"]), actor=MIRA)
    assert (await last_deed()).after == {"status": "OPEN", "problem": "no_answer"}
    assert (await only(Subject.PAYMENT))["status"] == "OPEN"
    await stripe.fault(op="*", mode="none")
    await attention.ask_again(Subject.PAYMENT, str(payment["id"]), actor=MIRA)
    assert (await last_deed()).after == {"status": "VOIDED"}
    assert await items() == {}


async def test_asking_about_a_refund_that_was_given_up_makes_it_once(stripe):
    refund_id = await refund(await buy(await make_event(), stripe))
    await db.execute("UPDATE outbox SET done_at = clock_timestamp() WHERE kind <> 'refund'")
    await let_time_pass(minutes=70)
    await make_dead("outbox")
    await asyncio.gather(*(attention.ask_again(Subject.REFUND, str(refund_id), actor=MIRA) for _ in range(5)))
    await outbox.drain(jobs.DEEDS)
    assert [r["amount"] for r in (await stripe.state())["refunds"]] == [2400]
    assert await db.fetchval("SELECT status FROM refund") == "SUCCEEDED"
    assert await db.fetchval("SELECT done_at IS NOT NULL FROM outbox WHERE kind = 'refund'")


async def test_stripe_that_hangs_is_no_answer_in_good_time(stripe, monkeypatch):
    monkeypatch.setattr(attention, "PATIENCE_SECONDS", 0.3)
    order_id = await buy(await make_event(ticket_type()), stripe)
    refund_id = await refund(order_id)
    await stripe.fault(op="refunds.list", mode="hang", seconds=3)
    async with asyncio.timeout(2):
        await attention.ask_again(Subject.REFUND, str(refund_id), actor=MIRA)
    assert (await last_deed()).after == {"status": "REQUESTED", "problem": "no_answer"}


@pytest.mark.parametrize(
    ("subject", "subject_id"),
    [
        (Subject.PAYMENT, "0" * 32),
        (Subject.PAYMENT, "made-up"),
        (Subject.DISPUTE, "du_none"),
        (Subject.COMPARISON, "now"),
        (Subject.NOTE, "1"),
    ],
)
async def test_what_is_not_there_cannot_be_asked_about(subject, subject_id):
    with pytest.raises(NotOnTheList):
        await attention.ask_again(subject, subject_id, actor=MIRA)


async def test_only_refunds_and_disputes_can_be_seen():

    with pytest.raises(NotOnTheList):
        await attention.see(Subject.PAYMENT, "0" * 32, status="CAPTURED", actor=MIRA)


async def test_a_dispute_that_is_open_cannot_be_waved_away(stripe):
    reference = await reference_of(await buy(await make_event(), stripe))
    theirs = await stripe.dashboard(reference, "dispute")
    await disputes.sync(reference)
    with pytest.raises(NotOnTheList):
        await attention.see(Subject.DISPUTE, theirs["id"], status="needs_response", actor=MIRA)


async def test_what_became_of_it_after_reading_is_not_seen(stripe):
    """The page said that it was given back; the bank has sent it back to us since."""
    order_id = await buy(await make_event(), stripe)
    reference = await reference_of(order_id)
    made = await stripe.dashboard(reference, "refund")
    await refunds.sync(reference)
    row = await only(Subject.REFUND)
    await at_stripe(stripe, "refunds", made["id"], "fail")
    await refunds.sync(reference)
    with pytest.raises(NotOnTheList):
        await attention.see(Subject.REFUND, str(row["id"]), status="SUCCEEDED", actor=MIRA)
    assert (await only(Subject.REFUND))["status"] == "FAILED"


# ---------------------------------------------------------------- helpers


async def paid_too_late(stripe):
    """The bank agreed, and the only seat went to somebody else meanwhile."""
    event = await make_event(capacity=1)
    checkout_id = await hold_with_buyer(event)
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await let_time_run_out(checkout_id)
    await hold_with_buyer(event)
    return intent


async def set_refund(refund_id, status: str) -> None:
    """As if the bank had said so."""
    async with transaction():
        await db.execute("SET LOCAL session_replication_role = replica")
        await db.execute("UPDATE refund SET status = $2 WHERE id = $1", refund_id, status)


async def only_reference() -> str:
    return await db.fetchval("SELECT reference FROM payment")


async def at_stripe(stripe, kind: str, thing: str, verb: str) -> None:
    (await stripe._client.post(f"/_sandbox/{kind}/{thing}/{verb}")).raise_for_status()
