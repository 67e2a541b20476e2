"""What the desk asks before it does something, and what it says when somebody was quicker: each looked at by axe."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from domain.refunds import Money
from models import database as db
from services import events, refunds, ticket_types
from services.audit import Actor
from tests.conftest import StripeSandbox
from tests.journeys.steps import bought
from tests.makers import Made, hold, make_event, ticket_type
from tests.services import bank
from tests.services.refunding import intent_of, refund, refund_and_run

BOR = Actor(uuid4(), "Bor Novak")


async def asked(page: Page, event: Made, path: str) -> None:
    await page.goto(f"/admin/events/{event.id}/{path}")


async def removing_a_draft(page: Page, provider: StripeSandbox) -> None:
    await asked(page, await make_event(status="DRAFT"), "removal")
    await expect(page.get_by_role("button", name="Remove the draft")).to_be_visible()


async def a_draft_that_is_in_use(page: Page, provider: StripeSandbox) -> None:
    event = await make_event(status="DRAFT")
    await asked(page, event, "removal")
    await db.execute("UPDATE event SET status = 'PUBLISHED' WHERE id = $1", event.id)
    await hold(event)
    await page.get_by_role("button", name="Remove the draft").click()
    await expect(page.get_by_role("heading", name="“Winter Light” stays")).to_be_focused()


async def removing_a_ticket_type(page: Page, provider: StripeSandbox) -> None:
    event = await make_event(ticket_type("General"), ticket_type("Student"), status="DRAFT")
    await asked(page, event, "tickets")
    await page.get_by_role("link", name="Edit Student").click()
    await page.get_by_role("link", name="Remove").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Remove “Student”?")


async def taking_off_sale_while_somebody_holds(page: Page, provider: StripeSandbox) -> None:
    event = await make_event()
    await hold(event)
    await asked(page, event, "details")
    await page.get_by_role("link", name="Take off sale").click()
    await expect(page.get_by_role("dialog")).to_contain_text("1 buyer holds 1 ticket right now")


async def leaving_a_form_that_is_not_saved(page: Page, provider: StripeSandbox) -> None:
    await asked(page, await make_event(status="DRAFT"), "tickets")
    await page.get_by_role("link", name="Add type").click()
    await page.locator("#new-type").get_by_label("Name").fill("Student")
    await page.locator("#tab-details").click()
    await expect(page.get_by_role("dialog", name="Leave without saving?")).to_be_visible()


async def a_type_on_other_terms(page: Page, provider: StripeSandbox) -> None:
    event = await make_event(status="DRAFT", timezone="Europe/Vienna")
    await asked(page, event, "tickets")
    await page.get_by_role("link", name="Edit General").click()
    await expect(page.locator(".tt--edit")).to_be_visible()
    await events.set_timezone(event.id, was="Europe/Vienna", to="Asia/Tokyo", actor=BOR)
    await page.locator(".tt--edit").get_by_label("Price").fill("30")
    await page.get_by_role("button", name="Save type").click()
    await expect(page.get_by_role("alert").first).to_contain_text("the time zone")


async def a_type_that_somebody_else_changed(page: Page, provider: StripeSandbox) -> None:
    event = await make_event(status="DRAFT")
    await asked(page, event, "tickets")
    await page.get_by_role("link", name="Edit General").click()
    await expect(page.locator(".tt--edit")).to_be_visible()
    await ticket_types.change(event.id, event.types["General"], {"price": (2400, 2500)}, actor=BOR)
    await page.locator(".tt--edit").get_by_label("Price").fill("30")
    await page.get_by_role("button", name="Save type").click()
    await expect(page.get_by_role("button", name="Keep €25.00")).to_be_visible()


async def a_buyer_whom_somebody_else_corrected(page: Page, provider: StripeSandbox) -> None:
    order_id = await bought(await make_event(), provider)
    await page.goto(f"/admin/orders/{order_id}/buyer")
    await db.execute("UPDATE orders SET buyer_name = 'Ana Horvat' WHERE id = $1", order_id)
    await page.get_by_label("Name", exact=True).fill("Ana Novak")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("alert").first).to_contain_text("Somebody else changed it meanwhile")


async def a_refund_after_which_something_changed(page: Page, provider: StripeSandbox) -> None:
    order_id = await bought(await make_event(), provider, General=2)
    await page.goto(f"/admin/orders/{order_id}/refund")
    await page.get_by_role("radio", name="All that is left").check()
    await page.get_by_role("button", name="Continue").click()
    await refund(order_id, Money(100))
    await page.get_by_role("button", name="Send €48.00 back").click()
    await expect(page.get_by_role("alert").first).to_be_visible()


async def seats_to_return(page: Page, provider: StripeSandbox) -> None:
    refund_id = await _refunded(provider, await make_event())
    await page.goto(f"/admin/payments/refunds/{refund_id}/seats")
    await expect(page.get_by_role("heading", name="Return 1 seat to sale?")).to_be_visible()


async def no_seat_to_take_back(page: Page, provider: StripeSandbox) -> None:
    event = await make_event(capacity=1)
    refund_id = await _refunded(provider, event, seats_return=True)
    await hold(event)
    await bank.decide(provider, await db.fetchval("SELECT reference FROM refund WHERE id = $1", refund_id), "fail")
    order_id = await db.fetchval("SELECT order_id FROM refund WHERE id = $1", refund_id)
    await refunds.sync(await intent_of(order_id))
    await page.goto(f"/admin/orders/{order_id}")
    await page.get_by_role("button", name="Take the seat back").click()
    await expect(page.get_by_role("heading", name="No seat is free any more")).to_be_visible()


async def selling_what_is_a_draft(page: Page, provider: StripeSandbox) -> None:
    await asked(page, await make_event(status="DRAFT"), "orders/new")
    await expect(page.get_by_text("This event isn’t published yet")).to_be_visible()


async def selling_what_is_over(page: Page, provider: StripeSandbox) -> None:
    await asked(page, await make_event(start_date=datetime.now(UTC) - timedelta(days=1)), "orders/new")
    await expect(page.get_by_text("This event has begun or is over")).to_be_visible()


async def saving_while_signed_out(page: Page, provider: StripeSandbox) -> None:
    await asked(page, await make_event(status="DRAFT"), "details")
    await expect(page.get_by_role("heading", name="Basics")).to_be_visible()
    await page.context.clear_cookies()
    await page.get_by_label("City").fill("Graz")
    await page.keyboard.press("Tab")
    await expect(page.locator("#toasts")).to_contain_text("You are signed out, so nothing was saved")


async def _refunded(provider: StripeSandbox, event: Made, *, seats_return: bool = False) -> UUID:
    return await refund_and_run(await bought(event, provider), seats_return=seats_return)


STATES = [
    removing_a_draft,
    a_draft_that_is_in_use,
    removing_a_ticket_type,
    taking_off_sale_while_somebody_holds,
    leaving_a_form_that_is_not_saved,
    a_type_on_other_terms,
    a_type_that_somebody_else_changed,
    a_buyer_whom_somebody_else_corrected,
    a_refund_after_which_something_changed,
    seats_to_return,
    no_seat_to_take_back,
    selling_what_is_a_draft,
    selling_what_is_over,
    saving_while_signed_out,
]


@pytest.mark.parametrize("arrive", STATES, ids=lambda state: state.__name__)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_axe_finds_nothing_and_nothing_is_wider_than_a_phone(signed_in, provider, arrive, dark):
    page = await signed_in("manager", dark=dark)
    await arrive(page, provider)
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    await page.set_viewport_size({"width": 390, "height": 844})
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"it scrolls sideways by {wide} px"
