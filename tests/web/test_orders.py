"""The confirmation: tickets with codes that a door can check, a receipt, and nobody else's eyes."""

import re

import pytest

from domain.refunds import Everything, Money, RefundReason, RefundStatus, TheseTickets
from models import database as db
from services import audit, checkout, links, refunds, settlement, ticket_codes, tickets
from services.gateway import ProviderRefund
from tests.makers import buy, hold, hold_with_buyer, key, make_event, start_paying, ticket_type
from tests.services.refunding import REFUND_FAILS, fail, intent_of, pay_with, refund_and_run
from web.tickets import qr


def page_of(order_id) -> str:
    return f"/orders/{links.order_token(order_id)}"


@pytest.fixture
async def order_id(database, stripe):
    event = await make_event(
        ticket_type(), ticket_type("Front row", price=3600), title="Winter Light", location="Palm House", city="Graz"
    )
    return await buy(event, stripe, General=2, Front_row=1)


async def test_the_confirmation_has_every_ticket_and_the_receipt(browser, order_id):
    answer = await browser.get(page_of(order_id))
    order = await db.fetchrow("SELECT * FROM orders WHERE id = $1", order_id)
    assert answer.status_code == 200
    assert "You’re going, Ana" in answer.text
    assert order["number"] in answer.text
    for position in (1, 2, 3):
        assert f"{order['number']}-{position}" in answer.text
    assert answer.text.count('<article class="ticket"') == 3
    assert answer.text.count('role="img" aria-label="QR code of ticket') == 3
    assert answer.text.count("Ana Kovač") >= 3, "the holder stands on each"
    assert "€84.00" in answer.text
    assert order["payment_reference"] in answer.text
    assert "Palm House" in answer.text


async def test_the_page_is_personal_and_safe_to_reload(browser, order_id):
    first, second = await browser.get(page_of(order_id)), await browser.get(page_of(order_id))
    assert first.headers["cache-control"] == "no-store"
    assert first.headers["referrer-policy"] == "same-origin"
    assert 'name="robots" content="noindex"' in first.text
    assert first.text == second.text


@pytest.mark.parametrize("token", ["x", "a" * 64, "YWJj"])
async def test_without_the_secret_link_there_is_nothing_to_see(browser, token):
    assert (await browser.get(f"/orders/{token}")).status_code == 404
    assert (await browser.get(f"/orders/{token}/calendar.ics")).status_code == 404


async def test_ids_numbers_and_checkout_links_open_no_order(browser, order_id):
    row = await db.fetchrow("SELECT number, checkout_id FROM orders WHERE id = $1", order_id)
    for guess in (order_id, row["number"], links.checkout_token(order_id), links.checkout_token(row["checkout_id"])):
        assert (await browser.get(f"/orders/{guess}")).status_code == 404


async def test_every_code_on_the_page_is_its_tickets_own(browser, order_id):
    text = (await browser.get(page_of(order_id))).text
    rows = await db.fetch("SELECT id, number FROM ticket WHERE order_id = $1", order_id)
    assert len({ticket_codes.sign(row["id"]) for row in rows}) == 3
    for row in rows:
        assert str(qr(row["id"], row["number"])) in text


async def test_between_payment_and_tickets_the_page_says_so_and_asks_again(browser, stripe, monkeypatch):
    checkout_id = await hold_with_buyer(await make_event())
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)

    async def crash(order_id):
        raise ConnectionError("the process ends here")

    with monkeypatch.context() as broken:
        broken.setattr("services.settlement.tickets.issue", crash)
        with pytest.raises(ConnectionError):
            await settlement.settle(intent.reference)
    order_id = await db.fetchval("SELECT id FROM orders WHERE checkout_id = $1", checkout_id)
    answer = await browser.get(page_of(order_id))
    assert answer.status_code == 200
    assert "We’re making your tickets" in answer.text
    assert "hx-trigger" in answer.text
    assert 'http-equiv="refresh"' in answer.text
    assert "<article" not in answer.text

    await tickets.issue(order_id)
    answer = await browser.get(page_of(order_id))
    assert "We’re making your tickets" not in answer.text
    assert '<article class="ticket"' in answer.text


async def test_the_calendar_entry_leads_back_to_the_tickets(browser, order_id):
    answer = await browser.get(f"{page_of(order_id)}/calendar.ics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/calendar")
    assert answer.headers["cache-control"] == "no-store"
    unfolded = answer.text.replace("\r\n ", "")
    assert "SUMMARY:Winter Light" in unfolded
    assert page_of(order_id) in unfolded


async def test_free_tickets_have_no_payment_to_show(browser, stripe):
    checkout_id = await hold(await make_event(ticket_type(price=0)))
    answer = await browser.post(
        f"/checkouts/{links.checkout_token(checkout_id)}/payment", data={"name": "Ana", "email": "ana@example.org"}
    )
    text = (await browser.get(answer.headers["location"])).text
    assert re.search(r"Order <b[^>]*>FY-[^<]+</b> is complete", text)
    assert "<dt>Payment</dt>" not in text


