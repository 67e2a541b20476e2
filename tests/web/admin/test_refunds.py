"""Giving money back at the desk: exactly what was read is done, once, and nothing typed is lost."""

import asyncio
import re
from html import unescape
from uuid import UUID, uuid4

import pytest

from models import database as db
from services import disputes, refunds
from tasks import jobs
from tests.makers import buy, checkout, hold_with_buyer, make_event, ticket_type
from tests.services import bank
from tests.services.refunding import REFUND_FAILS, fail, intent_of, pay_with, refund_and_run

TICKET = re.compile(r'name="ticket" value="([^"]+)"( disabled| checked)?')
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


def address(order_id) -> str:
    return f"/admin/orders/{order_id}/refund"


def hidden(page: str) -> dict[str, list[str]]:
    """What a browser would send of a form without its visible fields."""
    found: dict[str, list[str]] = {}
    for name, value in HIDDEN.findall(page.partition("<main")[2]):
        found.setdefault(name, []).append(value)
    return found


async def fill(desk, order_id, **typed):
    """Open the form, fill it in, press Continue."""
    page = (await desk.get(address(order_id))).text
    return await desk.get(f"{address(order_id)}/question", params={**_once(hidden(page)), **typed})


async def confirm(desk, order_id, question, **typed):
    why = {"reason": "REQUESTED", "note": "", **typed}
    return await desk.post(address(order_id), data={**hidden(question.text), **why})


def _once(found: dict[str, list[str]]) -> dict[str, str]:
    return {name: values[0] for name, values in found.items()}


async def ticket_ids(order_id) -> list[UUID]:
    return [r["id"] for r in await db.fetch("SELECT id FROM ticket WHERE order_id = $1 ORDER BY position", order_id)]


async def two_kinds(stripe) -> UUID:
    """An order of two General at €24.00 and one Front row at €36.00."""
    event = await make_event(ticket_type("General"), ticket_type("Front row", price=3600))
    return await buy(event, stripe, General=2, Front_row=1)


# ---------------------------------------------------------------- the form


async def test_the_form_shows_the_order_its_tickets_and_what_is_left(signed_in, stripe):
    order_id = await two_kinds(stripe)
    page = (await (await signed_in("manager")).get(address(order_id))).text
    for words in ("Winter Light", "Ana Kovač", "Front row", "€84.00", "All that is left: €84.00"):
        assert words in page
    assert len(TICKET.findall(page)) == 3
    assert 'name="seats_return" value="1"' in page
    assert 'name="seats_return" value="1" checked' not in page


async def test_by_item_it_says_exactly_what_will_happen_before_anything_does(signed_in, stripe):
    order_id = await two_kinds(stripe)
    first, *_ = await ticket_ids(order_id)
    desk = await signed_in("manager")
    question = await fill(desk, order_id, what="tickets", ticket=str(first))
    number = await db.fetchval("SELECT number FROM ticket WHERE id = $1", first)
    assert question.status_code == 200
    for words in (
        "Send €24.00 back?",
        "€24.00 goes back to the card of Ana Kovač.",
        f"1 ticket becomes invalid: {number}.",
        "The seat stays off sale.",
        "€60.00 of €84.00 stays with you.",
        "ana@example.org gets an email about it.",
    ):
        assert words in question.text
    assert await db.fetchval("SELECT count(*) FROM refund") == 0


async def test_a_confirmed_refund_is_made_and_followed_up(signed_in, stripe):
    order_id = await two_kinds(stripe)
    first, *_ = await ticket_ids(order_id)
    desk = await signed_in("manager", name="Mira Novak")
    question = await fill(desk, order_id, what="tickets", ticket=str(first))
    answer = await confirm(desk, order_id, question, reason="GOODWILL", note="Rang at noon")
    made = await db.fetchrow("SELECT * FROM refund")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{address(order_id)}?made={made['id']}")
    assert (made["amount"], made["reason"], made["note"], made["seats_return"]) == (
        2400,
        "GOODWILL",
        "Rang at noon",
        False,
    )
    page = (await desk.get(answer.headers["location"])).text
    assert "€24.00 is on its way back" in page
    assert "On its way to Stripe" in page
    assert [state for _, state in TICKET.findall(page)] == [" disabled", "", ""]
    await jobs.drain_outbox({})
    assert "Sent back" in (await desk.get(f"/admin/orders/{order_id}/refund/list")).text
    entry = await db.fetchrow("SELECT * FROM audit_entry WHERE action = 'refund requested'")
    assert (entry["actor_id"], entry["actor_name"]) == (desk.admin.id, "Mira Novak")


