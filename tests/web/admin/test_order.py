"""The page of an order: all there is to know about it, and what can be put right, in place."""

import re
from uuid import UUID, uuid4

import pytest

from models import database as db
from services import checkout, refunds, settlement
from tasks import jobs
from tests.makers import buy, hold, hold_with_buyer, make_event, start_paying, ticket_type
from tests.services.refunding import REFUND_FAILS, fail, intent_of, pay_with, refund_and_run
from tests.web.admin.test_refunds import confirm, fill

HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
MOMENT = re.compile(r'<li id="[^"]+"(?: data-tone="\w+")?>(.*?)<small>', re.DOTALL)


def address(order_id) -> str:
    return f"/admin/orders/{order_id}"


def form_in(page: str, action: str) -> dict[str, str]:
    """What a browser would send of the hidden fields of the form that goes there."""
    form = re.search(rf'<form[^>]* action="{re.escape(action)}".*?</form>', page, re.DOTALL)
    assert form, f"no form goes to {action}"
    return dict(HIDDEN.findall(form[0]))


def moments(page: str) -> list[str]:
    history = page.partition('id="history"')[2]
    return [" ".join(re.sub(r"<[^>]+>", " ", found).split()) for found in MOMENT.findall(history)]


async def post(desk, order_id, path, **typed):
    """Open the form, fill it in, press its button."""
    where = f"{address(order_id)}/{path}"
    page = (await desk.get(where if path != "mails" else address(order_id))).text
    return await desk.post(where, data={**form_in(page, where), **typed})


async def two_kinds(stripe, **event) -> UUID:
    made = await make_event(ticket_type("General"), ticket_type("Front row", price=3600), **event)
    return await buy(made, stripe, General=2, Front_row=1)


# ---------------------------------------------------------------- what it shows


async def test_the_page_shows_the_order_its_buyer_its_tickets_and_its_payment(signed_in, stripe):
    order_id = await two_kinds(stripe, timezone="Europe/Ljubljana")
    page = (await (await signed_in("manager")).get(address(order_id))).text
    order = await db.fetchrow("SELECT * FROM orders")
    for words in (
        order["number"],
        "Completed",
        "Winter Light",
        "€84.00",
        "Ana Kovač",
        "ana@example.org",
        f"{order['number']}-3",
        order["payment_reference"],
        "Stripe",
        "Europe/Ljubljana",
        f'href="/admin/orders/{order_id}/refund"',
    ):
        assert words in page, words
    assert page.count("Valid") == 3
    assert re.search(r'href="/orders/[\w=-]+"', page), "the way to the tickets"


async def test_the_history_tells_it_from_the_hold_to_the_mail(signed_in, stripe):
    event = await make_event()
    checkout_id = await hold_with_buyer(event, General=2)
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret, "4000000000009995")
    await checkout.ask_about_payment(checkout_id)
    await stripe.pay(intent.client_secret)
    await settlement.settle(intent.reference)
    order_id = await db.fetchval("SELECT id FROM orders")
    page = (await (await signed_in("readonly")).get(address(order_id))).text
    told = moments(page)
    assert told[-1].startswith("2 tickets held until")
    assert any("Payment of €48.00 started" in moment for moment in told)
    assert any("Paid €48.00" in moment for moment in told)
    assert any("2 tickets issued" in moment for moment in told)
    assert any("Tickets waiting to be sent" in moment for moment in told)
    assert '<time datetime="' in page
    await db.execute("UPDATE outbox SET done_at = clock_timestamp() WHERE kind = 'confirmation_mail'")
    page = (await (await signed_in("readonly")).get(address(order_id))).text
    assert moments(page)[0] == "Tickets sent to ana@example.org"


async def test_a_decline_is_told_in_words_with_its_reason(signed_in, stripe):
    order_id = await buy(await make_event(), stripe)
    reference = await db.fetchval("SELECT reference FROM payment")
    payload = '{"data": {"object": {"last_payment_error": {"code": "card_declined", "decline_code": "expired_card"}}}}'
    await db.execute(
        "INSERT INTO payment_notice (id, type, reference, payload, handled_at) "
        "VALUES ('evt_1', 'payment_intent.payment_failed', $1, $2, clock_timestamp())",
        reference,
        payload,
    )
    page = (await (await signed_in("readonly")).get(address(order_id))).text
    assert "Card declined The card has expired." in moments(page)


@pytest.mark.parametrize(
    "payload", ["[]", '{"data": 7}', '{"data": {"object": {"last_payment_error": null}}}', '"\\u0000"']
)
async def test_whatever_a_notice_says_the_page_stands(signed_in, stripe, payload):
    order_id = await buy(await make_event(), stripe)
    await db.execute(
        "INSERT INTO payment_notice (id, type, reference, payload, handled_at) "
        "SELECT 'evt_1', 'payment_intent.payment_failed', reference, $1, clock_timestamp() FROM payment",
        payload,
    )
    page = await (await signed_in("readonly")).get(address(order_id))
    assert page.status_code == 200
    assert "Card declined" in page.text