async def test_a_finished_purchase_forgets_the_own_hold(browser, order_id):
    checkout_id = await db.fetchval("SELECT checkout_id FROM orders WHERE id = $1", order_id)
    browser.cookies.set("hold", links.checkout_token(checkout_id), domain="shop.localhost")
    await browser.get(page_of(order_id))
    assert "hold" not in browser.cookies


async def test_names_are_printed_never_run(browser, stripe):
    checkout_id = await hold(await make_event(title="<i>Winter</i> Light"))
    await checkout.remember_buyer(checkout_id, name="<b>Ana</b> <script>", email="ana@example.org")
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await settlement.settle(intent.reference)
    order_id = await db.fetchval("SELECT id FROM orders WHERE checkout_id = $1", checkout_id)
    text = (await browser.get(page_of(order_id))).text
    assert "<script>" not in text
    assert "<i>Winter" not in text


async def give_back(order_id, wish):
    """An admin decides it; Stripe has not been told yet."""
    return await refunds.request(
        order_id,
        wish,
        reason=RefundReason.REQUESTED,
        note="",
        seats_return=False,
        request_key=key(),
        actor=audit.SYSTEM,
    )


async def first_tickets(order_id, count) -> frozenset:
    rows = await db.fetch("SELECT id FROM ticket WHERE order_id = $1 ORDER BY position LIMIT $2", order_id, count)
    return frozenset(row["id"] for row in rows)


def code_in(text, ticket) -> bool:
    return str(qr(ticket["id"], ticket["number"])) in text


async def test_a_refunded_ticket_shows_no_code_and_says_why(browser, order_id):
    await give_back(order_id, TheseTickets(await first_tickets(order_id, 1)))
    text = (await browser.get(page_of(order_id))).text
    gone, *good = await db.fetch("SELECT * FROM ticket WHERE order_id = $1 ORDER BY position", order_id)
    assert not code_in(text, gone), "from the moment it was decided, before any money has moved"
    assert all(code_in(text, ticket) for ticket in good)
    assert text.count("No longer valid") == 1
    assert "refunded" in text
    assert f"<s>{gone['number']}</s>" in text
    assert "You’re going, Ana" in text
    assert "1 ticket is no longer valid" in text
    assert "The other 2 are as good as before" in text
    assert "Your 2 tickets are here" in text


async def test_a_refund_is_told_by_amount_date_and_state(browser, order_id):
    refund_id = await give_back(order_id, Money(1000))
    asked = (await browser.get(page_of(order_id))).text
    assert "€10.00" in asked
    assert "We’re sending it to your card." in asked
    assert "<dt>Left</dt><dd>€74.00</dd>" in asked
    assert "No longer valid" not in asked, "money alone makes no ticket invalid"
    await refunds.run(refund_id)
    assert "Sent to your card." in (await browser.get(page_of(order_id))).text


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (RefundStatus.PENDING, "On its way to your card."),
        (RefundStatus.SUCCEEDED, "Sent to your card."),
        (RefundStatus.FAILED, "It did not reach your card. The money is still with the organiser"),
    ],
)
async def test_what_the_bank_says_of_a_refund_stands_on_the_order(browser, order_id, status, words):
    refund_id = await give_back(order_id, TheseTickets(await first_tickets(order_id, 2)))
    intent = await db.fetchval("SELECT reference FROM payment")
    theirs = ProviderRefund("re_test", intent, RefundStatus.PENDING, 4800, "EUR", refund_id)
    await refunds._record(refund_id, theirs)
    if status != RefundStatus.PENDING:
        await refunds._record(refund_id, ProviderRefund("re_test", intent, status, 4800, "EUR", refund_id))
    text = (await browser.get(page_of(order_id))).text
    assert words in text
    failed = status == RefundStatus.FAILED
    assert ("<dt>Left</dt>" in text) != failed
    assert text.count("No longer valid") == (0 if failed else 2), "the money stayed with us: they are good again"


async def test_an_order_that_was_refunded_says_so_first(browser, order_id):
    await give_back(order_id, Everything())
    text = (await browser.get(page_of(order_id))).text
    assert re.search(r"<h1[^>]*>Your order was refunded</h1>", text)
    assert "<title>Refunded: Winter Light" in text
    assert "all of the €84.00 that you paid goes back to your card" in text
    assert "You’re going" not in text
    assert text.count("No longer valid") == 3
    assert "QR code" not in text
    assert "data-print" not in text
    assert "Show the code" not in text


async def test_refunded_tickets_are_not_printed(browser, order_id):
    await give_back(order_id, TheseTickets(await first_tickets(order_id, 1)))
    text = (await browser.get(page_of(order_id))).text
    assert text.count('<article class="ticket is-gone no-print"') == 1
    assert text.count('<article class="ticket"') == 2


