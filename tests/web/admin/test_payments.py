"""Payments needing attention, as the desk shows them: in words, with what can be done by whom."""

import re

import pytest

import models.attention
import models.provider
from models import database as db
from services import attention, disputes, notices, refunds, settlement
from services.gateway import Notice, OutcomeUnknown
from services.transaction import transaction
from tests.makers import buy, hold_with_buyer, let_time_pass, make_event, start_paying
from tests.services import bank
from tests.services.refunding import REFUND_FAILS, fail, intent_of, pay_with, refund_and_run

HERE = "/admin/payments"
NOW = f"{HERE}/now"


async def unknown_capture(stripe):
    """The bank agreed, and whether the money was taken is not known."""
    intent = await start_paying(await hold_with_buyer(await make_event()))
    await stripe.pay(intent.client_secret)
    await stripe.fault(op="payment_intents.capture", mode="drop_before", times=2)
    with pytest.raises(OutcomeUnknown):
        await settlement.settle(intent.reference)
    await let_time_pass(seconds=20)
    return await db.fetchval("SELECT id FROM payment")


async def reference_of(order_id) -> str:
    return await db.fetchval("SELECT payment_reference FROM orders WHERE id = $1", order_id)


async def refund_outside(stripe, **form):
    order_id = await buy(await make_event(), stripe, General=2)
    await db.execute("UPDATE outbox SET done_at = clock_timestamp()")
    await stripe.dashboard(await reference_of(order_id), "refund", **form)
    await refunds.sync(await reference_of(order_id))
    return await db.fetchval("SELECT id FROM refund")


async def a_mail_given_up(stripe):
    await buy(await make_event(), stripe)
    await db.execute("UPDATE outbox SET run_at = 'infinity', attempts = 12, last_error = 'the mail server is away'")
    return await db.fetchval("SELECT id FROM outbox WHERE done_at IS NULL")


async def attention_count() -> int:
    return await models.attention.count()


def button(page: str, words: str) -> bool:
    return f">{words}</button>" in page


# ---------------------------------------------------------------- the list


async def test_nothing_needs_anybody_in_a_calm_shop(signed_in, stripe):
    await buy(await make_event(), stripe)
    desk = await signed_in("manager")
    page = (await desk.get(HERE)).text
    assert "Nothing needs you" in page
    assert "Compare with Stripe now" in page
    assert 'id="count-payments" hidden' in page


async def test_an_unknown_payment_says_what_happened_to_whom_and_what_comes_next(signed_in, stripe):
    await unknown_capture(stripe)
    desk = await signed_in("manager")
    page = (await desk.get(HERE)).text
    for words in (
        "€24.00 from Ana Kovač",
        "Winter Light",
        "ana@example.org",
        "We asked Stripe to take the money and don’t know yet whether",
        "Asks Stripe again",
        "If it was taken, the order is made; if not, nobody is charged.",
        "pi_",
    ):
        assert words in page
    assert button(page, "Ask Stripe again")


async def test_the_navigation_says_how_many_on_every_page(signed_in, stripe):
    await unknown_capture(stripe)
    desk = await signed_in("manager")
    for address in (HERE, "/admin/orders", "/admin/account"):
        assert '1<span class="sr"> to look at</span>' in (await desk.get(address)).text
    door = await signed_in("door")
    assert "to look at" not in (await door.get("/admin/orders")).text


async def test_a_dispute_says_until_when_to_answer(signed_in, stripe):
    reference = await reference_of(await buy(await make_event(), stripe))
    await stripe.dashboard(reference, "dispute")
    await disputes.sync(reference)
    page = (await (await signed_in("manager")).get(HERE)).text
    assert "The buyer’s bank took back €24.00: the card holder says it was not them." in page
    assert "Answer in Stripe’s dashboard by" in page
    assert "The ticket is still valid." in page


async def test_every_kind_of_thing_has_its_words(signed_in, stripe):
    """One page with one of each; nothing of it may be left without words or break the page."""
    await one_of_each(stripe)
    page = (await (await signed_in("owner")).get(HERE)).text
    for heading in (
        "Disputes",
        "Payments we don’t know the end of",
        "Paid, without tickets",
        "Refunds",
        "Where Stripe and Foyer differ",
        "Work that is stuck",
        "Stripe’s notices that are stuck",
    ):
        assert f">{heading}</h2>" in page
    assert '7<span class="sr"> to look at</span>' in page