async def test_all_of_it_with_the_seats_back_on_sale(signed_in, stripe):
    order_id = await two_kinds(stripe)
    desk = await signed_in("manager")
    question = await fill(desk, order_id, what="all", seats_return="1")
    assert "Send €84.00 back?" in question.text
    assert "The seats go back on sale as soon as Stripe has agreed." in question.text
    await confirm(desk, order_id, question)
    await jobs.drain_outbox({})
    assert await db.fetchval("SELECT sold FROM event") == 0
    page = (await desk.get(address(order_id))).text
    assert "All of it has gone back" in page
    assert "Continue" not in page


async def test_an_amount_leaves_the_tickets_alone(signed_in, stripe):
    order_id = await two_kinds(stripe)
    desk = await signed_in("manager")
    question = await fill(desk, order_id, what="amount", amount="10,50", seats_return="1")
    assert "€10.50 goes back" in question.text
    assert "No ticket becomes invalid: whoever has one comes in." in question.text
    assert "No seat goes back on sale, because no ticket becomes invalid." in question.text
    await confirm(desk, order_id, question)
    assert await db.fetchval("SELECT amount FROM refund") == 1050
    assert await db.fetchval("SELECT count(*) FROM ticket WHERE refund_id IS NOT NULL") == 0


async def test_an_amount_that_is_all_says_that_nobody_comes_in_for_nothing(signed_in, stripe):
    order_id = await two_kinds(stripe)
    question = await fill(await signed_in("manager"), order_id, what="amount", amount="84")
    assert "3 tickets become invalid" in question.text
    assert "nobody comes in for nothing" in question.text


async def test_tickets_that_cost_nothing_are_cancelled(signed_in, stripe):
    event = await make_event(ticket_type("Guest", price=0))
    checkout_id = await hold_with_buyer(event, Guest=2)
    await checkout.start_payment(checkout_id)
    order_id = await db.fetchval("SELECT id FROM orders")
    desk = await signed_in("manager")
    assert "An amount" not in (await desk.get(address(order_id))).text
    question = await fill(desk, order_id, what="all", seats_return="1")
    assert "Cancel the tickets?" in question.text
    assert "No money moves: it cost nothing." in question.text
    assert "The seats go back on sale at once." in question.text
    page = (await desk.get((await confirm(desk, order_id, question)).headers["location"])).text
    assert "The tickets are cancelled" in page
    assert await db.fetchval("SELECT sold FROM event") == 0


async def test_the_summary_follows_the_choice_without_making_anything(signed_in, stripe, script):
    order_id = await two_kinds(stripe)
    desk = await signed_in("manager")
    first, *_ = await ticket_ids(order_id)
    said = await desk.get(
        f"{address(order_id)}/summary", params={"what": "tickets", "ticket": str(first)}, headers=script
    )
    assert "€24.00 goes back to the card of Ana Kovač." in said.text
    asked = {"what": "amount", "amount": "100000"}
    said = await desk.get(f"{address(order_id)}/summary", params=asked, headers=script)
    assert "here stands what exactly will happen" in said.text
    assert await db.fetchval("SELECT count(*) FROM refund") == 0


