"""The desk’s screen of tickets and capacity: by keyboard alone, without JavaScript, on a phone, while buyers hold."""

import asyncio
import re
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, expect

from models import database as db
from models.ids import new_id
from services import events, ticket_types
from services.audit import Actor
from tests.journeys.test_every_page import _axe
from tests.makers import Made, hold, let_time_run_out, make_event, ticket_type

BOR = Actor(new_id(), "Bor Novak")


async def open_screen(page: Page, event: Made) -> None:
    await page.goto(f"/admin/events/{event.id}/tickets")
    await expect(page.get_by_role("heading", name="Ticket types", exact=True)).to_be_visible()


def row(page: Page, event: Made, name: str = "General"):
    return page.locator(f"#tt-{event.types[name]}")


async def press(page: Page, *keys: str) -> None:
    for key in keys:
        await page.keyboard.press(key)


async def type_over(page: Page, text: str) -> None:
    await press(page, "ControlOrMeta+a")
    await page.keyboard.type(text)


async def names(page: Page) -> list[str]:
    return await page.locator("#tt-list h3").all_inner_texts()


# ---------------------------------------------------------------- by keyboard alone


async def test_T2_the_whole_screen_by_keyboard_alone(signed_in):
    event = await make_event(ticket_type("General"), ticket_type("Student", price=1400), capacity=30, status="DRAFT")
    page = await signed_in("manager")
    await open_screen(page, event)

    await page.get_by_role("textbox", name="Total capacity").focus()
    await type_over(page, "60")
    await press(page, "Enter")
    await expect(page.locator("#capacity")).to_contain_text("Saved")
    await expect(page.locator("#meter")).to_contain_text("60 left")
    await expect(page.get_by_role("textbox", name="Total capacity")).to_be_focused()

    await page.get_by_role("link", name="Add type").focus()
    await press(page, "Enter")
    await expect(page.locator("#new-type").get_by_label("Name")).to_be_focused()
    await page.keyboard.type("Early bird")
    await press(page, "Tab")
    await page.keyboard.type("18,50")
    await press(page, "Tab")
    await page.keyboard.type("61")
    await press(page, "Enter")
    allocation = page.locator("#new-type").get_by_label("Allocation")
    await expect(page.locator("#new-type .error")).to_contain_text("61 is 1 too many. At most 60 are free to allocate.")
    await expect(page.locator("#meter")).to_contain_text("Allocations add up to 61. That is 1 more than 60.")
    await expect(allocation).to_be_focused()
    await type_over(page, "20")
    await press(page, "Enter")
    await expect(page.locator("#tt-list h3")).to_have_text(["General", "Student", "Early bird"])
    await expect(page.get_by_role("link", name="Add type")).to_be_focused()

    up = page.get_by_role("button", name="Move Early bird up")
    await up.focus()
    await press(page, "Enter")
    await expect(page.locator("#tt-list h3")).to_have_text(["General", "Early bird", "Student"])
    await expect(up).to_be_focused()
    await press(page, "Space")
    await expect(page.locator("#tt-list h3")).to_have_text(["Early bird", "General", "Student"])
    await expect(up).to_have_attribute("aria-disabled", "true")

    switch = page.get_by_role("switch", name="Student on sale")
    await switch.focus()
    await press(page, "Space")
    await expect(switch).not_to_be_checked()
    await expect(switch).to_be_focused()
    await expect(row(page, event, "Student")).to_contain_text("Switched off")

    await page.get_by_role("link", name="Edit General").focus()
    await press(page, "Enter")
    await expect(row(page, event).get_by_label("Name")).to_be_focused()
    await type_over(page, "Regular")
    await press(page, "Enter")
    await expect(row(page, event)).to_contain_text("Saved")
    await expect(page.get_by_role("link", name="Edit Regular")).to_be_focused()

    await page.get_by_role("link", name="Edit Student").focus()
    await press(page, "Enter")
    await row(page, event, "Student").get_by_role("link", name="Remove").focus()
    await press(page, "Enter")
    await expect(page.get_by_role("link", name="Keep it")).to_be_focused()
    await press(page, "Shift+Tab", "Enter")
    await expect(page.locator("#tt-list h3")).to_have_text(["Early bird", "Regular"])
    await expect(page.locator("dialog")).to_have_count(0)

    await page.get_by_role("link", name="Publish").focus()
    await press(page, "Enter")
    await expect(page.get_by_role("heading", name="Publish “Winter Light”?")).to_be_visible()
    await press(page, "Escape")
    await expect(page.get_by_role("link", name="Publish")).to_be_focused()
    await press(page, "Enter")
    await expect(page.get_by_role("link", name="Not yet")).to_be_focused()
    await press(page, "Shift+Tab", "Enter")
    await expect(page.locator("#event-head")).to_contain_text("On sale")
    await expect(page.locator("#toasts")).to_contain_text("Published. Tickets are on sale.")
    await expect(page.get_by_role("link", name="Take off sale")).to_be_focused()
    assert await db.fetchval("SELECT status FROM event WHERE id = $1", event.id) == "PUBLISHED"


