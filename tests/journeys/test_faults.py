"""Something dies while people pay, and their pages tell the truth and recover by themselves.

Every journey ends with the books: an order for each payment that was taken, nothing taken without an order, and no
promise of models/invariants.py broken.
"""

import re
import signal

import pytest
from playwright.async_api import Locator, Page, Route, expect

from models import database, invariants
from services import pace, reconciliation
from tests.conftest import StripeSandbox, until
from tests.journeys.conftest import Shop
from tests.journeys.steps import (
    DECLINED_CARD,
    GOOD_CARD,
    card_fields,
    choose,
    enter_card,
    go_to_card,
    hold,
    pay,
    say_who,
    see_tickets,
)
from tests.makers import Made, left, let_time_run_out, make_event

# What the browser's console says of a server that is not there.
NO_SERVER = ("net::ERR_", "status of 5")

OUR_PAYMENTS = """
    SELECT p.id::text FROM payment AS p JOIN checkout AS c ON c.id = p.checkout_id WHERE c.event_id = $1
"""


class Books:
    """`await books.agree(event, orders=1)`: what was taken at Stripe is what was sold here."""

    def __init__(self, provider: StripeSandbox) -> None:
        self._provider = provider

    async def intents(self, event: Made) -> list[dict]:
        ours = {row["id"] for row in await database.fetch(OUR_PAYMENTS, event.id)}
        there = (await self._provider.state())["intents"]
        return [intent for intent in there if intent["metadata"].get("payment_id") in ours]

    async def agree(self, event: Made, *, orders: int) -> None:
        sold = await database.fetch("SELECT * FROM orders WHERE event_id = $1", event.id)
        intents = await self.intents(event)
        taken = {intent["id"]: intent["amount_received"] for intent in intents if intent["status"] == "succeeded"}
        assert {order["payment_reference"]: order["total_amount"] for order in sold} == taken
        assert [order["status"] for order in sold] == ["COMPLETED"] * orders
        assert all(intent["status"] != "requires_capture" for intent in intents), "nobody's money is set aside"
        assert await invariants.broken() == {}


@pytest.fixture
async def books(provider: StripeSandbox) -> Books:
    return Books(provider)


async def arrive(page: Page, event: Made, **quantities: int) -> None:
    """At the checkout, with tickets held. Whether the event's page is live is another story."""
    await page.goto(f"/events/{event.slug}")
    await choose(page, event, **(quantities or {"General": 1}))
    await hold(page)


async def ready_to_pay(
    page: Page, event: Made, *, email: str = "ana@example.org", number: str = GOOD_CARD, **quantities: int
) -> None:
    """All that is left to do is to press Pay."""
    await arrive(page, event, **quantities)
    await say_who(page, email=email)
    await go_to_card(page)
    await enter_card(page, number)


def notice(page: Page, words: str) -> Locator:
    return page.locator("#payment-notice").filter(has_text=words)


async def test_redis_dies_while_a_buyer_pays(visitor, fragile_redis, books, mailbox):
    event = await make_event()
    page = await visitor()
    await ready_to_pay(page, event, email="redis@example.org", General=2)
    await fragile_redis.kill()
    try:
        await pay(page)
        await see_tickets(page, 2)
        assert await mailbox("redis@example.org") == [], "the worker cannot be there"
    finally:
        fragile_redis.bring_back()
    await until(lambda: mailbox("redis@example.org"), patience=20)
    await books.agree(event, orders=1)


async def test_tickets_can_be_held_and_paid_with_redis_away(visitor, fragile_redis, books):
    event = await make_event(capacity=3)
    page = await visitor()
    await fragile_redis.kill()
    try:
        await ready_to_pay(page, event)
        await pay(page)
        await see_tickets(page, 1)
    finally:
        fragile_redis.bring_back()
    await books.agree(event, orders=1)


async def test_the_worker_dies_while_a_buyer_pays(visitor, shop, books, mailbox):
    event = await make_event()
    page = await visitor()
    await ready_to_pay(page, event, email="worker@example.org")
    shop.signal("tasks.worker", signal.SIGSTOP)
    try:
        await pay(page)
        await see_tickets(page, 1)
        assert await mailbox("worker@example.org") == [], "nobody is there to send it"
    finally:
        shop.signal("tasks.worker", signal.SIGKILL)
    await until(lambda: mailbox("worker@example.org"), patience=20)
    assert len(await mailbox("worker@example.org")) == 1
    await books.agree(event, orders=1)


