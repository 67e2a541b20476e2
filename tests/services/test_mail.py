"""Mails to buyers: the tickets, a payment that came to nothing, money on its way back. Each once, and each true."""

import asyncio

import httpx
import pytest

from domain.desk_sales import DeskSale, Method
from domain.refunds import Everything, Money, RefundReason, TheseTickets
from models import database as db
from services import audit, checkout, desk_sales, disputes, links, mail, orders, refunds, seats, settlement, tickets
from services.gateway import OutcomeUnknown
from tasks import jobs
from tests.conftest import run_stripe_sandbox
from tests.makers import (
    buy,
    hold,
    hold_with_buyer,
    key,
    let_time_pass,
    let_time_run_out,
    make_event,
    start_paying,
    ticket_type,
)
from tests.services import bank
from tests.services.refunding import REFUND_FAILS, fail, intent_of, pay_with, refund_and_run, tickets_of

BASE_URL = "https://tickets.example.org"


@pytest.fixture(scope="module")
def post_office(scratch):
    sandbox = run_stripe_sandbox(scratch / "post-office", webhook_url="")
    with sandbox as url:
        yield url, f"smtp://127.0.0.1:{sandbox.smtp_port}"


@pytest.fixture
async def letters(post_office, database, stripe):
    """Ask for the mails that were caught, newest first."""
    url, smtp = post_office
    before = mail._post
    mail.set_up(smtp_url=smtp, sender="Foyer <tickets@example.org>", base_url=BASE_URL)
    async with httpx.AsyncClient(base_url=url) as client:
        await client.post("/_sandbox/reset")

        async def read():
            return (await client.get("/mail.json")).json()

        yield read
    mail._post = before


async def test_2_1_a_buyer_receives_a_confirmation_with_the_link_to_the_tickets(letters, stripe):
    event = await make_event(ticket_type("Early Bird", price=1850), ticket_type(), title="Kino Šiška: Café Noir")
    order_id = await buy(event, stripe, Early_Bird=2, General=1)
    assert await letters() == [], "not before the work of the outbox"
    await jobs.drain_outbox({})
    (letter,) = await letters()
    order = await db.fetchrow("SELECT number FROM orders WHERE id = $1", order_id)
    link = f"{BASE_URL}/orders/{links.order_token(order_id)}"
    assert letter["to"] == ["ana@example.org"]
    assert letter["from"] == "Foyer <tickets@example.org>"
    assert "Kino Šiška: Café Noir" in letter["subject"]
    for part in (letter["text"], letter["html"]):
        assert order["number"] in part
        assert link in part
        assert "61.00" in part


async def test_case_36_the_mail_goes_out_exactly_once_whoever_drains(letters, stripe):
    await buy(await make_event(), stripe)
    await asyncio.gather(*(jobs.drain_outbox({}) for _ in range(4)))
    await let_time_pass(minutes=5)
    await jobs.drain_outbox({})
    assert len(await letters()) == 1


async def test_case_36_settling_again_sends_nothing_again(letters, stripe):
    order_id = await buy(await make_event(), stripe)
    await jobs.drain_outbox({})
    await settlement.settle(await db.fetchval("SELECT reference FROM payment"))
    await tickets.issue(order_id)
    await jobs.drain_outbox({})
    assert len(await letters()) == 1


async def test_a_mail_server_that_is_away_costs_nothing_but_time(letters, stripe):
    await buy(await make_event(), stripe)
    there = mail._post
    mail.set_up(smtp_url="smtp://127.0.0.1:1", sender="x@example.org", base_url=BASE_URL)
    await jobs.drain_outbox({})
    assert await letters() == []
    mail._post = there
    await let_time_pass(seconds=3)
    await jobs.drain_outbox({})
    assert len(await letters()) == 1


async def test_no_line_can_be_added_to_the_head_of_a_mail(letters, stripe):
    await buy(await make_event(title="Winter\r\nBcc: eve@example.org"), stripe)
    await jobs.drain_outbox({})
    (letter,) = await letters()
    assert letter["to"] == ["ana@example.org"]


async def test_an_address_with_letters_of_its_own_language_gets_its_mail(letters, stripe):
    await buy_as(stripe, name="Žiga", email="žiga@šiška.example")
    await jobs.drain_outbox({})
    (letter,) = await letters()
    assert letter["to"] in (["žiga@šiška.example"], ["žiga@xn--ika-b4aa.example"])