async def test_a_refund_is_followed_on_the_page_and_its_tickets_are_marked(signed_in, stripe):
    order_id = await two_kinds(stripe)
    first = await db.fetchval("SELECT id FROM ticket WHERE position = 1")
    desk = await signed_in("manager")
    await confirm(desk, order_id, await fill(desk, order_id, what="tickets", ticket=str(first)))
    page = (await desk.get(address(order_id))).text
    assert "Partly refunded" in page
    assert "On its way to Stripe" in page
    assert "Ask Stripe again" in page
    await jobs.drain_outbox({})
    page = (await desk.get(address(order_id))).text
    assert "Ask Stripe again" not in page
    told = moments(page)
    assert any(moment.startswith("€24.00 was sent back") for moment in told)
    assert any(moment.startswith("Refund of €24.00 asked for by Mira Novak 1 ticket") for moment in told)


async def test_asking_stripe_again_brings_a_refund_to_its_end(signed_in, stripe):
    order_id = await two_kinds(stripe)
    desk = await signed_in("manager")
    await confirm(desk, order_id, await fill(desk, order_id, what="amount", amount="10"))
    answer = await desk.post(f"{address(order_id)}/questions")
    assert answer.headers["location"] == f"{address(order_id)}?done=asked"
    assert await db.fetchval("SELECT status FROM refund") == "SUCCEEDED"
    assert "Stripe was asked" in (await desk.get(answer.headers["location"])).text


async def test_the_page_looks_again_by_itself_and_answers_with_the_order_alone(signed_in, stripe):
    order_id = await two_kinds(stripe)
    desk = await signed_in("door")
    page = (await desk.get(address(order_id))).text
    assert f'hx-get="{address(order_id)}/now"' in page
    again = (await desk.get(f"{address(order_id)}/now")).text
    assert "<html" not in again
    assert 'id="order"' in again


async def test_what_a_role_may_not_do_it_is_not_shown(signed_in, stripe):
    order_id = await two_kinds(stripe)
    for role in ("door", "readonly"):
        page = (await (await signed_in(role)).get(address(order_id))).text
        for words in ("Send tickets again", "View tickets", "Correct", "/refund", 'href="/orders/'):
            assert words not in page, (role, words)


async def test_a_seat_is_taken_back_only_by_whoever_may_refund_and_the_door_reads_nothing_of_stripe(signed_in, stripe):
    event = await make_event(capacity=1)
    order_id = await pay_with(stripe, REFUND_FAILS, event)
    refund_id = await refund_and_run(order_id, note="a word among colleagues", seats_return=True)
    await hold(event)
    await fail(stripe, refund_id)
    await refunds.sync(await intent_of(order_id))
    reference = await db.fetchval("SELECT reference FROM refund")
    for role, takes, reads in [("manager", True, True), ("readonly", False, True), ("door", False, False)]:
        page = (await (await signed_in(role)).get(address(order_id))).text
        assert "without a seat" in page, role
        assert ("Take the seat back" in page) == takes, role
        assert (reference in page, "a word among colleagues" in page) == (reads, reads), role
        assert (await intent_of(order_id) in page) == reads, role


async def test_an_order_that_is_not_there_is_not_found(signed_in):
    desk = await signed_in("owner")
    for path in ("", "/now", "/buyer", "/refund"):
        assert (await desk.get(f"{address(uuid4())}{path}")).status_code == 404
    for path in ("/buyer", "/mails", "/questions", f"/tickets/{uuid4()}"):
        assert (await desk.post(f"{address(uuid4())}{path}")).status_code == 404


# ---------------------------------------------------------------- corrections


async def test_a_buyer_is_put_right_in_place_and_the_tickets_are_offered_to_the_new_address(signed_in, stripe):
    order_id = await two_kinds(stripe)
    desk = await signed_in("manager")
    answer = await post(desk, order_id, "buyer", name="Ana Kovačič", email=" ana@example.com ", holders="1")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{address(order_id)}?done=email")
    page = (await desk.get(answer.headers["location"])).text
    assert "Mail about this order goes to ana@example.com" in page
    assert "Send the tickets to the new address" in page
    assert page.count("Ana Kovačič") >= 4, "the buyer, and three tickets"
    told = moments(page)[0]
    assert told.startswith("Name and email corrected by Mira Novak Ana Kovač → Ana Kovačič; ana@example.org →")