async def test_stripe_is_down_when_a_hold_ends(visitor, provider, books):
    event = await make_event(capacity=2)
    visitor.expect(*NO_SERVER)
    page = await visitor()
    await ready_to_pay(page, event, General=2)
    checkout_id = await database.fetchval("SELECT id FROM checkout WHERE event_id = $1", event.id)
    await let_time_run_out(checkout_id, seconds_ago=-4)
    await page.reload()
    await expect(card_fields(page).get_by_label("Card number")).to_be_visible()
    await provider.fault(op="*", mode="down", by="server")
    await expect(page.get_by_role("heading", name="One moment")).to_be_visible()
    await expect(page.get_by_text("Your hold ended at")).to_be_visible()
    await expect(page.get_by_text("charged")).to_have_count(0)  # as long as nobody knows

    async def are_free() -> bool:
        return await left(event) == 2

    await until(are_free)

    await provider.fault(op="*", mode="none")
    await expect(page.get_by_role("heading", name="Your hold has ended")).to_be_visible()
    await expect(page.get_by_text("You have not been charged")).to_be_visible()
    await database.execute("UPDATE payment SET next_check_at = now() WHERE checkout_id = $1", checkout_id)
    await reconciliation.reconcile()
    assert [intent["status"] for intent in await books.intents(event)] == ["canceled"]
    await books.agree(event, orders=0)


@pytest.mark.parametrize(
    ("op", "mode", "words"),
    [
        ("payment_intents.retrieve", "down", "We’re asking whether your payment went through"),
        ("payment_intents.retrieve", "503", "We’re asking whether your payment went through"),
        ("payment_intents.capture", "down", "Your bank has agreed"),
        ("payment_intents.capture", "503", "Your bank has agreed"),
    ],
)
async def test_stripe_goes_down_in_the_middle_of_paying(visitor, provider, books, op, mode, words):
    event = await make_event()
    visitor.expect(*NO_SERVER)
    page = await visitor()
    await ready_to_pay(page, event, General=2)
    await provider.fault(op=op, mode=mode, times=None, by="server")
    await pay(page)
    await expect(notice(page, words)).to_be_visible()
    await expect(page.locator("[data-pay-button]")).to_have_attribute("aria-busy", "true")
    await expect(page.get_by_label("Full name")).to_have_value("Ana Kovač")
    await provider.fault(op="*", mode="none")
    await see_tickets(page, 2)
    await books.agree(event, orders=1)


async def test_the_taking_of_the_money_hangs_and_is_not_done_twice(visitor, provider, books):
    event = await make_event()
    page = await visitor()
    await ready_to_pay(page, event)
    await provider.fault(op="payment_intents.capture", mode="hang", seconds=2, by="server")
    await pay(page)
    await see_tickets(page, 1)
    await books.agree(event, orders=1)