# ---------------------------------------------------------------- without JavaScript


async def test_whoever_leaves_a_form_that_is_not_saved_is_asked_first(signed_in):
    event = await make_event(ticket_type("General"), ticket_type("Student"), status="DRAFT")
    page = await signed_in("manager")
    await page.goto("/admin/events")
    await page.goto(f"/admin/events/{event.id}/details")
    await page.locator("#tab-tickets").click()
    await page.get_by_role("link", name="Edit Student").click()
    price = row(page, event, "Student").get_by_label("Price")
    question = page.get_by_role("dialog", name="Leave without saving?")

    async def asked(leave: Callable[[], Awaitable]) -> None:
        await leave()
        await expect(question.get_by_role("button", name="Keep editing")).to_be_focused()

    await page.locator("#tab-details").click()
    await expect(page.get_by_label("Title")).to_be_visible()  # nothing was typed, so nothing is asked
    await page.go_back()
    await page.get_by_role("link", name="Edit Student").click()

    await price.fill("free")
    await asked(page.locator("#tab-details").click)
    await press(page, "Escape")
    await expect(price).to_have_value("free")
    await asked(lambda: page.evaluate("history.back()"))
    await press(page, "Enter")
    await expect(price).to_have_value("free")
    assert page.url.endswith("/tickets")

    await page.get_by_role("button", name="Save type").click()  # what comes back with an error is not saved either
    await expect(row(page, event, "Student").locator(".error")).to_be_visible()
    await asked(page.locator("#tab-details").click)
    await question.get_by_role("button", name="Leave it").click()
    await expect(page.get_by_label("Title")).to_be_visible()
    await page.locator("#tab-tickets").click()

    await page.get_by_role("link", name="Edit Student").click()
    await price.fill("25")
    await page.get_by_role("link", name="Cancel").click()
    await expect(page.get_by_role("link", name="Edit Student")).to_be_visible()
    await page.get_by_role("link", name="Edit Student").click()
    await price.fill("26")
    dialogs: list[str] = []
    page.once("dialog", lambda dialog: (dialogs.append(dialog.type), asyncio.ensure_future(dialog.dismiss())))
    await page.get_by_role("link", name="Foyer").click(no_wait_after=True)
    await expect(price).to_have_value("26")
    assert dialogs == ["beforeunload"]
    await page.get_by_role("button", name="Save type").click()
    await expect(row(page, event, "Student")).to_contain_text("€26.00")
    await page.get_by_role("link", name="Foyer").click()
    await page.wait_for_url("**/admin/home")


