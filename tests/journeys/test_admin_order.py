"""At the desk: an order is found, put right, sent again and refunded; and tickets are given away."""

import os
import re
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from models import database as db
from tests.journeys.steps import buy, see_tickets
from tests.makers import Made, make_event, ticket_type

# Where to leave a picture of every page that is looked at, for whoever wants to look too.
PICTURES = os.environ.get("PICTURES")
PATIENCE = 60_000


async def an_order(visitor, **quantities: int) -> dict:
    event = await make_event(ticket_type("General"), ticket_type("Front row", price=3600))
    await buy(await visitor(), event, **(quantities or {"General": 2, "Front_row": 1}))
    return await db.fetchrow("SELECT * FROM orders WHERE event_id = $1", event.id)


async def open_order(desk: Page, order: dict) -> None:
    await desk.goto(f"/admin/orders/{order['id']}")
    await expect(desk.get_by_role("heading", name=order["number"])).to_be_visible()


async def refund_an_amount(desk: Page, amount: str) -> None:
    await desk.get_by_role("link", name="Refund", exact=True).click()
    await desk.get_by_role("radio", name="An amount").check()
    await desk.get_by_label("Amount in EUR").fill(amount)
    await desk.get_by_role("button", name="Continue").click()
    await desk.get_by_role("button", name=re.compile("^Send .* back$")).click()
    await desk.get_by_role("link", name=re.compile("^Order FY-")).click()


async def test_an_order_is_put_right_sent_again_and_refunded(visitor, signed_in, mailbox):
    order = await an_order(visitor)
    desk = await signed_in("manager")
    await open_order(desk, order)
    history = desk.locator("#history")
    await expect(history).to_contain_text("Tickets sent", timeout=PATIENCE)

    await desk.get_by_role("link", name="Correct the buyer").click()
    await expect(desk.get_by_label("Name", exact=True)).to_be_focused()
    address = f"ana-{order['number'].lower()}@example.com"
    await desk.get_by_label("Email").fill("ana@")
    await desk.get_by_role("button", name="Save").click()
    await expect(desk.locator("#email-error")).to_be_visible()
    await expect(desk.get_by_label("Email")).to_have_value("ana@")
    await desk.get_by_label("Email").fill(address)
    await desk.get_by_label("Email").press("Enter")
    await expect(desk.locator("#buyer")).to_contain_text(address)
    await expect(history).to_contain_text("Email corrected by Mira Novak")

    await desk.get_by_role("button", name="Send the tickets to the new address").click()
    await expect(desk.locator("#done")).to_contain_text(f"on their way to {address}")
    await expect(history).to_contain_text(f"Tickets sent to {address}", timeout=PATIENCE)
    (letter,) = await mailbox(address)
    assert order["number"] in letter["subject"]
    await desk.get_by_role("button", name="Send tickets again").click()
    await expect(desk.locator("#done")).to_contain_text("The tickets were sent a moment ago")

    await desk.get_by_role("link", name=f"Correct the name on {order['number']}-2").click()
    await desk.get_by_label(f"Name on {order['number']}-2", exact=True).fill("Eva Zupan")
    await desk.get_by_role("button", name="Save").click()
    await expect(desk.locator("#tickets")).to_contain_text("Eva Zupan")

    await refund_an_amount(desk, "24")
    await expect(desk.locator("#order-head")).to_contain_text("Partly refunded")
    await expect(history).to_contain_text("€24.00 was sent back", timeout=PATIENCE)
    await refund_an_amount(desk, "60")
    await expect(desk.locator("#order-head")).to_contain_text("Refunded")
    await expect(history).to_contain_text("€60.00 was sent back", timeout=PATIENCE)
    await expect(desk.locator("#tickets")).not_to_contain_text("Valid")


async def fill_in(desk: Page, event: Made, name: str, email: str) -> None:
    await desk.get_by_label("General, quantity").fill("2")
    await desk.get_by_role("radio", name="A gift").check()
    await desk.get_by_label("Name", exact=True).fill(name)
    await desk.get_by_label("Email").fill(email)


async def test_a_guest_gets_their_tickets(signed_in, visitor, mailbox):
    event = await make_event(status="DRAFT")
    desk = await signed_in("manager")
    await desk.goto(f"/admin/events/{event.id}/orders/new")
    await fill_in(desk, event, "Eva Zupan", "")
    await expect(desk.locator("#summary")).to_contain_text("2 × General: a gift")
    await desk.get_by_role("button", name="Make the order").click()
    await expect(desk.locator("#error-summary")).to_be_focused()
    await expect(desk.get_by_label("General, quantity")).to_have_value("2")
    await desk.get_by_label("Email").fill(f"eva-{event.slug}@example.org")
    await desk.get_by_role("button", name="Make the order").dblclick()
    await expect(desk.locator("#done")).to_contain_text("The tickets are on their way")
    assert await db.fetchval("SELECT count(*) FROM orders WHERE event_id = $1", event.id) == 1
    await desk.get_by_role("link", name="View tickets").click()
    await see_tickets(desk, 2)