# ---------------------------------------------------------------- refused in place


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"what": ""}, "Choose what goes back."),
        ({"what": "tickets"}, "Choose at least one ticket."),
        ({"what": "amount", "amount": ""}, "Enter how much goes back, such as 24.00."),
        ({"what": "amount", "amount": "0"}, "Enter more than 0."),
        ({"what": "amount", "amount": "24.005"}, "Write the amount in digits, such as 24.00."),
        ({"what": "amount", "amount": "-1"}, "Write the amount in digits, such as 24.00."),
        ({"what": "amount", "amount": "1e3"}, "Write the amount in digits, such as 24.00."),
        ({"what": "amount", "amount": "２４"}, "Write the amount in digits, such as 24.00."),
        ({"what": "amount", "amount": "84.01"}, "€84.00 at most can go back."),
        ({"what": "amount", "amount": "999999999999"}, "€84.00 at most can go back."),
        ({"what": "amount", "amount": "$5"}, "Write the amount in digits, such as 24.00."),
        ({"what": "tickets", "ticket": str(uuid4())}, "One of these tickets has been refunded meanwhile."),
    ],
)
async def test_what_cannot_be_done_is_said_at_its_field_and_nothing_is_lost(signed_in, stripe, typed, words):
    order_id = await two_kinds(stripe)
    answer = await fill(await signed_in("manager"), order_id, **typed)
    assert answer.status_code == 422
    assert words in answer.text
    assert "<title>Error: Refund" in answer.text
    assert typed.get("amount", "") in answer.text
    assert await db.fetchval("SELECT count(*) FROM refund") == 0


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"reason": "NO_SEATS", "note": "Rang at noon"}, "Choose why it goes back."),
        ({"reason": "DISPUTED", "note": "Rang at noon"}, "Choose why it goes back."),
        ({"note": "x" * 501}, "Shorten the note to 500 characters; it has 501."),
    ],
)
async def test_a_reason_or_note_that_will_not_do_is_said_beside_the_question(signed_in, stripe, typed, words):
    order_id = await two_kinds(stripe)
    desk = await signed_in("manager")
    answer = await confirm(desk, order_id, await fill(desk, order_id, what="all"), **typed)
    assert answer.status_code == 422
    assert words in answer.text
    assert "Send €84.00 back?" in answer.text
    assert f'id="note" name="note" value="{typed["note"]}"' in answer.text
    assert await db.fetchval("SELECT count(*) FROM refund") == 0
    assert (await confirm(desk, order_id, answer)).status_code == 303


async def test_an_amount_that_cards_do_not_take_is_refused_with_one_that_they_do(signed_in, stripe):
    order_id = await buy(await make_event(ticket_type(price=24_500), currency="KWD"), stripe)
    desk = await signed_in("manager")
    answer = await fill(desk, order_id, what="amount", amount="5.125")
    assert answer.status_code == 422
    assert "Cards take KWD only with a 0 at the end. 5.120 would do." in answer.text
    answer = await fill(desk, order_id, what="amount", amount="5.12")
    assert (await confirm(desk, order_id, answer)).status_code == 303


@pytest.mark.parametrize("typed", ["€5", "5 €", "EUR 5.00", "5,00"])
async def test_an_amount_may_be_typed_with_the_currency_that_stands_beside_it(signed_in, stripe, typed):
    order_id = await two_kinds(stripe)
    question = await fill(await signed_in("manager"), order_id, what="amount", amount=typed)
    assert "Send €5.00 back?" in question.text


async def test_what_was_chosen_is_still_chosen_after_a_mistake(signed_in, stripe):
    order_id = await two_kinds(stripe)
    _, second, third = await ticket_ids(order_id)
    desk = await signed_in("manager")
    answer = await fill(desk, order_id, what="", ticket=[str(second), str(third)], seats_return="1")
    assert [state for _, state in TICKET.findall(answer.text)] == ["", " checked", " checked"]
    assert 'name="seats_return" value="1" checked' in answer.text


async def test_going_back_from_the_question_keeps_everything(signed_in, stripe):
    order_id = await two_kinds(stripe)
    first, *_ = await ticket_ids(order_id)
    desk = await signed_in("manager")
    question = await fill(desk, order_id, what="tickets", ticket=str(first), seats_return="1")
    back = unescape(re.search(r'href="([^"]+)">Change something', question.text)[1])
    form = await desk.get(back)
    assert form.status_code == 200
    assert [state for _, state in TICKET.findall(form.text)] == [" checked", "", ""]
    assert 'name="seats_return" value="1" checked' in form.text
    assert "Error:" not in form.text


async def test_back_after_sending_leads_to_what_was_made_not_to_another_refund(signed_in, stripe):
    """Everything before the sending can be asked for again without sending anything again."""
    order_id = await two_kinds(stripe)
    desk = await signed_in("manager")
    question = await fill(desk, order_id, what="amount", amount="10")
    made = (await confirm(desk, order_id, question)).headers["location"]
    back = await desk.get(str(question.url))
    assert (back.status_code, back.headers["location"]) == (303, made)
    assert await db.fetchval("SELECT count(*) FROM refund") == 1


