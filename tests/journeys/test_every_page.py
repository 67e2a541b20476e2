"""Every page in every state it can be in: accessible in both themes, no wider than a phone, and light."""

import gzip
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from services import checkout, links
from tests.journeys.steps import DECLINED_CARD, choose, enter_card, go_to_card, hold, open_event, pay, quantity, say_who
from tests.makers import hold as hold_tickets
from tests.makers import hold_with_buyer, let_time_run_out, make_event, ticket_type

LIGHT_ENOUGH = 100_000
SOON = datetime.now(UTC) + timedelta(days=3)


async def the_list(page: Page) -> None:
    await page.goto("/")


async def an_empty_list(page: Page) -> None:
    await page.goto("/?q=polka-that-nobody-plays")


async def an_event_with_every_kind_of_ticket(page: Page) -> None:
    event = await make_event(
        ticket_type("General", description="Unnumbered seat"),
        ticket_type("Early Bird", price=1800, allocation=0),
        ticket_type("Held", price=1800, allocation=2),
        ticket_type("Later", price=1800, sales_start=SOON),
        ticket_type("Guest", price=0, allocation=3),
        description="An hour of *strings*.\n\n### Good to know\n\n- warm\n- step-free",
    )
    await hold_tickets(event, Held=2)
    await open_event(page, event)
    await choose(page, event, General=2)


async def a_sold_out_event(page: Page) -> None:
    event = await make_event(ticket_type("Guest", price=0), capacity=1)
    await checkout.start_payment(await hold_with_buyer(event, Guest=1))
    await open_event(page, event)


async def a_refused_wish(page: Page) -> None:
    event = await make_event(ticket_type("General"), ticket_type("Front row", price=3600, allocation=2))
    await open_event(page, event)
    await quantity(page, event, "Front row").fill("5")
    await page.get_by_role("button", name="Hold my tickets").first.click()
    await expect(page.locator(f"#answer-{event.types['Front row']}")).not_to_be_empty()


async def a_checkout(page: Page) -> None:
    event = await make_event()
    await open_event(page, event)
    await choose(page, event, General=2)
    await hold(page)


async def a_checkout_with_mistakes(page: Page) -> None:
    await a_checkout(page)
    await say_who(page, name="", email="ana@")
    await page.get_by_role("button", name="Continue to payment").click()
    await expect(page.locator("#email-error")).to_be_visible()


async def a_declined_card(page: Page) -> None:
    await a_checkout(page)
    await say_who(page)
    await go_to_card(page)
    await enter_card(page, DECLINED_CARD)
    await pay(page)
    await expect(page.get_by_text("The payment didn’t go through")).to_be_visible()


async def asking_whether_to_give_back(page: Page) -> None:
    await a_checkout(page)
    await page.get_by_role("link", name="Give the tickets back").click()
    await expect(page.get_by_role("dialog")).to_be_visible()


async def a_hold_that_has_ended(page: Page) -> None:
    event = await make_event()
    checkout_id = await hold_tickets(event, General=2)
    await let_time_run_out(checkout_id)
    await page.goto(f"/checkouts/{links.checkout_token(checkout_id)}")
    await expect(page.get_by_role("heading", name="Your hold has ended")).to_be_visible()


async def tickets_given_back(page: Page) -> None:
    event = await make_event()
    checkout_id = await hold_tickets(event, General=2)
    await checkout.give_back(checkout_id)
    await page.goto(f"/checkouts/{links.checkout_token(checkout_id)}")
    await expect(page.get_by_role("heading", name="You gave the tickets back")).to_be_visible()


async def an_event_that_is_over(page: Page) -> None:
    event = await make_event(start_date=datetime.now(UTC) - timedelta(days=1))
    await page.goto(f"/events/{event.slug}")


async def tickets_in_hand(page: Page) -> None:
    event = await make_event(ticket_type("Guest", price=0))
    checkout_id = await hold_with_buyer(event, Guest=2)
    await checkout.start_payment(checkout_id)
    await page.goto(f"/checkouts/{links.checkout_token(checkout_id)}")
    await expect(page.locator("article.ticket")).to_have_count(2)


async def a_page_that_is_not_there(page: Page) -> None:
    await page.goto("/events/there-is-no-such-event")


PAGES = [
    the_list,
    an_empty_list,
    an_event_with_every_kind_of_ticket,
    a_sold_out_event,
    a_refused_wish,
    a_checkout,
    a_checkout_with_mistakes,
    a_declined_card,
    asking_whether_to_give_back,
    a_hold_that_has_ended,
    tickets_given_back,
    an_event_that_is_over,
    tickets_in_hand,
    a_page_that_is_not_there,
]


@pytest.mark.parametrize("arrive", PAGES, ids=lambda page: page.__name__)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_axe_finds_nothing_and_nothing_is_wider_than_a_phone(
    visitor, dark: bool, arrive: Callable[[Page], Awaitable[None]]
):
    page = await visitor(dark=dark)
    await arrive(page)
    assert await _axe(page) == []
    await page.set_viewport_size({"width": 390, "height": 844})
    assert await _axe(page) == []
    await page.set_viewport_size({"width": 320, "height": 700})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320


async def test_the_event_page_is_light(visitor):
    """All that a first visit brings over the wire, compressed."""
    event = await make_event(ticket_type("General"), ticket_type("Front row"), description="Words. " * 100)
    page = await visitor()
    sizes: dict[str, int] = {}

    async def weigh(response) -> None:
        if not response.url.endswith("/live"):
            length = response.headers.get("content-length")
            sizes[response.url] = int(length) if length else len(gzip.compress(await response.body()))

    weighing = []
    page.on("response", lambda response: weighing.append(weigh(response)))
    await page.goto(f"/events/{event.slug}")
    await page.wait_for_function("document.fonts.status === 'loaded'")
    for weight in weighing:
        await weight
    assert len(sizes) >= 6
    assert sum(sizes.values()) <= LIGHT_ENOUGH, sizes


async def _axe(page: Page) -> list[str]:
    # A button that is just working shows its label no longer, or not yet.
    await page.wait_for_function("!document.querySelector('[aria-busy=true], .htmx-request')")
    results = await Axe().run(page)
    return [f"{v['id']}: {[n['target'] for n in v['nodes']]}" for v in results.response["violations"]]