async def test_a_buyer_is_put_right_with_the_keyboard_alone(signed_in, visitor):
    order = await an_order(visitor, General=1)
    desk = await signed_in("manager")
    await open_order(desk, order)
    await desk.get_by_role("link", name="Correct the buyer").focus()
    await desk.keyboard.press("Enter")
    await expect(desk.get_by_label("Name", exact=True)).to_be_focused()
    await desk.keyboard.press("Control+A")
    await desk.keyboard.type("Ana Novak")
    await desk.keyboard.press("Enter")
    await expect(desk.locator("#buyer")).to_contain_text("Ana Novak")
    await expect(desk.locator("#tickets")).to_contain_text("Ana Novak")


async def test_another_deed_on_the_page_asks_about_what_was_typed_and_is_done(visitor, signed_in):
    order = await an_order(visitor, General=1)
    desk = await signed_in("manager")
    await open_order(desk, order)
    await expect(desk.locator("#history")).to_contain_text("Tickets sent", timeout=PATIENCE)
    await desk.get_by_role("link", name="Correct the buyer").click()
    await desk.get_by_label("Name", exact=True).fill("Ana Novak")
    question = desk.get_by_role("dialog", name="Leave without saving?")
    await desk.get_by_role("button", name="Send tickets again").click()
    await question.get_by_role("button", name="Keep editing").click()
    await expect(desk.get_by_label("Name", exact=True)).to_have_value("Ana Novak")
    await desk.get_by_role("button", name="Send tickets again").click()
    await question.get_by_role("button", name="Leave it").click()
    await expect(desk.locator("#done")).to_contain_text("The tickets are on their way to ana@example.org")
    await expect(desk.get_by_label("Name", exact=True)).to_have_count(0)


async def test_all_of_it_works_without_javascript(signed_in, visitor):
    order = await an_order(visitor, General=1)
    desk = await signed_in("manager", javascript=False)
    await open_order(desk, order)
    await desk.get_by_role("link", name="Correct the buyer").click()
    await desk.get_by_label("Email").fill("nojs@example.com")
    await desk.get_by_role("button", name="Save").click()
    await expect(desk.locator("#buyer")).to_contain_text("nojs@example.com")
    await desk.get_by_role("button", name="Send the tickets to the new address").click()
    await expect(desk.locator("#done")).to_contain_text("on their way to nojs@example.com")
    event = await make_event()
    await desk.goto(f"/admin/events/{event.id}/orders/new")
    await fill_in(desk, event, "Eva Zupan", "eva@example.org")
    await desk.get_by_role("button", name="Make the order").click()
    await expect(desk.locator("#done")).to_contain_text("The tickets are on their way to eva@example.org")


# ---------------------------------------------------------------- every page, looked at


async def the_order(desk: Page, order: dict) -> None:
    await open_order(desk, order)


async def the_buyer_being_put_right(desk: Page, order: dict) -> None:
    await desk.goto(f"/admin/orders/{order['id']}/buyer")
    await desk.get_by_label("Email").fill("ana@")
    await desk.get_by_role("button", name="Save").click()
    await expect(desk.locator("#email-error")).to_be_visible()


async def a_holder_being_put_right(desk: Page, order: dict) -> None:
    ticket = await db.fetchval("SELECT id FROM ticket WHERE order_id = $1 LIMIT 1", order["id"])
    await desk.goto(f"/admin/orders/{order['id']}/tickets/{ticket}")
    await expect(desk.get_by_role("button", name="Save")).to_be_visible()


async def after_an_address_was_put_right(desk: Page, order: dict) -> None:
    await desk.goto(f"/admin/orders/{order['id']}?done=email")
    await expect(desk.locator("#done .notice")).to_be_visible()


async def the_box_office(desk: Page, order: dict) -> None:
    await desk.goto(f"/admin/events/{order['event_id']}/orders/new")
    await desk.get_by_label("General, quantity").fill("2")
    await desk.get_by_role("radio", name="Paid elsewhere").check()
    await expect(desk.locator("#summary")).to_contain_text("€48.00")


async def the_box_office_with_mistakes(desk: Page, order: dict) -> None:
    await desk.goto(f"/admin/events/{order['event_id']}/orders/new")
    await desk.get_by_label("General, quantity").fill("99")
    await desk.get_by_role("button", name="Make the order").click()
    await expect(desk.locator("#error-summary")).to_be_visible()


PAGES = [
    the_order,
    the_buyer_being_put_right,
    a_holder_being_put_right,
    after_an_address_was_put_right,
    the_box_office,
    the_box_office_with_mistakes,
]


@pytest.mark.parametrize("phone", [False, True], ids=["1280", "390"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_every_page_is_clean_under_axe_and_fits(visitor, signed_in, phone, dark):
    order = await an_order(visitor)
    desk = await signed_in("owner", phone=phone, dark=dark)
    for look in PAGES:
        await look(desk, order)
        found = await Axe().run(desk)
        assert found.violations_count == 0, f"{look.__name__}: {found.generate_report()}"
        wide = await desk.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{look.__name__} scrolls sideways by {wide} px"
        if PICTURES:
            name = f"{look.__name__}-{'390' if phone else '1280'}-{'dark' if dark else 'light'}.png"
            await desk.screenshot(path=Path(PICTURES) / name, full_page=True)