async def test_what_a_buyer_calls_themselves_is_shown_as_text(letters, stripe):
    await buy_as(stripe, name="<script>alert(1)</script>", email="ana@example.org", title="<b>Winter</b>")
    await jobs.drain_outbox({})
    (letter,) = await letters()
    assert "<script>" not in letter["html"]
    assert "<b>Winter" not in letter["html"]


async def buy_as(stripe, *, name, email, **event):
    checkout_id = await hold(await make_event(**event))
    await checkout.remember_buyer(checkout_id, name=name, email=email)
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await settlement.settle(intent.reference)


async def one_letter(letters):
    """What a person reads, the same in both parts: blanks and line ends are not."""
    await jobs.drain_outbox({})
    (letter,) = await letters()
    return letter["subject"], *(" ".join(letter[part].split()) for part in ("text", "html"))


async def test_money_that_came_too_late_is_not_charged_and_that_is_written(letters, stripe):
    event = await make_event(capacity=1, title="Winter Light")
    checkout_id = await hold_with_buyer(event)
    intent = await start_paying(checkout_id)
    await let_time_run_out(checkout_id)
    await hold(event)
    await stripe.pay(intent.client_secret)
    await settlement.settle(intent.reference)
    subject, *parts = await one_letter(letters)
    assert subject == "You were not charged: Winter Light"
    for part in parts:
        assert "€24.00" in part
        assert "when your hold was over" in part
        assert "If your bank shows money as reserved" in part
        assert f"{BASE_URL}/events/{event.slug}" in part


async def test_another_amount_than_ours_is_not_called_late(letters, stripe):
    checkout_id = await hold_with_buyer(await make_event())
    intent = await start_paying(checkout_id)
    await stripe.change_amount(intent.reference, 100)
    await stripe.pay(intent.client_secret)
    await settlement.settle(intent.reference)
    _, *parts = await one_letter(letters)
    for part in parts:
        assert "was not the €24.00 that your tickets" in part
        assert "hold was over" not in part


async def test_an_authorisation_that_died_is_written_once_the_hold_is_over(letters, stripe):
    checkout_id = await hold_with_buyer(await make_event())
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await stripe.fault(op="payment_intents.capture", mode="drop_before", times=2)
    with pytest.raises(OutcomeUnknown):
        await settlement.settle(intent.reference)
    await stripe.dashboard(intent.reference, "expire_authorisation")
    await settlement.settle(intent.reference)
    await jobs.drain_outbox({})
    assert await letters() == [], "until then the same hold can still be paid for"
    await let_time_pass(minutes=16)
    _, *parts = await one_letter(letters)
    for part in parts:
        assert "took its word back before any money was taken" in part


async def refund(order_id, wish):
    await refunds.request(
        order_id,
        wish,
        reason=RefundReason.REQUESTED,
        note="",
        seats_return=False,
        request_key=key(),
        actor=audit.SYSTEM,
    )


async def after_the_confirmation(letters, stripe, order_id, wish):
    """The mail about a refund alone."""
    await jobs.drain_outbox({})
    before = len(await letters())
    await refund(order_id, wish)
    await jobs.drain_outbox({})
    await jobs.drain_outbox({})
    letter, *older = await letters()
    assert len(older) == before
    return letter["subject"], *(" ".join(letter[part].split()) for part in ("text", "html"))


async def test_a_refund_is_written_with_its_amount_and_the_tickets_it_makes_invalid(letters, stripe):
    order_id = await buy(await make_event(title="Winter Light"), stripe, General=2)
    first, second = await db.fetch("SELECT id, number FROM ticket ORDER BY position")
    subject, *parts = await after_the_confirmation(letters, stripe, order_id, TheseTickets(frozenset({first["id"]})))
    assert subject == "Your refund: Winter Light"
    for part in parts:
        assert "€24.00" in part
        assert "on its way back" in part
        assert first["number"] in part
        assert second["number"] not in part
        assert f"{BASE_URL}/orders/{links.order_token(order_id)}" in part


async def test_money_alone_leaves_the_tickets_as_they_were(letters, stripe):
    order_id = await buy(await make_event(), stripe)
    _, *parts = await after_the_confirmation(letters, stripe, order_id, Money(500))
    for part in parts:
        assert "€5.00" in part
        assert "Your tickets are as good as before" in part
        assert "No longer valid" not in part