async def test_T2_the_whole_screen_without_javascript(signed_in):
    event = await make_event(ticket_type("General"), ticket_type("Student"), capacity=30, status="DRAFT")
    page = await signed_in("manager", javascript=False)
    await open_screen(page, event)
    await page.get_by_role("textbox", name="Total capacity").fill("-5")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("#total_capacity-error")).to_have_text("Use a whole number, 0 or more.")
    await expect(page.get_by_role("textbox", name="Total capacity")).to_have_value("-5")
    await page.get_by_role("textbox", name="Total capacity").fill("60")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("#capacity")).to_contain_text("Saved")

    await page.get_by_role("link", name="Add type").click()
    await page.locator("#new-type").get_by_label("Name").fill("Early bird")
    await page.locator("#new-type").get_by_label("Price").fill("1e3")
    await page.get_by_role("button", name="Add type").click()
    await expect(page.locator("#new-type .error")).to_contain_text("Enter a price like 24 or 24.50.")
    await expect(page.locator("#new-type").get_by_label("Name")).to_have_value("Early bird")
    await page.locator("#new-type").get_by_label("Price").fill("0")
    await page.get_by_role("button", name="Add type").click()
    await page.get_by_role("button", name="Move Early bird up").click()
    await page.get_by_role("switch", name="Student on sale").click()
    assert await names(page) == ["General", "Early bird", "Student"]
    await expect(row(page, event, "Student")).to_contain_text("Switched off")

    await page.get_by_role("link", name="Edit Student").click()
    await row(page, event, "Student").get_by_role("link", name="Remove").click()
    await page.get_by_role("button", name="Remove it").click()
    assert await names(page) == ["General", "Early bird"]

    await page.get_by_role("link", name="Preview").click()
    await expect(page.get_by_text("Nobody else can see this page.")).to_be_visible()
    await expect(page.get_by_role("heading", name="Early bird")).to_be_visible()
    await page.get_by_role("link", name="Back to the desk").click()
    await page.get_by_role("link", name="Publish").click()
    await page.get_by_role("button", name="Publish now").click()
    await page.wait_for_url(re.compile(f"/admin/events/{event.id}$"))
    assert await db.fetchval("SELECT status FROM event WHERE id = $1", event.id) == "PUBLISHED"


# ---------------------------------------------------------------- while buyers hold


async def test_T1_capacity_lowered_while_twenty_buyers_hold(signed_in):
    """Refused with the number that would do; a hold lapses, the number falls by itself, the smaller one is accepted."""
    event = await make_event(capacity=30)
    page = await signed_in("manager")
    await open_screen(page, event)
    checkouts = await asyncio.gather(*(hold(event) for _ in range(20)))
    await page.get_by_role("textbox", name="Total capacity").fill("19")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("#total_capacity-error")).to_have_text("20 are on hold, so capacity can’t go below 20.")
    await expect(page.get_by_role("textbox", name="Total capacity")).to_have_value("19")
    await let_time_run_out(checkouts[0])
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("#capacity")).to_contain_text("Saved")
    await expect(page.locator("#meter")).to_contain_text("19 on hold")
    assert await db.fetchval("SELECT total_capacity FROM event WHERE id = $1", event.id) == 19


async def test_T6_numbers_arrive_by_themselves_and_what_is_being_typed_stays(signed_in):
    event = await make_event(ticket_type("General"), ticket_type("Student"), capacity=30)
    page = await signed_in("manager")
    await open_screen(page, event)
    await page.get_by_role("link", name="Edit General").click()
    name = row(page, event).get_by_label("Name")
    await name.fill("Half a na")
    await page.get_by_role("textbox", name="Total capacity").fill("77")
    await hold(event, General=4)
    await expect(row(page, event, "Student")).to_contain_text("On sale: 26 left", timeout=20_000)
    await expect(row(page, event)).to_contain_text("4 on hold")
    await expect(page.locator("#meter")).to_contain_text("4 on hold")
    await expect(name).to_have_value("Half a na")
    await page.get_by_role("switch", name="Student on sale").click()
    await expect(row(page, event, "Student")).to_contain_text("Switched off")
    await expect(name).to_have_value("Half a na")
    await expect(page.get_by_role("textbox", name="Total capacity")).to_have_value("77")