async def test_a_field_that_nobody_touched_is_taken_back_by_nobody(signed_in, stripe):
    order_id = await two_kinds(stripe)
    ana, bob = await signed_in("manager"), await signed_in("manager")
    read = {"was_name": "Ana Kovač", "was_email": "ana@example.org"}
    await post(bob, order_id, "buyer", name="Ana Žagar", email="ana@example.com", holders="1", **read)
    answer = await post(ana, order_id, "buyer", name="Ana Kovač", email="a.kovac@example.org", holders="1", **read)
    assert answer.status_code == 409
    assert "The email is “ana@example.com” now." in answer.text
    assert "The name is" not in answer.text
    assert 'value="Ana Žagar"' in answer.text
    assert 'value="a.kovac@example.org"' in answer.text
    decided = dict(HIDDEN.findall(answer.text.partition('id="buyer"')[2].partition("</form>")[0]))
    await post(ana, order_id, "buyer", name="Ana Žagar", email="a.kovac@example.org", holders="1", **decided)
    assert tuple(await db.fetchrow("SELECT buyer_name, buyer_email FROM orders")) == (
        "Ana Žagar",
        "a.kovac@example.org",
    )


async def test_a_mistake_is_said_beside_the_field_and_nothing_typed_is_lost(signed_in, stripe):
    order_id = await two_kinds(stripe)
    desk = await signed_in("manager")
    answer = await post(desk, order_id, "buyer", name="Ana <b>", email="ana@")
    assert answer.status_code == 422
    assert 'value="Ana &lt;b&gt;"' in answer.text
    assert 'value="ana@"' in answer.text
    assert 'id="email-error"' in answer.text
    assert await db.fetchval("SELECT buyer_name FROM orders") == "Ana Kovač"
    empty = await desk.post(f"{address(order_id)}/buyer")
    assert empty.status_code == 422
    assert "Enter a name, as it should appear on the tickets." in empty.text
    assert "Enter the email that the tickets should go to." in empty.text


async def test_somebody_quicker_is_told_of_and_what_was_typed_is_kept(signed_in, stripe):
    order_id = await two_kinds(stripe)
    desk = await signed_in("manager")
    where = f"{address(order_id)}/buyer"
    older = form_in((await desk.get(where)).text, where)
    await post(desk, order_id, "buyer", name="Ana Kovač", email="first@example.org")
    late = await desk.post(where, data={**older, "name": "Ana Kovač", "email": "second@example.org"})
    assert late.status_code == 409
    assert "The email is “first@example.org” now." in late.text
    assert 'value="second@example.org"' in late.text
    again = await desk.post(
        where, data={**form_in(late.text, where), "name": "Ana Kovač", "email": "second@example.org"}
    )
    assert again.status_code == 303
    assert await db.fetchval("SELECT buyer_email FROM orders") == "second@example.org"


async def test_a_holder_is_put_right_ticket_by_ticket(signed_in, stripe):
    order_id = await two_kinds(stripe)
    second = await db.fetchval("SELECT id FROM ticket WHERE position = 2")
    desk = await signed_in("manager")
    answer = await post(desk, order_id, f"tickets/{second}", name="Eva Zupan")
    assert answer.status_code == 303
    page = (await desk.get(address(order_id))).text
    assert page.count("<b>Eva Zupan</b>") == 1
    bad = await post(desk, order_id, f"tickets/{second}", name="")
    assert bad.status_code == 422
    assert "Enter a name" in bad.text


# ---------------------------------------------------------------- sent again


async def test_tickets_are_sent_again_once_per_press_and_once_a_minute(signed_in, stripe):
    order_id = await two_kinds(stripe)
    desk = await signed_in("manager")
    form = form_in((await desk.get(address(order_id))).text, f"{address(order_id)}/mails")
    first = await desk.post(f"{address(order_id)}/mails", data=form)
    second = await desk.post(f"{address(order_id)}/mails", data=form)
    assert first.headers["location"] == second.headers["location"] == f"{address(order_id)}?done=mail"
    assert await db.fetchval("SELECT count(*) FROM mail_request") == 1
    assert "on their way to ana@example.org" in (await desk.get(first.headers["location"])).text
    other = await post(desk, order_id, "mails")
    assert other.status_code == 429
    assert re.search(r"In \d+ seconds? they can be sent once more", other.text)


async def test_what_was_sent_is_said_with_the_address_it_went_to(signed_in, stripe):
    order_id = await two_kinds(stripe)
    await db.execute("UPDATE outbox SET done_at = clock_timestamp() WHERE kind = 'confirmation_mail'")
    desk = await signed_in("manager")
    await post(desk, order_id, "buyer", name="Ana Kovač", email="ana@example.com")
    await post(desk, order_id, "mails")
    await db.execute("UPDATE outbox SET done_at = clock_timestamp() WHERE kind = 'confirmation_again_mail'")
    told = moments((await desk.get(address(order_id))).text)
    assert "Tickets sent to ana@example.org" in told
    assert told[0] == "Tickets sent to ana@example.com"


async def test_a_mail_that_cannot_be_sent_is_no_secret(signed_in, stripe):
    order_id = await two_kinds(stripe)
    await db.execute("UPDATE outbox SET run_at = 'infinity', attempts = 12 WHERE kind = 'confirmation_mail'")
    told = moments((await (await signed_in("manager")).get(address(order_id))).text)
    assert "Tickets not sent Given up after 12 attempts." in told