async def test_what_people_typed_is_text_and_never_markup(signed_in, stripe):
    await unknown_capture(stripe)
    await db.execute("UPDATE checkout SET buyer_name = '<b>Ana</b><script>'")
    page = (await (await signed_in("manager")).get(HERE)).text
    assert "<b>Ana</b>" not in page
    assert "&lt;b&gt;Ana&lt;/b&gt;" in page


async def test_an_open_page_looks_again_by_itself_without_moving_anything(signed_in, stripe):
    desk = await signed_in("manager")
    assert f'hx-get="{NOW}"' in (await desk.get(HERE)).text
    before = (await desk.get(NOW, headers={"HX-Request": "true"})).text
    assert "Nothing needs you" in before
    await unknown_capture(stripe)
    after = (await desk.get(NOW, headers={"HX-Request": "true"})).text
    assert 'hx-target="#attention" hx-swap="outerMorph"' in after
    assert "data-autofocus" not in after
    assert button(after, "Ask Stripe again")


# ---------------------------------------------------------------- the buttons


async def test_asking_again_answers_in_place_and_says_which_order_was_made(signed_in, stripe, script):
    payment_id = await unknown_capture(stripe)
    desk = await signed_in("manager")
    answer = await desk.post(f"{HERE}/payment/{payment_id}/questions", headers=script)
    number = await db.fetchval("SELECT number FROM orders")
    assert answer.status_code == 200
    assert f"Stripe says: taken. The order {number} was made." in answer.text
    assert f'id="done-payment-{payment_id}" tabindex="-1" data-autofocus' in answer.text
    assert "Ana Kovač · €24.00 · Winter Light" in answer.text


async def test_what_was_begun_before_the_answer_was_lost_is_not_called_unchanged(signed_in, stripe, script):
    checkout_id = await hold_with_buyer(await make_event())
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await db.execute("UPDATE payment SET attempts = 99")  # asked often without an answer: it is on the list
    await stripe.fault(op="payment_intents.capture", mode="drop_after", times=2)
    desk = await signed_in("manager")
    payment_id = await db.fetchval("SELECT id FROM payment")
    answer = await desk.post(f"{HERE}/payment/{payment_id}/questions", headers=script)
    assert await db.fetchval("SELECT status FROM payment") == "CAPTURING"
    assert "Stripe does not answer. Something was begun, and goes on by itself." in answer.text


async def test_a_payment_that_somebody_changed_at_stripe_is_shown_until_it_is_seen(signed_in, stripe, script):
    intent = await start_paying(await hold_with_buyer(await make_event()))
    await stripe.change_amount(intent.reference, 1000)
    await stripe.pay(intent.client_secret)
    await settlement.settle(intent.reference)
    desk = await signed_in("manager")
    page = (await desk.get(HERE)).text
    assert "Somebody changed this payment at Stripe" in page
    payment_id = await db.fetchval("SELECT id FROM payment")
    assert await attention_count() == 1
    assert (await models.provider.heard()).unanswered == 0, "it has told us how this one ended"
    answer = await desk.post(f"{HERE}/payment/{payment_id}/seen?status=VOIDED", headers=script)
    assert (answer.status_code, await attention_count()) == (200, 0)


async def test_notices_that_were_turned_away_are_told_with_what_may_be_wrong(signed_in, stripe):
    await db.execute("INSERT INTO refused_notice VALUES ('signature', 3), ('too new', 1)")
    await db.execute("INSERT INTO refused_notice VALUES ('other mode', 9, now() - interval '2 days')")
    page = (await (await signed_in("readonly")).get(HERE)).text
    assert "3 notices were refused, the latest just now: not signed with our secret." in page
    assert "1 notice was refused, the latest just now: genuine, and more than five minutes from the future." in page
    assert "of the other mode" not in page, "that was long ago"


async def test_without_an_answer_it_says_so_and_when_it_is_asked_again(signed_in, stripe, script):
    payment_id = await unknown_capture(stripe)
    await stripe.fault(op="*", mode="down", by="server")
    desk = await signed_in("manager")
    answer = await desk.post(f"{HERE}/payment/{payment_id}/questions", headers=script)
    assert "Stripe does not answer. Nothing has changed." in answer.text
    assert "Asks Stripe again" in answer.text
    assert f'id="payment-{payment_id}-answer" tabindex="-1" data-autofocus' in answer.text