async def test_after_a_partial_refund_only_the_rest_can_go_back(signed_in, stripe):
    order_id = await two_kinds(stripe)
    desk = await signed_in("manager")
    await confirm(desk, order_id, await fill(desk, order_id, what="amount", amount="50"))
    assert "All that is left: €34.00" in (await desk.get(address(order_id))).text
    first, _, third = await ticket_ids(order_id)
    answer = await fill(desk, order_id, what="tickets", ticket=[str(first), str(third)])
    assert answer.status_code == 422
    assert "€34.00 at most can go back. Choose an amount instead." in answer.text


# ---------------------------------------------------------------- once, and only what was read


async def test_a_double_click_pays_once(signed_in, stripe):
    order_id = await two_kinds(stripe)
    desk = await signed_in("manager")
    question = await fill(desk, order_id, what="amount", amount="10")
    answers = await asyncio.gather(*(confirm(desk, order_id, question) for _ in range(5)))
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert await db.fetchval("SELECT count(*) FROM refund") == 1
    await jobs.drain_outbox({})
    assert [refund["amount"] for refund in (await stripe.state())["refunds"]] == [1000]


async def test_another_wish_from_the_same_page_is_another_refund(signed_in, stripe):
    """Whoever goes back in their browser and changes the amount means it."""
    order_id = await two_kinds(stripe)
    desk = await signed_in("manager")
    page = hidden((await desk.get(address(order_id))).text)
    for amount in ("10", "5"):
        typed = {**_once(page), "what": "amount", "amount": amount}
        question = await desk.get(f"{address(order_id)}/question", params=typed)
        await confirm(desk, order_id, question)
    assert [r["amount"] for r in await db.fetch("SELECT amount FROM refund ORDER BY id")] == [1000, 500]


async def test_what_changed_between_reading_and_pressing_is_asked_again(signed_in, stripe):
    order_id = await two_kinds(stripe)
    mira, tom = await signed_in("manager"), await signed_in("manager")
    question = await fill(mira, order_id, what="all")
    await confirm(tom, order_id, await fill(tom, order_id, what="amount", amount="30"))
    again = await confirm(mira, order_id, question)
    assert again.status_code == 409
    assert "Something changed meanwhile" in again.text
    assert "Send €54.00 back?" in again.text
    assert (await confirm(mira, order_id, again)).status_code == 303
    assert [r["amount"] for r in await db.fetch("SELECT amount FROM refund ORDER BY id")] == [3000, 5400]


async def test_nothing_is_refunded_without_the_question(signed_in, stripe):
    order_id = await two_kinds(stripe)
    desk = await signed_in("manager")
    form = hidden((await desk.get(address(order_id))).text)
    for made_up in ({}, {"confirmed": "made up"}):
        answer = await desk.post(address(order_id), data={**form, "what": "all", "reason": "GOODWILL", **made_up})
        assert answer.status_code == 409
    assert await db.fetchval("SELECT count(*) FROM refund") == 0


# ---------------------------------------------------------------- seats, lists, permissions


async def test_seats_kept_off_sale_can_be_returned_from_the_order(signed_in, stripe):
    order_id = await two_kinds(stripe)
    desk = await signed_in("manager")
    await confirm(desk, order_id, await fill(desk, order_id, what="all"))
    await jobs.drain_outbox({})
    refund_id = await db.fetchval("SELECT id FROM refund")
    page = (await desk.get(address(order_id))).text
    assert f"/admin/payments/refunds/{refund_id}/seats?back=order" in page
    question = (await desk.get(f"/admin/payments/refunds/{refund_id}/seats?back=order")).text
    answer = await desk.post(f"/admin/payments/refunds/{refund_id}/seats", data=hidden(question))
    assert answer.headers["location"] == address(order_id)
    assert await db.fetchval("SELECT sold FROM event") == 0
    assert "Return 3 seats" not in (await desk.get(address(order_id))).text