async def test_a_page_reloaded_while_stripe_is_down_goes_on_by_itself(visitor, provider, books):
    event = await make_event()
    page = await visitor()
    await ready_to_pay(page, event)
    await provider.fault(op="payment_intents.capture", mode="down", by="server")
    await pay(page)
    await expect(notice(page, "Your bank has agreed")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", name="Your bank has agreed")).to_be_visible()
    await provider.fault(op="*", mode="none")
    await see_tickets(page, 1)
    await books.agree(event, orders=1)


async def test_stripe_is_down_before_there_is_a_card_field(visitor, provider, books):
    event = await make_event()
    visitor.expect(*NO_SERVER)
    page = await visitor()
    await arrive(page, event)
    await provider.fault(op="*", mode="down", by="server")
    await say_who(page)
    await page.get_by_label("Email").blur()
    await expect(notice(page, "We can’t reach the payment service right now")).to_be_visible()
    await provider.fault(op="*", mode="none")
    await expect(card_fields(page).get_by_label("Card number")).to_be_visible()
    await expect(notice(page, "We can’t reach")).to_have_count(0)
    await expect(page.get_by_label("Full name")).to_have_value("Ana Kovač")
    await enter_card(page)
    await pay(page)
    await see_tickets(page, 1)
    await books.agree(event, orders=1)


async def test_an_authorisation_that_dies_is_paid_anew_on_the_same_page(visitor, provider, books):
    event = await make_event()
    page = await visitor()
    await ready_to_pay(page, event)
    await provider.fault(op="payment_intents.capture", mode="down", by="server")
    await pay(page)
    await expect(notice(page, "Your bank has agreed")).to_be_visible()
    (intent,) = await books.intents(event)
    await provider.dashboard(intent["id"], "expire_authorisation")
    await expect(notice(page, "The payment came to nothing")).to_be_visible()
    await expect(notice(page, "You have not been charged")).to_be_visible()
    await provider.fault(op="*", mode="none")
    await enter_card(page)
    await pay(page)
    await see_tickets(page, 1)
    await books.agree(event, orders=1)


async def test_a_decline_in_one_tab_and_a_success_in_the_other_end_at_the_same_tickets(visitor, books):
    event = await make_event()
    one = await visitor()
    await ready_to_pay(one, event, number=DECLINED_CARD)
    other = await one.context.new_page()
    await other.goto(one.url)
    await expect(card_fields(other).get_by_label("Card number")).to_be_visible()
    await pay(one)
    await expect(notice(one, "The payment didn’t go through")).to_be_visible()
    await enter_card(other)
    await pay(other)
    await see_tickets(other, 1)
    await see_tickets(one, 1)
    assert len(await books.intents(event)) == 1
    await books.agree(event, orders=1)


async def test_two_devices_pay_at_once_and_one_charge_gives_both_the_tickets(visitor, books):
    event = await make_event()
    laptop, phone = await visitor(), await visitor(phone=True)
    await ready_to_pay(laptop, event, General=2)
    await phone.goto(laptop.url)
    await expect(card_fields(phone).get_by_label("Card number")).to_be_visible()
    await enter_card(phone)
    await pay(laptop)
    await pay(phone)
    await see_tickets(laptop, 2)
    await see_tickets(phone, 2)
    assert len(await books.intents(event)) == 1
    await books.agree(event, orders=1)


async def kill_the_web(page: Page, shop: Shop, provider: StripeSandbox) -> None:
    """The keeper holds on to the address, where questions would only wait: the page is shown a refused one, too."""

    async def refuse(route: Route) -> None:
        await route.abort("connectionrefused")

    await page.route("**/status*", refuse)
    async with page.expect_event("requestfailed"):
        shop.signal("uvicorn", signal.SIGKILL)
    await page.unroute("**/status*", refuse)
    await provider.fault(op="*", mode="none")


async def test_the_web_servers_die_while_a_buyer_pays(visitor, shop, provider, books):
    event = await make_event()
    visitor.expect(*NO_SERVER)
    page = await visitor()
    await ready_to_pay(page, event)
    await provider.fault(op="payment_intents.retrieve", mode="down", by="server")
    await pay(page)
    await expect(notice(page, "We’re asking whether your payment went through")).to_be_visible()
    await kill_the_web(page, shop, provider)
    await see_tickets(page, 1, patience=30_000)  # they have to be started again first
    await books.agree(event, orders=1)


async def test_the_web_servers_die_under_a_page_that_waits(visitor, shop, provider, books):
    event = await make_event()
    visitor.expect(*NO_SERVER, "htmx:error")
    page = await visitor()
    await ready_to_pay(page, event)
    await provider.fault(op="payment_intents.capture", mode="down", by="server")
    await pay(page)
    await expect(notice(page, "Your bank has agreed")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", name="Your bank has agreed")).to_be_visible()
    await kill_the_web(page, shop, provider)
    await see_tickets(page, 1, patience=30_000)  # they have to be started again first
    await books.agree(event, orders=1)


@pytest.fixture
async def crowd(shop):
    """`await crowd(30)`: so many others want to start paying just now, at the shop's own rate."""
    before = pace._per_second
    pace.use_rate(int(shop.environment.get("STRIPE_CALLS_PER_SECOND", 20)))

    async def come(count: int) -> None:
        for _ in range(count):
            await pace.place_in_line()

    yield come
    pace.use_rate(before)


async def test_in_line_the_hold_waits_with_its_buyer_and_everybody_pays(visitor, crowd, books):
    event = await make_event(capacity=3)
    pages = [await visitor(phone=True), await visitor(dark=True), await visitor()]
    for page in pages:
        await arrive(page, event)
        await say_who(page)
    before = [await page.locator("#hold time").get_attribute("datetime") for page in pages]
    await crowd(40)
    for page in pages:
        await page.get_by_label("Email").blur()
    for page, until_then in zip(pages, before, strict=True):
        line = notice(page, "Preparing your payment")
        await expect(line).to_contain_text(re.compile(r"about \d+ seconds"))
        await expect(line).to_contain_text("Your hold waits with you")
        await expect(page.locator("#say")).to_contain_text("Preparing your payment")
        await expect(page.get_by_label("Full name")).to_have_value("Ana Kovač")
        assert await page.locator("#hold time").get_attribute("datetime") > until_then
        await expect(page.locator("[data-hold-left]")).to_have_text(re.compile("min"))
    await pages[0].get_by_label("Full name").fill("Ana Marija Kovač")
    for page in pages:
        await expect(card_fields(page).get_by_label("Card number")).to_be_visible(timeout=20_000)
        await expect(notice(page, "Preparing")).to_have_count(0)
        await expect(page.locator("#say")).to_have_text("You can pay now.")
    await expect(pages[0].get_by_label("Full name")).to_have_value("Ana Marija Kovač")
    for page in pages:
        await enter_card(page)
        await pay(page)
    for page in pages:
        await see_tickets(page, 1)
    await books.agree(event, orders=3)