async def test_without_javascript_the_answer_stands_on_the_page_one_comes_back_to(signed_in, stripe):
    payment_id = await unknown_capture(stripe)
    desk = await signed_in("manager")
    answer = await desk.post(f"{HERE}/payment/{payment_id}/questions")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{HERE}#payment-{payment_id}")
    assert "Stripe says: taken." in (await desk.get(HERE)).text


async def test_colleagues_see_what_came_of_it_and_who_asked(signed_in, stripe):
    payment_id = await unknown_capture(stripe)
    await (await signed_in("manager", name="Mira Novak")).post(f"{HERE}/payment/{payment_id}/questions")
    page = (await (await signed_in("readonly")).get(HERE)).text
    assert "Stripe says: taken." in page
    assert "Mira Novak, just now" in page


async def test_every_deed_is_in_the_audit_with_its_doer(signed_in, stripe):
    payment_id = await unknown_capture(stripe)
    desk = await signed_in("manager")
    await desk.post(f"{HERE}/payment/{payment_id}/questions")
    await desk.post(f"{HERE}/comparisons")
    refund_id = await refund_outside(stripe)
    await desk.post(f"{HERE}/refund/{refund_id}/seen?status=SUCCEEDED")
    await desk.post(f"{HERE}/refunds/{refund_id}/seats")
    entries = await db.fetch("SELECT * FROM audit_entry WHERE actor_id = $1 ORDER BY id", desk.admin.id)
    assert [entry["action"] for entry in entries] == [
        "asked again",
        "comparison asked for",
        "seen",
        "seats returned to sale",
    ]


async def test_work_that_was_given_up_is_tried_again(signed_in, stripe, script):
    note_id = await a_mail_given_up(stripe)
    desk = await signed_in("manager")
    page = (await desk.get(HERE)).text
    assert "Given up after 12 attempts." in page
    assert "the mail server is away" in page
    answer = (await desk.post(f"{HERE}/outbox/{note_id}/retries", headers=script)).text
    assert "It is being tried again." in answer
    assert await db.fetchval("SELECT run_at < 'infinity' FROM outbox WHERE id = $1", note_id)


async def test_a_refund_from_outside_is_seen_and_its_seats_are_returned_after_a_question(signed_in, stripe):
    refund_id = await refund_outside(stripe)
    desk = await signed_in("manager")
    page = (await desk.get(HERE)).text
    assert "€48.00 was given back in Stripe’s dashboard. 2 tickets of the order became invalid" in page
    assert "their seats stay off sale until you say so" in page
    question = (await desk.get(f"{HERE}/refunds/{refund_id}/seats")).text
    assert "Return 2 seats to sale?" in question
    assert await db.fetchval("SELECT sold FROM event") == 2
    answer = await desk.post(f"{HERE}/refunds/{refund_id}/seats")
    assert (answer.status_code, answer.headers["location"]) == (303, HERE)
    assert await db.fetchval("SELECT sold FROM event") == 0
    assert "2 seats are on sale again." in (await desk.get(HERE)).text
    assert "No seat is waiting" in (await desk.get(f"{HERE}/refunds/{refund_id}/seats")).text
    await desk.post(f"{HERE}/refund/{refund_id}/seen?status=SUCCEEDED")
    assert "Seen." in (await desk.get(HERE)).text
    assert 'id="count-payments" hidden' in (await desk.get(HERE)).text


async def test_a_seat_that_was_sold_on_is_taken_back_with_one_button(signed_in, stripe, script):
    event = await make_event(capacity=1)
    order_id = await pay_with(stripe, REFUND_FAILS, event)
    refund_id = await refund_and_run(order_id, seats_return=True)
    await buy(event, stripe)
    await fail(stripe, refund_id)
    await refunds.sync(await intent_of(order_id))
    desk = await signed_in("manager")
    number = await db.fetchval("SELECT number FROM ticket WHERE order_id = $1", order_id)
    take_back = f"{HERE}/refunds/{refund_id}/admission"
    page = (await desk.get(HERE)).text
    assert f"its seat had been sold on, so it is not valid, although paid for ({number})" in page
    assert "No seat is free now. When one is, or when you raise the capacity, it can be taken back here." in page
    assert take_back not in page
    refused = await desk.post(take_back, headers=script)
    assert refused.status_code == 409
    assert "No seat is free any more. Nothing has changed." in refused.text
    assert (await desk.post(take_back)).status_code == 409

    await db.execute("UPDATE event SET total_capacity = 2 WHERE id = $1", event.id)
    page = (await desk.get(HERE)).text
    assert "A seat is free now: take it back." in page
    assert f'action="{take_back}"' in page
    assert f'action="{take_back}"' not in (await (await signed_in("readonly")).get(HERE)).text
    answer = (await desk.post(take_back, headers=script)).text
    assert "1 ticket is valid again. The buyer is told." in answer
    assert "No ticket is invalid because of it." in answer
    assert await db.fetchval("SELECT refund_id FROM ticket WHERE order_id = $1", order_id) is None
    assert (await desk.post(take_back)).status_code == 303, "pressed again: nothing more"