async def test_tickets_that_cost_nothing_are_cancelled_not_refunded(browser, stripe):
    event = await make_event(ticket_type("Guest", price=0))
    checkout_id = await hold_with_buyer(event, Guest=2)
    await checkout.start_payment(checkout_id)
    order_id = await db.fetchval("SELECT id FROM orders WHERE checkout_id = $1", checkout_id)
    await give_back(order_id, Everything())
    text = (await browser.get(page_of(order_id))).text
    assert re.search(r"<h1[^>]*>Your tickets were cancelled</h1>", text)
    assert "<title>Cancelled: Winter Light" in text
    assert "refund" not in text.lower()


async def test_the_calendar_does_not_promise_tickets_that_are_no_longer_valid(browser, order_id):
    await give_back(order_id, Everything())
    unfolded = (await browser.get(f"{page_of(order_id)}/calendar.ics")).text.replace("\r\n ", "")
    assert "no longer valid" in unfolded


async def test_money_that_came_twice_is_shown_going_back_while_the_order_keeps_its_own(browser, stripe):
    event = await make_event(capacity=1)
    checkout_id = await hold_with_buyer(event)
    first = await start_paying(checkout_id)
    await stripe.change_amount(first.reference, 1000)
    await stripe.pay(first.client_secret)
    await stripe.dashboard(first.reference, "capture")
    await settlement.settle(first.reference)
    second = await start_paying(checkout_id)
    await stripe.pay(second.client_secret)
    await settlement.settle(second.reference)
    order_id = await db.fetchval("SELECT id FROM orders")
    text = (await browser.get(page_of(order_id))).text
    assert "You’re going" in text
    assert "a second payment" in text
    assert "€10.00" in text
    assert "<dt>Left</dt>" not in text
    assert "No longer valid" not in text


async def test_an_open_page_asks_whether_it_still_says_what_is_true(browser, order_id):
    page = (await browser.get(page_of(order_id))).text
    standing = re.search(r'id="standing" name="standing" value="(\w+)"', page)[1]
    assert f'hx-get="{page_of(order_id)}/now"' in page
    quiet = await browser.get(f"{page_of(order_id)}/now", params={"standing": standing})
    assert (quiet.status_code, quiet.text) == (204, "")
    await give_back(order_id, TheseTickets(await first_tickets(order_id, 1)))
    told = await browser.get(f"{page_of(order_id)}/now", params={"standing": standing})
    assert told.status_code == 200
    assert "1 ticket is no longer valid" in told.text
    assert 'hx-target="#order"' in told.text
    assert told.headers["cache-control"] == "no-store"
    assert (await browser.get("/orders/x/now")).status_code == 404


async def failed_refund(stripe, *, sold_on, **quantities):
    """Returns the order, whose refund the bank has sent back."""
    event = await make_event(capacity=sum(quantities.values()))
    order_id = await pay_with(stripe, REFUND_FAILS, event, **quantities)
    refund_id = await refund_and_run(order_id, seats_return=True)
    if sold_on:
        await hold(event)
    await fail(stripe, refund_id)
    await refunds.sync(await intent_of(order_id))
    return order_id


async def test_a_refund_that_failed_is_told_with_where_the_money_is_and_that_the_ticket_is_valid(
    browser, database, stripe
):
    text = (await browser.get(page_of(await failed_refund(stripe, sold_on=False, General=1)))).text
    assert "You’re going" in text
    assert "A refund did not reach your card" in text
    assert "€24.00 is still with the organiser, who has been told. Your ticket is valid." in text
    assert "No longer valid" not in text


async def test_a_ticket_whose_seat_was_sold_on_says_so_and_what_happens(browser, database, stripe):
    text = (await browser.get(page_of(await failed_refund(stripe, sold_on=True, General=1)))).text
    assert "<title>No seat: Winter Light" in text
    assert "Your ticket has no seat at the moment" in text
    assert "€24.00 is still with the organiser, who has been told: you get a seat, or your money" in text
    assert "refunded" not in text
    assert "QR code" not in text


async def test_one_of_two_tickets_whose_seat_was_sold_on_is_told_apart(browser, database, stripe):
    text = (await browser.get(page_of(await failed_refund(stripe, sold_on=True, General=2)))).text
    assert "You’re going" in text
    assert "1 ticket has no seat at the moment" in text
    assert text.count("QR code of ticket") == 1
    assert "No longer valid" not in text


async def test_a_refund_that_another_made_needless_is_not_called_failed(browser, order_id, stripe):
    await give_back(order_id, Everything())
    await stripe.dashboard(await intent_of(order_id), "refund")
    for refund in await db.fetch("SELECT id FROM refund"):
        await refunds.run(refund["id"])
    text = (await browser.get(page_of(order_id))).text
    assert "Your order was refunded" in text
    assert "did not reach your card" not in text
