"""From the first link to a first order, by somebody who has read nothing: with the mouse, and by keyboard alone."""

from uuid import uuid4

import pytest
from playwright.async_api import Page, expect

from domain.access import Role
from services import admins
from tests.journeys.steps import enter_card, go_to_card, hold, pay, press, say_who, see_tickets, tab_to


@pytest.fixture
def title() -> str:
    """Events of all journeys stand in one list."""
    return f"Lanterns {uuid4().hex[:6]}"


async def come_in(page: Page) -> None:
    """The one-time link that `make run` prints."""
    token = await admins.entrance(email=f"{uuid4().hex[:8]}@example.org", name="Mira Novak", role=Role.OWNER)
    await page.goto(f"/admin/enter/{token}")
    await page.get_by_role("button", name="Open the desk").click()
    await expect(page.get_by_role("navigation", name="Desk")).to_be_visible()


async def add_type(page: Page, name: str, *, price: str, allocation: str) -> None:
    await page.get_by_role("link", name="Add type").click()
    form = page.get_by_role("form", name="New ticket type")
    await form.get_by_label("Name").fill(name)
    await form.get_by_label("Price").fill(price)
    await form.get_by_label("Allocation").fill(allocation)
    await form.get_by_role("button", name="Add type").click()
    await expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()


async def test_from_the_first_link_to_a_published_event_and_a_first_order(visitor, title):
    desk = await visitor()
    await come_in(desk)
    await desk.get_by_role("navigation", name="Desk").get_by_role("link", name="Events").click()
    await desk.get_by_role("link", name="New event").click()
    await desk.get_by_label("Title").fill(title)
    await desk.get_by_label("Starts").fill("2031-05-03T20:00")
    await desk.get_by_role("button", name="Create draft").click()
    await expect(desk.get_by_role("heading", name=title)).to_be_visible()
    await expect(desk.get_by_text("Draft", exact=True)).to_be_visible()

    await desk.get_by_role("link", name="Tickets and capacity").click()
    await desk.get_by_role("textbox", name="Total capacity").fill("30")
    await desk.get_by_role("button", name="Save", exact=True).click()
    await expect(desk.locator("#capacity")).to_contain_text("Saved")
    await add_type(desk, "Early Bird", price="18", allocation="30")
    await add_type(desk, "General", price="24", allocation="0")  # AC T5: all of X for one, nothing for the other

    await desk.get_by_role("link", name="Publish").click()
    await desk.get_by_role("dialog").get_by_role("button", name="Publish now").click()
    await expect(desk.get_by_text("On sale", exact=True)).to_be_visible()

    buyer = await visitor()
    await desk.get_by_role("link", name="View page").click()
    await buyer.goto(desk.url)
    await buyer.get_by_role("button", name="One more Early Bird", exact=True).click()
    await hold(buyer)
    await say_who(buyer)
    await go_to_card(buyer)
    await enter_card(buyer)
    await pay(buyer)
    await see_tickets(buyer, 1)

    await desk.goto("/admin/orders")
    await desk.get_by_role("searchbox").fill(title)
    await expect(desk.get_by_role("main")).to_contain_text("Ana Kovač")


async def test_an_event_is_made_and_published_by_keyboard_alone(visitor, title):
    page = await visitor()
    await come_in(page)
    await tab_to(page, page.get_by_role("link", name="Events", exact=True))
    await press(page, "Enter")
    await page.wait_for_url("**/admin/events")
    await tab_to(page, page.get_by_role("link", name="New event"))
    await press(page, "Enter")
    await page.wait_for_url("**/admin/events/new")
    await tab_to(page, page.get_by_label("Title"))
    await page.keyboard.type(title)
    await tab_to(page, page.get_by_label("Starts"))
    await page.keyboard.type("05032031")
    await press(page, "Tab")
    await page.keyboard.type("0800PM")
    await tab_to(page, page.get_by_role("button", name="Create draft"))
    await press(page, "Enter")
    await expect(page.get_by_role("heading", name=title)).to_be_visible()

    await tab_to(page, page.get_by_role("link", name="Tickets and capacity"))
    await press(page, "Enter")
    await expect(page.get_by_role("textbox", name="Total capacity")).to_be_visible()
    await tab_to(page, page.get_by_role("textbox", name="Total capacity"))
    await press(page, "ControlOrMeta+a")
    await page.keyboard.type("30")
    await press(page, "Enter")
    await expect(page.locator("#capacity")).to_contain_text("Saved")
    await tab_to(page, page.get_by_role("link", name="Add type"))
    await press(page, "Enter")
    await expect(page.get_by_role("form", name="New ticket type").get_by_label("Name")).to_be_focused()
    await page.keyboard.type("General")
    await press(page, "Tab")
    await page.keyboard.type("24")
    await press(page, "Enter")
    await expect(page.get_by_role("heading", name="General", exact=True)).to_be_visible()

    await tab_to(page, page.get_by_role("link", name="Publish", exact=True))
    await press(page, "Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await tab_to(page, page.get_by_role("button", name="Publish now"))
    await press(page, "Enter")
    await expect(page.get_by_text("On sale", exact=True)).to_be_visible()
    await expect(page.get_by_role("link", name="Take off sale")).to_be_focused()