async def test_a_refund_made_in_stripe_is_on_the_list(signed_in, stripe):
    order_id = await two_kinds(stripe)
    reference = await db.fetchval("SELECT payment_reference FROM orders")
    await stripe.dashboard(reference, "refund", amount=500)
    await refunds.sync(reference)
    page = (await (await signed_in("manager")).get(address(order_id))).text
    assert "Made in Stripe" in page
    assert "€79.00" in page


async def test_who_may_not_refund_finds_orders_and_no_way_to_refund(signed_in, stripe):
    order_id = await two_kinds(stripe)
    for role in ("door", "readonly"):
        desk = await signed_in(role)
        page = (await desk.get("/admin/orders")).text
        assert "Ana Kovač" in page
        assert address(order_id) not in page
        assert (await desk.get(address(order_id))).status_code == 403
        assert (await desk.post(address(order_id), data={"what": "all"})).status_code == 403
    assert await db.fetchval("SELECT count(*) FROM refund") == 0


async def test_nobody_refunds_without_signing_in(browser, stripe):
    order_id = await two_kinds(stripe)
    for answer in (await browser.get(address(order_id)), await browser.post(address(order_id), data={"what": "all"})):
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/admin/login")


async def test_an_order_that_is_not_there(signed_in):
    assert (await (await signed_in("manager")).get(address(uuid4()))).status_code == 404


# ---------------------------------------------------------------- disputes, and seats that were sold on


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({}, "a dispute is open"),
        ({"then": "lose"}, "from their bank already"),
        ({"inquiry": True}, "is asking about €84.00"),
    ],
)
async def test_a_dispute_is_said_on_the_form_and_beside_the_question(signed_in, stripe, how, words):
    order_id = await two_kinds(stripe)
    await dispute(stripe, order_id, **how)
    desk = await signed_in("manager")
    page = (await desk.get(address(order_id))).text
    assert words in page
    assert page.index(words) < page.index("All that is left"), "at the top"
    assert words in (await fill(desk, order_id, what="all")).text


async def test_a_dispute_that_was_won_warns_of_nothing(signed_in, stripe):
    order_id = await two_kinds(stripe)
    await dispute(stripe, order_id, then="win")
    assert "dispute-warning" not in (await (await signed_in("manager")).get(address(order_id))).text


async def test_a_seat_that_a_failed_refund_lost_is_taken_back_from_the_order(signed_in, stripe):
    order_id, refund_id, event = await a_seat_sold_on(stripe)
    desk = await signed_in("manager")
    page = (await desk.get(address(order_id))).text
    assert "1 ticket paid for, without a seat" in page
    take_back = f"/admin/payments/refunds/{refund_id}/admission"
    assert f'action="{take_back}"' in page
    refused = await desk.post(take_back, data={**hidden(page), "back": "order"})
    assert refused.status_code == 409
    assert "No seat is free any more" in refused.text
    await db.execute("UPDATE event SET total_capacity = 2 WHERE id = $1", event.id)
    answer = await desk.post(take_back, data={**hidden(page), "back": "order"})
    assert (answer.status_code, answer.headers["location"]) == (303, address(order_id))
    assert await db.fetchval("SELECT refund_id FROM ticket WHERE order_id = $1", order_id) is None
    assert "without a seat" not in (await desk.get(address(order_id))).text
    await desk.post(take_back, data={**hidden(page), "back": "order"})
    assert await db.fetchval("SELECT sold FROM event") == 2, "pressed again: nothing more"


async def dispute(stripe, order_id, *, then: str | None = None, **how) -> str:
    reference = await db.fetchval("SELECT payment_reference FROM orders WHERE id = $1", order_id)
    made = await stripe.dashboard(reference, "dispute", **how)
    if then:
        await bank.decide(stripe, made["id"], then)
    await disputes.sync(reference)
    return made["id"]


async def a_seat_sold_on(stripe):
    """A refund failed when its seat had gone to somebody else. Returns order, refund, event."""
    event = await make_event(capacity=1)
    order_id = await pay_with(stripe, REFUND_FAILS, event)
    refund_id = await refund_and_run(order_id, seats_return=True)
    await buy(event, stripe)
    await fail(stripe, refund_id)
    await refunds.sync(await intent_of(order_id))
    return order_id, refund_id, event