async def test_free_tickets_are_cancelled_without_a_word_about_money(letters, stripe):
    checkout_id = await hold_with_buyer(await make_event(ticket_type("Guest", price=0), title="Winter Light"), Guest=1)
    await checkout.start_payment(checkout_id)
    order_id = await db.fetchval("SELECT id FROM orders")
    subject, *parts = await after_the_confirmation(letters, stripe, order_id, Everything())
    assert subject == "Cancelled: Winter Light"
    for part in parts:
        assert "were cancelled. Nothing is paid back." in part
        assert "€" not in part


async def test_money_that_became_no_order_is_written_to_go_back(letters, stripe):
    event = await make_event(capacity=1)
    checkout_id = await hold_with_buyer(event)
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await let_time_run_out(checkout_id)
    await hold(event)
    await stripe.dashboard(intent.reference, "capture")
    await settlement.settle(intent.reference)
    await jobs.drain_outbox({})
    subject, *parts = await one_letter(letters)
    assert subject == "Your refund: Winter Light"
    for part in parts:
        assert "€24.00" in part
        assert "on its way back to the card" in part
        assert "not charged" not in part
        assert "/orders/" not in part, "there is none"


async def after_a_refund_that_fails(letters, stripe, *, sold_on, **quantities):
    """Everything that is written once the bank has sent a refund back. Returns event, order, refund and the mails."""
    event = await make_event(title="Winter Light", capacity=sum(quantities.values()))
    order_id = await pay_with(stripe, REFUND_FAILS, event, **quantities)
    refund_id = await refund_and_run(order_id, seats_return=True)
    await jobs.drain_outbox({})
    before = len(await letters())
    if sold_on:
        await hold(event)
    await fail(stripe, refund_id)
    for _ in range(3):
        await refunds.sync(await intent_of(order_id))
        await jobs.drain_outbox({})
    new = (await letters())[: -before or None]
    return event, order_id, refund_id, [(m["subject"], " ".join(m["text"].split()), m["html"]) for m in new]


async def test_who_was_told_of_a_refund_is_told_once_that_it_did_not_arrive(letters, stripe):
    _, order_id, _, written = await after_a_refund_that_fails(letters, stripe, sold_on=False, General=1)
    ((subject, *parts),) = written
    number = await db.fetchval("SELECT number FROM ticket")
    assert subject == "Your refund did not arrive: Winter Light"
    for part in parts:
        assert "€24.00 could not be sent back to you" in part
        assert "still with the organiser, who has been told" in " ".join(part.split())
        assert "Valid, as before" in part
        assert number in part
        assert "Not valid" not in part
        assert f"{BASE_URL}/orders/{links.order_token(order_id)}" in part


async def test_whose_seat_was_sold_on_is_told_that_the_ticket_is_not_valid_and_then_that_it_is(letters, stripe):
    event, _, refund_id, written = await after_a_refund_that_fails(letters, stripe, sold_on=True, General=1)
    ((_, *parts),) = written
    number = await db.fetchval("SELECT number FROM ticket")
    for part in parts:
        assert "Not valid" in part
        assert number in part
        assert "had gone to somebody else by then" in " ".join(part.split())
        assert "Valid, as before" not in part
    await db.execute("UPDATE event SET total_capacity = 2 WHERE id = $1", event.id)
    await seats.take_back(refund_id, actor=audit.SYSTEM)
    await jobs.drain_outbox({})
    letter = (await letters())[0]
    assert letter["subject"] == "Your ticket is valid again: Winter Light"
    assert number in letter["text"]
    assert "Still not valid" not in letter["text"]


async def test_a_refund_that_never_left_says_nothing_by_mail(letters, stripe):
    """Nobody had been told that it comes: Stripe refused it at once."""
    order_id = await buy(await make_event(), stripe)
    await stripe.dashboard(await intent_of(order_id), "dispute")
    await jobs.drain_outbox({})
    before = len(await letters())
    await refund(order_id, Everything())
    await jobs.drain_outbox({})
    assert await db.fetchval("SELECT status FROM refund") == "FAILED"
    await jobs.drain_outbox({})
    assert len(await letters()) == before


