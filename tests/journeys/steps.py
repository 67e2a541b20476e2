"""What a buyer does, in the words of the page."""

import re
from uuid import UUID

from playwright.async_api import FrameLocator, Locator, Page, expect

from models import database
from tests import makers
from tests.conftest import StripeSandbox, until
from tests.makers import Made

GOOD_CARD = "4242 4242 4242 4242"
DECLINED_CARD = "4000 0000 0000 9995"
BANK_ASKS_CARD = "4000 0025 0000 3155"


async def open_event(page: Page, event: Made) -> None:
    """Open the event's page and wait until it is live."""
    await page.goto(f"/events/{event.slug}")
    await expect(page.locator("#live-state")).to_have_attribute("data-state", "on")


def quantity(page: Page, event: Made, name: str = "General") -> Locator:
    return page.locator(f"#qty-{event.types[name]}")


def availability(page: Page, event: Made, name: str = "General") -> Locator:
    return page.locator(f"#avail-{event.types[name]}")


async def choose(page: Page, event: Made, **quantities: int) -> None:
    """Press + as often as needed: `choose(page, event, Early_Bird=2)`."""
    for name, wanted in quantities.items():
        more = page.get_by_role("button", name=f"One more {name.replace('_', ' ')}", exact=True)
        for _ in range(wanted):
            await more.click()
        await expect(quantity(page, event, name.replace("_", " "))).to_have_value(str(wanted))


async def hold(page: Page) -> None:
    """Hold what is chosen and arrive at the checkout."""
    await page.get_by_role("button", name="Hold my tickets").first.click()
    await page.wait_for_url(re.compile("/checkouts/"))
    await expect(page.get_by_role("heading", name="Checkout")).to_be_visible()


async def say_who(page: Page, name: str = "Ana Kovač", email: str = "ana@example.org") -> None:
    await page.get_by_label("Full name").fill(name)
    await page.get_by_label("Email").fill(email)


def card_fields(page: Page) -> FrameLocator:
    return page.frame_locator("iframe[title='Secure payment input frame']")


async def go_to_card(page: Page) -> None:
    """The card fields appear by themselves once the buyer is known."""
    await page.get_by_label("Email").blur()
    await expect(card_fields(page).get_by_label("Card number")).to_be_visible()


async def enter_card(page: Page, number: str = GOOD_CARD) -> None:
    fields = card_fields(page)
    await fields.get_by_label("Card number").fill(number)
    await fields.get_by_label("Expiry date").fill("12 / 40")
    await fields.get_by_label("Security code").fill("123")


async def pay(page: Page) -> None:
    await page.locator("[data-pay-button]").click()


def bank(page: Page) -> FrameLocator:
    return page.frame_locator("iframe[title='Test bank: 3-D Secure']")


async def see_tickets(page: Page, count: int, *, patience: float = 10_000) -> None:
    await page.wait_for_url(re.compile("/orders/"), timeout=patience)
    await expect(page.get_by_role("heading", name=re.compile("You’re going"))).to_be_visible()
    await expect(page.locator("article.ticket")).to_have_count(count)


async def reach_the_card(page: Page, event: Made, **quantities: int) -> None:
    """From the event's page to the card fields."""
    await open_event(page, event)
    await choose(page, event, **quantities)
    await hold(page)
    await say_who(page)
    await go_to_card(page)


async def give_back(page: Page) -> None:
    await page.get_by_role("link", name="Give the tickets back").click()
    await page.get_by_role("button", name="Give them back").click()


async def buy(page: Page, event: Made, *, card: str = GOOD_CARD, **quantities: int) -> None:
    """The whole way, from the event's page to the tickets."""
    await reach_the_card(page, event, **(quantities or {"General": 1}))
    await enter_card(page, card)
    await pay(page)
    await see_tickets(page, sum(quantities.values()) or 1)


async def press(page: Page, *keys: str) -> None:
    for key in keys:
        await page.keyboard.press(key)


async def tab_to(page: Page, target: Locator) -> None:
    """Forward, like somebody without a mouse, until that control has the focus."""
    await target.wait_for()
    for _ in range(120):
        if await target.evaluate("element => element === document.activeElement"):
            return
        await press(page, "Tab")
    raise AssertionError(f"no way to {target} by keyboard")


async def bought(event: Made, provider: StripeSandbox, **quantities: int) -> UUID:
    """An order with its tickets, whoever has made them: the running shop hears of the money too."""
    order_id = await makers.buy(event, provider, **quantities)
    await until(lambda: database.fetchval("SELECT status = 'COMPLETED' FROM orders WHERE id = $1", order_id))
    return order_id
