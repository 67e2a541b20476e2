"""The desk with the keyboard alone: every step is reached by Tab, from where the page has put the focus."""

import re
from uuid import uuid4

from playwright.async_api import Page, expect

from models import database as db
from tests.journeys.steps import bought, press, tab_to
from tests.makers import hold, make_event, ticket_type

PATIENCE = 60_000


async def go(page: Page, role: str, name: str, *, exactly: bool = True) -> None:
    """On to a link or button, and press it."""
    target = page.get_by_role(role, name=name, exact=exactly).first  # type: ignore[arg-type]
    await tab_to(page, target)
    await press(page, "Enter")


async def type_over(page: Page, label: str, text: str) -> None:
    await tab_to(page, page.get_by_label(label, exact=True))
    await press(page, "ControlOrMeta+a")
    await page.keyboard.type(text)


async def test_an_order_is_found_and_refunded(signed_in, provider):
    order_id = await bought(await make_event(ticket_type(), capacity=9), provider, General=2)
    number = await db.fetchval("SELECT number FROM orders WHERE id = $1", order_id)
    page = await signed_in("manager")
    await page.goto("/admin")
    await go(page, "link", "Orders")
    await page.wait_for_url("**/admin/orders")
    await type_over(page, "Find an order", number)
    await expect(page.get_by_role("row")).to_have_count(2)
    await go(page, "link", number)
    await page.wait_for_url(f"**/{order_id}")

    await go(page, "link", "Refund")
    await page.wait_for_url("**/refund")
    await tab_to(page, page.get_by_role("radio", checked=True))
    await press(page, "ArrowUp")
    await expect(page.get_by_role("radio", name="All that is left")).to_be_checked()
    await press(page, "ArrowDown")
    await expect(page.get_by_role("radio", name="These tickets")).to_be_checked()
    await tab_to(page, page.get_by_role("checkbox", name=f"{number}-2"))
    await press(page, "Space")
    await tab_to(page, page.get_by_role("checkbox", name="Put the seats back on sale"))
    await press(page, "Space")
    await go(page, "button", "Continue")
    await go(page, "button", "Send €24.00 back")
    await expect(page.locator("#refunds")).to_contain_text("1 ticket invalid")
    await go(page, "link", f"Order {number}")
    await expect(page.locator("#history")).to_contain_text("€24.00 was sent back", timeout=PATIENCE)


async def test_tickets_are_given_away_and_the_list_is_exported(signed_in):
    event = await make_event()
    page = await signed_in("manager")
    await page.goto(f"/admin/events/{event.id}/orders")
    await go(page, "link", "New order")
    await page.wait_for_url("**/orders/new")
    await go(page, "button", "One more General")
    await expect(page.get_by_label("General, quantity")).to_have_value("1")
    await tab_to(page, page.get_by_role("radio", name="A gift"))
    await press(page, "Space")
    await type_over(page, "Name", "Eva Zupan")
    await type_over(page, "Email", "eva@example.org")
    await go(page, "button", "Make the order")
    await expect(page.locator("#done")).to_contain_text("The tickets are on their way to eva@example.org")

    await page.goto(f"/admin/events/{event.id}/orders")
    async with page.expect_download() as download:
        await go(page, "button", "Export orders")
    lines = (await (await download.value).path()).read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 2
    assert "Eva Zupan" in lines[1]


async def test_two_at_one_field_and_the_choice_is_made(signed_in):
    event = await make_event(city="Linz")
    page = await signed_in("manager")
    await page.goto(f"/admin/events/{event.id}/details")
    await db.execute("UPDATE event SET city = 'Wien' WHERE id = $1", event.id)
    await tab_to(page, page.get_by_label("City optional"))
    await press(page, "ControlOrMeta+a")
    await page.keyboard.type("Graz")
    await press(page, "Tab")
    await expect(page.locator("#city-theirs")).to_contain_text("Wien")
    await press(page, "Shift+Tab", "Shift+Tab", "Shift+Tab", "Shift+Tab")
    await go(page, "button", "Save mine")
    await expect(page.locator("#city-said")).to_have_text("Saved")
    assert await db.fetchval("SELECT city FROM event WHERE id = $1", event.id) == "Graz"


async def test_an_event_is_taken_off_sale_copied_and_the_copy_removed(signed_in):
    event = await make_event(title=(title := f"Keys {uuid4().hex[:6]}"))
    await hold(event)
    page = await signed_in("manager")
    await page.goto(f"/admin/events/{event.id}/details")
    await go(page, "link", "Take off sale")
    await expect(page.get_by_role("link", name="Leave it on sale")).to_be_focused()
    await press(page, "Escape")
    await expect(page.get_by_role("link", name="Take off sale")).to_be_focused()
    await press(page, "Enter")
    await go(page, "button", "Take it off sale")
    await expect(page.get_by_text("Draft", exact=True)).to_be_visible()

    await tab_to(page, page.locator("summary[aria-label='More for this event']"))
    await press(page, "Enter")
    await go(page, "button", "Duplicate")
    await page.wait_for_url(re.compile("made=copy"))
    await tab_to(page, page.locator("summary[aria-label='More for this event']"))
    await press(page, "Enter")
    await go(page, "link", "Remove draft")
    await page.wait_for_url("**/removal")
    await go(page, "button", "Remove the draft")
    await page.wait_for_url(re.compile("/admin/events(\\?.*)?$"))
    titles = await db.fetchval("SELECT count(*) FROM event WHERE title LIKE $1", f"%{title}%")
    assert titles == 1