async def test_tickets_of_a_lost_dispute_are_written_about_and_so_is_their_coming_back(letters, stripe):
    order_id = await buy(await make_event(title="Winter Light"), stripe)
    await jobs.drain_outbox({})
    dispute = await stripe.dashboard(await intent_of(order_id), "dispute")
    await bank.decide(stripe, dispute["id"], "lose")
    await disputes.sync(await intent_of(order_id))
    ids = frozenset(await tickets_of(order_id, valid=True))
    refund_id = await disputes.make_tickets_invalid(dispute["id"], ids, actor=audit.SYSTEM)
    await jobs.drain_outbox({})
    first = (await letters())[0]
    assert "bank has given you the money" in " ".join(first["text"].split())
    assert "No longer valid" in first["text"]
    assert "Nothing is paid back" not in first["text"]
    await refunds.call_off(refund_id, problem="dispute_won")
    await jobs.drain_outbox({})
    second = (await letters())[0]
    assert second["subject"] == "Your tickets: Winter Light"
    assert "your order stands" in " ".join(second["text"].split())
    assert "Valid, as before" in second["text"]
    assert "€" not in second["text"]


async def test_tickets_that_admit_nobody_are_not_sent_again_as_if_they_did(letters, stripe):
    order_id = await buy(await make_event(), stripe, General=2)
    first = await db.fetchval("SELECT id FROM ticket WHERE position = 1")
    await refund_and_run(order_id, TheseTickets(frozenset({first})))
    await jobs.drain_outbox({})
    await orders.send_again(order_id, request_key=key(), actor=audit.SYSTEM)
    await jobs.drain_outbox({})
    again = (await letters())[0]
    number = await db.fetchval("SELECT number FROM orders")
    for part in ("text", "html"):
        said = again[part].replace("</li>", "\n").splitlines()
        assert [line.endswith("refunded, admits nobody") for line in said if f"{number}-" in line] == [True, False]


async def test_of_tickets_that_were_all_refunded_meanwhile_nobody_is_told_that_they_are_going(letters, stripe):
    order_id = await buy(await make_event(), stripe)
    await jobs.drain_outbox({})
    await orders.send_again(order_id, request_key=key(), actor=audit.SYSTEM)
    await refund_and_run(order_id)
    await jobs.drain_outbox({})
    caught = await letters()
    assert caught[0]["subject"].startswith("Your refund")
    assert sum("you're going" in letter["text"] for letter in caught) == 1, "the first of all"


async def test_tickets_sent_again_are_another_mail_to_the_address_as_it_is_now(letters, stripe):
    order_id = await buy(await make_event(), stripe)
    await jobs.drain_outbox({})
    mira = audit.Actor(order_id, "Mira Novak")
    await orders.send_again(order_id, request_key=key(), actor=mira)
    fields = {"buyer_email": ("ana@example.org", "ana@example.com")}
    await orders.correct_buyer(order_id, fields, holders_too=False, actor=mira)
    await jobs.drain_outbox({})
    again, first = await letters()
    assert (again["to"], first["to"]) == (["ana@example.com"], ["ana@example.org"])
    assert again["subject"] == first["subject"]
    for part in ("text", "html"):
        assert f"{BASE_URL}/orders/{links.order_token(order_id)}" in again[part]


@pytest.mark.parametrize(
    ("method", "words"), [(Method.CASH, "paid in cash"), (None, "with the organiser’s compliments")]
)
async def test_an_order_from_the_desk_says_how_it_was_paid(letters, database, method, words):
    event = await make_event()
    sale = DeskSale(event.wish(General=1), buyer_name="Ana", buyer_email="ana@example.org", method=method)
    await desk_sales.sell(event.id, sale, request_key=key(), actor=audit.Actor(event.id, "Mira"))
    _, *parts = await one_letter(letters)
    for part in parts:
        assert words in part.lower()


async def test_money_given_back_by_hand_is_not_said_to_go_to_a_card(letters, stripe):
    event = await make_event()
    sale = DeskSale(event.wish(General=1), buyer_name="Ana", buyer_email="ana@example.org", method=Method.CASH)
    order_id = await desk_sales.sell(event.id, sale, request_key=key(), actor=audit.Actor(event.id, "Mira"))
    await jobs.drain_outbox({})
    await refund(order_id, Everything())
    await jobs.drain_outbox({})
    letter, _ = await letters()
    for part in (letter["text"], letter["html"]):
        assert "€24.00" in part
        assert "the organiser gives it back to you" in " ".join(part.split())
    assert "card" not in letter["text"]