async def test_an_earlier_refund_from_outside_is_reworded_after_a_later_one(signed_in, stripe):
    order_id = await buy(await make_event(), stripe, General=2)
    desk = await signed_in("manager")
    for amount in (1000, 3800):
        await stripe.dashboard(await reference_of(order_id), "refund", amount=amount)
        await refunds.sync(await reference_of(order_id))
        page = (await desk.get(HERE)).text
        assert ("part of the money is still with us" in page) == (amount == 1000)
    assert "All of the money has gone back since, and no paid ticket is valid." in page


async def test_tickets_of_a_lost_dispute_are_made_invalid_after_a_question(signed_in, stripe):
    order_id = await buy(await make_event(), stripe, General=2)
    there = await stripe.dashboard(await reference_of(order_id), "dispute")
    desk = await signed_in("manager")
    question = f"{HERE}/disputes/{there['id']}/tickets"
    await disputes.sync(await reference_of(order_id))
    assert (await desk.get(question)).status_code == 404, "it is not lost yet"
    await bank.decide(stripe, there["id"], "lose")
    await disputes.sync(await reference_of(order_id))
    page = (await desk.get(HERE)).text
    assert "The tickets are still valid." in page
    assert f'href="{question}"' in page
    asked = (await desk.get(question)).text
    assert "Make these tickets invalid?" in asked
    ids = re.findall(r'name="ticket" value="([^"]+)"', asked)
    none = await desk.post(question, data={"ticket": "nonsense"})
    assert (none.status_code, "Choose at least one ticket." in none.text) == (422, True)
    answer = await desk.post(question, data={"ticket": ids[0]})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{HERE}#dispute-{there['id']}")
    assert "1 of 2 tickets are still valid." in (await desk.get(HERE)).text
    assert (await desk.post(question, data={"ticket": ids[0]})).status_code == 303, "pressed twice"
    await desk.post(question, data={"ticket": ids[1]})
    page = (await desk.get(HERE)).text
    assert "None of the tickets is valid." in page
    assert question not in page
    assert "No ticket is left to make invalid" in (await desk.get(question)).text
    assert (await (await signed_in("readonly")).get(question)).status_code == 403


async def test_what_was_settled_meanwhile_is_no_mistake(signed_in, stripe, script):
    desk = await signed_in("manager")
    gone = "00000000-0000-7000-8000-000000000000"
    assert (await desk.post(f"{HERE}/payment/{gone}/questions", headers=script)).status_code == 200
    assert (await desk.post(f"{HERE}/payment/{gone}/questions")).status_code == 303
    assert (await desk.post(f"{HERE}/nothing/{gone}/questions")).status_code == 404
    for kind in attention.FIND:
        assert (await desk.post(f"{HERE}/{kind}/{gone}/questions")).status_code == 303, "no page stands in its way"


async def test_a_comparison_shows_how_far_it_is(signed_in, stripe):
    desk = await signed_in("manager")
    await desk.post(f"{HERE}/comparisons")
    page = (await desk.get(HERE)).text
    assert "The comparison is about to begin" in page
    assert "Compare with Stripe now" not in page
    await db.execute("INSERT INTO comparison (id, since, compared) VALUES (gen_random_uuid(), clock_timestamp(), 1200)")
    page = (await desk.get(HERE)).text
    assert "Comparing with Stripe" in page
    assert "1,200 payments so far" in page
    await db.execute("UPDATE comparison SET finished_at = clock_timestamp(), compared = 1234")
    assert "1,234 payments of the last eight days" in (await desk.get(HERE)).text


