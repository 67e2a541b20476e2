"""The confirmation mail: to its buyer, once, with the link to the tickets."""

import asyncio

import httpx
import pytest

from models import database as db
from services import checkout, links, mail, settlement, tickets
from tasks import jobs
from tests.conftest import run_stripe_sandbox
from tests.makers import buy, hold, let_time_pass, make_event, start_paying, ticket_type

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