async def test_two_admins_at_one_type_are_told_and_choose(signed_in):
    event = await make_event()
    page = await signed_in("manager")
    await open_screen(page, event)
    await page.get_by_role("link", name="Edit General").click()
    await expect(row(page, event).get_by_label("Price")).to_have_value("24.00")
    await ticket_types.change(event.id, event.types["General"], {"price": (2400, 2500)}, actor=BOR)
    await row(page, event).get_by_label("Price").fill("26")
    await row(page, event).get_by_label("Description").fill("Typed with care")
    await page.get_by_role("button", name="Save type").click()
    await expect(row(page, event)).to_contain_text("Bor Novak made it €25.00 at")
    await page.get_by_role("button", name="Keep €25.00").click()
    await expect(row(page, event).get_by_label("Price")).to_have_value("25.00")
    await expect(row(page, event).get_by_label("Description")).to_have_value("Typed with care")
    await page.get_by_role("button", name="Save type").click()
    await expect(row(page, event)).to_contain_text("Saved")
    stored = await db.fetchrow("SELECT price, description FROM ticket_type WHERE event_id = $1", event.id)
    assert tuple(stored) == (2500, "Typed with care")


async def test_taken_off_sale_above_the_page(signed_in):
    event = await make_event()
    await hold(event, General=2)
    page = await signed_in("manager", phone=True)
    await open_screen(page, event)
    await page.get_by_role("link", name="Take off sale").click()
    await expect(page.get_by_role("dialog")).to_contain_text("1 buyer holds 2 tickets right now and may still pay.")
    await page.get_by_role("button", name="Take it off sale").click()
    await expect(page.locator("#event-head")).to_contain_text("Draft")
    await expect(row(page, event)).to_contain_text("Not on sale: the event is a draft", timeout=20_000)


# ---------------------------------------------------------------- every page, looked at


async def the_screen(page: Page) -> None:
    event = await make_event(
        ticket_type("Early bird", price=1800, allocation=20),
        ticket_type("General"),
        ticket_type("Front row with a very long name that somebody typed", price=3600, allocation=8),
        ticket_type("Student", price=1400, allocation=15, is_enabled=False),
        capacity=60,
    )
    for _ in range(3):
        await hold(event, General=2, Early_bird=1)
    await open_screen(page, event)


async def a_row_that_is_edited_wrongly(page: Page) -> None:
    await the_screen(page)
    await page.get_by_role("link", name="Edit Front row").click()
    await page.locator(".tt--edit").get_by_label("Allocation").fill("28")
    await page.get_by_text("When it is sold").click()
    await page.get_by_role("button", name="Save type").click()
    await expect(page.locator(".tt--edit .error")).to_contain_text("28 is 3 too many.")


async def nothing_to_sell_yet(page: Page) -> None:
    event = await make_event(status="DRAFT")
    await ticket_types.remove(event.id, event.types["General"], actor=BOR)
    await open_screen(page, event)


async def a_question_before_publishing(page: Page) -> None:
    event = await make_event(status="DRAFT", capacity=0)
    await open_screen(page, event)
    await page.get_by_role("link", name="Publish").click()
    await expect(page.get_by_role("dialog")).to_be_visible()


async def publishing_on_a_page_of_its_own(page: Page) -> None:
    event = await make_event(ticket_type(is_enabled=False), status="DRAFT")
    await page.goto(f"/admin/events/{event.id}/publication")


async def a_preview(page: Page) -> None:
    event = await make_event(ticket_type(description="Until New Year"), status="DRAFT")
    await page.goto(f"/admin/events/{event.id}/preview")


async def a_capacity_that_somebody_else_changed(page: Page) -> None:
    event = await make_event(capacity=30)
    await open_screen(page, event)
    await events.set_capacity(event.id, was=30, to=80, actor=BOR)
    await page.get_by_role("textbox", name="Total capacity").fill("50")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("button", name="Keep 80")).to_be_visible()


PAGES = [
    the_screen,
    a_row_that_is_edited_wrongly,
    nothing_to_sell_yet,
    a_question_before_publishing,
    publishing_on_a_page_of_its_own,
    a_preview,
    a_capacity_that_somebody_else_changed,
]


@pytest.mark.parametrize("arrive", PAGES, ids=lambda page: page.__name__)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_axe_finds_nothing_and_nothing_is_wider_than_a_phone(
    signed_in, dark: bool, arrive: Callable[[Page], Awaitable[None]]
):
    page = await signed_in("manager", dark=dark)
    await arrive(page)
    assert await _axe(page) == []
    await page.set_viewport_size({"width": 390, "height": 844})
    assert await _axe(page) == []
    await page.set_viewport_size({"width": 320, "height": 700})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