async def test_a_comparison_that_nobody_begins_says_so(signed_in, stripe):
    desk = await signed_in("manager")
    await desk.post(f"{HERE}/comparisons")
    async with transaction():
        await db.execute("SET LOCAL session_replication_role = replica")
        await db.execute("UPDATE audit_entry SET created_at = created_at - interval '2 minutes'")
    page = (await desk.get(HERE)).text
    assert "It was asked for and has not begun" in page
    assert "Compare with Stripe now" in page


async def test_promises_are_counted_only_when_somebody_asks(signed_in, stripe):
    await buy(await make_event(), stripe)
    page = (await (await signed_in("readonly")).get(f"{HERE}/promises")).text
    assert "Every promise holds" in page
    assert 'aria-label="Broken"' not in page


async def test_a_broken_promise_is_shown_with_the_rows_that_break_it(signed_in, stripe):
    event = await make_event()
    await db.execute("UPDATE event SET sold = 3 WHERE id = $1", event.id)
    page = (await (await signed_in("readonly")).get(f"{HERE}/promises")).text
    await db.execute("UPDATE event SET sold = 0 WHERE id = $1", event.id)
    assert "1 promise broken" in page
    assert str(event.id) in page


# ---------------------------------------------------------------- who may


async def test_who_only_reads_sees_everything_and_no_button(signed_in, stripe):
    await one_of_each(stripe)
    desk = await signed_in("readonly")
    page = (await desk.get(HERE)).text
    assert "We asked Stripe to take the money" in page
    for words in ("Ask Stripe again", "Try again", "Seen", "Return the seats", "Compare with Stripe now", "Refunds of"):
        assert words not in page


@pytest.mark.parametrize("role", ["door", "readonly", None])
@pytest.mark.parametrize(
    "address",
    ["payment/{id}/questions", "outbox/1/retries", "refund/{id}/seen", "comparisons", "refunds/{id}/seats"],
)
async def test_buttons_are_for_those_who_may_press_them(signed_in, browser, stripe, role, address):
    payment_id = await unknown_capture(stripe)
    client = await signed_in(role) if role else browser
    answer = await client.post(f"{HERE}/{address.format(id=payment_id)}")
    if role:
        assert answer.status_code == 403
    else:
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/admin/login")
    assert await db.fetchval("SELECT status FROM payment") == "CAPTURING"
    assert await db.fetchval("SELECT count(*) FROM audit_entry WHERE subject_kind = 'payment'") == 0


async def test_the_door_does_not_see_payments(signed_in):
    assert (await (await signed_in("door")).get(HERE)).status_code == 403


# ---------------------------------------------------------------- helpers


async def one_of_each(stripe) -> None:
    await unknown_capture(stripe)
    order_id = await buy(await make_event(), stripe)
    await stripe.dashboard(await reference_of(order_id), "dispute")
    await disputes.sync(await reference_of(order_id))
    await refund_outside(stripe)
    await db.execute("UPDATE outbox SET done_at = clock_timestamp()")
    await an_order_without_tickets(stripe)
    await db.execute("UPDATE outbox SET done_at = clock_timestamp() WHERE kind <> 'complete'")
    reference = await reference_of(order_id)
    await notices.keep(Notice("evt_1", "charge.refunded", reference, None, False, "{}"))
    await db.execute("UPDATE payment_notice SET run_at = 'infinity', attempts = 12")
    await db.execute(
        "INSERT INTO discrepancy (id, kind, reference, theirs, ours)"
        " VALUES (gen_random_uuid(), 'unknown_to_us', 'pi_unknown', '€24.00 was taken', 'nothing')"
    )
    other = await db.fetchval("SELECT id FROM orders WHERE status = 'COMPLETED' LIMIT 1")
    await db.execute("INSERT INTO outbox (kind, subject, run_at) VALUES ('refund_mail', $1, 'infinity')", other)


async def an_order_without_tickets(stripe) -> None:
    """As a crash between taking the money and making the tickets leaves it."""
    checkout_id = await hold_with_buyer(await make_event())
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    issue = settlement.tickets.issue
    settlement.tickets.issue = _crash
    try:
        with pytest.raises(RuntimeError):
            await settlement.settle(intent.reference)
    finally:
        settlement.tickets.issue = issue
    async with transaction():
        await db.execute("SET LOCAL session_replication_role = replica")
        await db.execute("UPDATE orders SET created_at = created_at - interval '3 minutes' WHERE status = 'PAID'")


async def _crash(_: object) -> None:
    raise RuntimeError("killed here")
