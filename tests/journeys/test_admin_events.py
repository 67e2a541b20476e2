"""Events at the desk in a real browser: made with the keyboard alone, saved in place, two admins at once, live bars."""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from playwright.async_api import Page, expect

from models import database
from models.ids import new_id
from services import covers
from services.audit import Actor
from services.transaction import transaction
from tests.conftest import until
from tests.journeys.test_every_page import _axe
from tests.makers import Made, hold, make_event, ticket_type
from tests.services.test_covers import photo

BOR = Actor(new_id(), "Bor")
DETAILS = re.compile(r"/admin/events/[0-9a-f-]{36}/details")


async def stored(event_id: UUID, name: str) -> object:
    return await database.fetchval(f"SELECT {name} FROM event WHERE id = $1", event_id)


async def open_details(page: Page, event: Made) -> None:
    await page.goto(f"/admin/events/{event.id}/details")
    await expect(page.get_by_role("heading", name="Basics")).to_be_visible()


async def leave(page: Page, label: str, text: str) -> None:
    """Type over a field and go on to the next one."""
    await page.get_by_label(re.compile(f"^{label}( optional)?$")).fill(text)
    await page.keyboard.press("Tab")


# ---------------------------------------------------------------- what others did meanwhile


async def test_whoever_reads_what_is_true_by_now_publishes_it_with_one_more_press(signed_in):
    page = await signed_in("manager", phone=True)
    await at_an_offer_that_was_changed(page)
    await page.get_by_role("dialog").get_by_role("button", name="Publish now").click()
    await expect(page.locator("#toasts")).to_contain_text("Published. Sales open")
    await expect(page.locator("#event-head")).to_contain_text("Opens later")


async def test_whoever_has_seen_anothers_cover_may_replace_it(signed_in):
    page = await signed_in("manager")
    await at_a_cover_that_somebody_chose_first(page)
    theirs = await page.locator("#cover img").get_attribute("src")
    blue = {"name": "blue.jpg", "mimeType": "image/jpeg", "buffer": photo(colour=(0, 90, 200))}
    await page.get_by_label("Another picture").set_input_files(blue)
    await page.get_by_role("button", name="Upload").click()
    await expect(page.locator("#cover img")).not_to_have_attribute("src", theirs)
    await expect(page.get_by_role("alert")).to_have_count(0)


# ---------------------------------------------------------------- a new event


async def test_an_event_is_made_with_the_keyboard_alone(signed_in):
    page = await signed_in("manager")
    await page.goto("/admin/events/new")
    await page.get_by_label("Title").focus()
    await page.keyboard.type("Keyboard Concert")
    await page.keyboard.press("Enter")  # sends the form: the start is missing
    summary = page.get_by_role("alert")
    await expect(summary).to_contain_text("Choose when it starts.")
    await expect(summary).to_be_focused()
    await expect(page.get_by_label("Title")).to_have_value("Keyboard Concert")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")  # follows the summary to the field
    await expect(page.get_by_label("Starts")).to_be_focused()
    await page.keyboard.type("01232027")
    await page.keyboard.press("Tab")
    await page.keyboard.type("0200PM")
    await expect(page.get_by_label("Starts")).to_have_value("2027-01-23T14:00")
    await page.get_by_label("Time zone").focus()
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.type("vienna")
    await page.get_by_role("button", name="Create draft").focus()
    await page.keyboard.press("Enter")
    await page.wait_for_url(DETAILS)
    await expect(page.get_by_role("heading", name="Keyboard Concert")).to_be_visible()
    await expect(page.get_by_label("Time zone")).to_have_value("Europe/Vienna")


async def test_1_3_1_when_saving_fails_it_is_said_and_everything_is_there_to_try_again(signed_in, visitor):
    visitor.expect("the server responded with a status of 503")
    page = await signed_in("manager")
    await page.goto("/admin/events/new")
    await page.get_by_label("Title").fill("Concert after all")
    await page.get_by_label("Starts").fill("2027-01-23T14:00")
    await page.get_by_label("Description").fill("Typed over lunch.")
    create = page.get_by_role("button", name="Create draft")

    session = await page.context.cookies()
    await page.context.clear_cookies()
    await create.click()
    await expect(page.locator("#toasts")).to_contain_text("You are signed out, so nothing was saved")
    await page.context.add_cookies(session)
    async with transaction():
        await database.execute("LOCK TABLE event IN EXCLUSIVE MODE")
        await create.click()
        await expect(page.locator("#toasts")).to_contain_text("We can’t reach our own records right now")
    await expect(page.locator("#new-event")).to_have_attribute("data-unsaved", "typed")
    await expect(page.get_by_label("Description")).to_have_value("Typed over lunch.")
    await create.click()
    await page.wait_for_url(DETAILS)
    assert await database.fetchval("SELECT count(*) FROM event WHERE title = 'Concert after all'") == 1


async def test_an_event_is_made_and_edited_without_javascript(signed_in):
    page = await signed_in("manager", javascript=False)
    await page.goto("/admin/events/new")
    await page.get_by_label("Title").fill("Paper Concert")
    await page.get_by_label("Starts").fill("2027-01-23T14:00")
    await page.get_by_label("Ends").fill("2027-01-23T11:00")
    await page.get_by_role("button", name="Create draft").click()
    await expect(page.locator("#end_date-error")).to_contain_text("Choose 23 Jan 2027, 14:00 or later.")
    await page.get_by_label("Ends").fill("2027-01-23T17:00")
    await page.get_by_role("button", name="Create draft").click()
    await page.wait_for_url(DETAILS)
    await expect(page.get_by_text("Each field is saved by its own button")).to_be_visible()
    await page.get_by_label("City").fill("Graz")
    await page.get_by_role("button", name="Save City").click()
    await expect(page.locator("#city-said")).to_have_text("Saved")
    await expect(page.get_by_label("City")).to_have_value("Graz")


# ---------------------------------------------------------------- saved in place


async def test_a_field_is_saved_when_it_is_left_and_the_next_one_keeps_the_focus(signed_in):
    event = await make_event(city="Graz")
    page = await signed_in("manager")
    await open_details(page, event)
    await leave(page, "Title", "Summer Light")
    await expect(page.locator("#title-said")).to_have_text("Saved")
    await expect(page.get_by_role("heading", name="Summer Light")).to_be_visible()
    await expect(page.get_by_label("In one line")).to_be_focused()
    assert await stored(event.id, "title") == "Summer Light"


async def test_a_wrong_field_says_so_beside_itself_and_takes_nobodys_focus(signed_in):
    event = await make_event()
    page = await signed_in("manager")
    await open_details(page, event)
    await leave(page, "Title", "")
    await expect(page.locator("#title-error")).to_have_text("Give the event a title.")
    await expect(page.get_by_label("In one line")).to_be_focused()
    await expect(page.get_by_label("Title", exact=True)).to_have_attribute("aria-invalid", "true")
    await page.keyboard.type("Strings by candlelight.")
    await page.keyboard.press("Tab")
    await expect(page.locator("#summary-said")).to_have_text("Saved")
    await expect(page.locator("#description")).to_be_focused()
    await expect(page.locator("#title-error")).to_be_visible()
    assert await stored(event.id, "title") == "Winter Light"
    await leave(page, "Title", "Spring Light")
    await expect(page.locator("#title-error")).to_have_count(0)
    await expect(page.locator("#title-said")).to_have_text("Saved")


async def test_whoever_types_faster_than_we_answer_is_not_overtaken_by_themselves(signed_in):
    event = await make_event()
    page = await signed_in("manager")
    await open_details(page, event)
    title = page.get_by_label("Title", exact=True)
    for text in ("One", "Two", "Three", "Four"):
        await title.fill(text)
        await title.dispatch_event("change")
    await until(lambda: _is(event, "title", "Four"))
    await expect(page.locator("#title-theirs")).to_have_count(0)
    await expect(title).to_have_value("Four")


async def _is(event: Made, name: str, value: object) -> bool:
    return await stored(event.id, name) == value


async def test_what_is_typed_last_arrives_although_the_page_is_left(signed_in):
    event = await make_event()
    page = await signed_in("manager")
    await open_details(page, event)
    await page.get_by_label("City").fill("Graz")
    await page.get_by_role("link", name="Events").first.click()
    await until(lambda: _is(event, "city", "Graz"))


async def test_the_end_moves_along_with_the_start(signed_in):
    start = datetime(2027, 1, 23, 13, tzinfo=UTC)
    event = await make_event(start_date=start, end_date=start + timedelta(hours=3), timezone="Europe/Vienna")
    page = await signed_in("manager")
    await open_details(page, event)
    await page.get_by_label("Starts").fill("2027-02-06T14:00")
    await expect(page.get_by_label("Ends")).to_have_value("2027-02-06T17:00")
    await expect(page.locator("#end_date-said")).to_have_text("Moved along")


async def test_a_description_is_shown_as_it_will_look_while_it_is_typed(signed_in):
    event = await make_event()
    page = await signed_in("manager")
    await open_details(page, event)
    await page.get_by_text("Preview", exact=True).last.click()
    await page.locator("#description").fill("An hour of *strings*.<img src=x onerror=alert(1)>")
    preview = page.locator("#description-preview")
    await expect(preview.locator("em")).to_have_text("strings")
    await expect(preview.locator("img")).to_have_count(0)
    await expect(page.locator("#description")).to_be_focused()


# ---------------------------------------------------------------- two admins at once


async def test_two_admins_edit_one_event_and_nobody_loses_anything(signed_in):
    event = await make_event(city="Graz")
    mira, ana = await signed_in("manager"), await signed_in("owner")
    for page in (mira, ana):
        await open_details(page, event)
    await leave(mira, "City", "Vienna")
    await expect(mira.locator("#city-said")).to_have_text("Saved")
    await leave(ana, "Place", "Palm House")  # another field: no quarrel, and Mira's city stays
    await expect(ana.locator("#location-said")).to_have_text("Saved")
    assert await stored(event.id, "city") == "Vienna"
    await leave(ana, "City", "Linz")
    told = ana.locator("#city-theirs")
    await expect(told).to_contain_text("to “Vienna”. Yours is still here, not saved.", ignore_case=True)
    await expect(ana.get_by_label("City")).to_have_value("Linz")
    assert await stored(event.id, "city") == "Vienna"
    # Going on typing decides nothing.
    await leave(ana, "City", "Linz an der Donau")
    await expect(told).to_be_visible()
    assert await stored(event.id, "city") == "Vienna"
    await told.get_by_role("button", name="Save mine").click()
    await expect(ana.locator("#city-said")).to_have_text("Saved")
    await expect(told).to_have_count(0)
    assert await stored(event.id, "city") == "Linz an der Donau"
    await leave(mira, "City", "Wien")
    await mira.get_by_role("button", name="Keep theirs").click()
    await expect(mira.get_by_label("City")).to_have_value("Linz an der Donau")
    assert await stored(event.id, "city") == "Linz an der Donau"
    await leave(mira, "City", "Graz")  # and it is a field like any other again
    await expect(mira.locator("#city-said")).to_have_text("Saved")
    assert await stored(event.id, "city") == "Graz"


# ---------------------------------------------------------------- the list


async def test_a_hold_moves_the_bar_in_the_list_while_one_looks(signed_in):
    event = await make_event(title="Watched Concert", capacity=10)
    page = await signed_in("readonly")
    await page.goto("/admin/events?q=watched")
    row = page.locator(f"#sales-{event.id}")
    await expect(row).to_contain_text("0 sold · 10 left")
    await hold(event, General=4)
    await expect(row).to_contain_text("0 sold · 4 held · 6 left")


async def test_events_are_found_while_one_types_and_copied_from_the_list(signed_in):
    event = await make_event(ticket_type("Guest", price=0), title="Süße Töne", city="Łódź")
    page = await signed_in("manager", phone=True)
    await page.goto("/admin/events")
    search = page.get_by_label("Search events")
    await search.press_sequentially("susse lodz")
    await expect(page.locator(f"#event-{event.id}")).to_be_visible()
    await expect(page.locator(".event-row")).to_have_count(1)
    await expect(search).to_be_focused()
    await page.wait_for_url("**/admin/events?q=susse+lodz")
    await page.get_by_role("link", name="Drafts").click()
    await expect(page.get_by_text("Nothing matches “susse lodz”")).to_be_visible()
    await page.get_by_role("link", name="All", exact=False).first.click()
    await page.get_by_label("More for Süße Töne").click()
    await page.get_by_role("button", name="Duplicate Süße Töne").click()
    await page.wait_for_url(DETAILS)
    await expect(page.get_by_label("Title", exact=True)).to_have_value("Copy of Süße Töne")
    await expect(page.get_by_text("orders and holds did not")).to_be_visible()


# ---------------------------------------------------------------- every page, looked at


async def at_the_list(page: Page) -> None:
    event = await make_event(title="A concert with quite a long name, in a hall with one too", location="H" * 60)
    await hold(event, General=2)
    await page.goto("/admin/events?q=concert")
    await page.locator(".more summary").first.click()


async def at_nothing_found(page: Page) -> None:
    await page.goto("/admin/events?q=polka-that-nobody-plays")


async def at_an_offer_that_was_changed(page: Page) -> None:
    opens = datetime.now(UTC) + timedelta(days=2)
    event = await make_event(ticket_type(sales_start=opens), capacity=60, status="DRAFT")
    await open_details(page, event)
    await page.get_by_role("link", name="Publish", exact=True).click()
    question = page.get_by_role("dialog")
    await expect(question).to_contain_text("60 places, 1 ticket type at €24.00. Sales open")
    await database.execute("UPDATE event SET total_capacity = 600 WHERE id = $1", event.id)
    await question.get_by_role("button", name="Publish now").click()
    await expect(question.get_by_role("alert")).to_contain_text("Nothing is published yet.")
    await expect(question).to_contain_text("600 places")


async def at_a_cover_that_somebody_chose_first(page: Page) -> None:
    event = await make_event()
    await page.goto(f"/admin/events/{event.id}/cover")
    await covers.upload(event.id, photo(), actor=BOR)
    blue = {"name": "blue.jpg", "mimeType": "image/jpeg", "buffer": photo(colour=(0, 90, 200))}
    await page.get_by_label("A picture of your own").set_input_files(blue)
    await page.get_by_role("button", name="Upload").click()
    await expect(page.get_by_role("alert")).to_contain_text("Bor uploaded this picture at")
    await expect(page.get_by_role("alert")).to_be_focused()


async def at_a_new_event_with_mistakes(page: Page) -> None:
    await page.goto("/admin/events/new")
    await page.get_by_role("button", name="Create draft").click()
    await expect(page.get_by_role("alert")).to_be_visible()


async def at_the_details_with_everything_said(page: Page) -> None:
    event = await make_event(city="Graz", description="An *hour*.", status="DRAFT")
    await open_details(page, event)
    await leave(page, "Title", "")
    await expect(page.locator("#title-error")).to_be_visible()
    await leave(page, "In one line", "Strings.")
    await expect(page.locator("#summary-said")).to_have_text("Saved")
    await database.execute("UPDATE event SET city = 'Vienna' WHERE id = $1", event.id)
    await leave(page, "City", "Linz")
    await expect(page.locator("#city-theirs")).to_be_visible()
    await page.get_by_text("Preview", exact=True).last.click()


PAGES = [
    at_the_list,
    at_nothing_found,
    at_a_new_event_with_mistakes,
    at_the_details_with_everything_said,
    at_an_offer_that_was_changed,
    at_a_cover_that_somebody_chose_first,
]


@pytest.mark.parametrize("arrive", PAGES, ids=lambda page: page.__name__)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_axe_finds_nothing_about_events(signed_in, dark: bool, arrive: Callable[[Page], Awaitable[None]]):
    page = await signed_in("owner", dark=dark)
    await arrive(page)
    assert await _axe(page) == []
    await page.set_viewport_size({"width": 390, "height": 844})
    assert await _axe(page) == []
    await page.set_viewport_size({"width": 320, "height": 700})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320


async def test_axe_finds_nothing_for_whoever_only_reads(signed_in):
    event = await make_event(city="Graz", description="An *hour*.")
    for role in ("readonly", "door"):
        page = await signed_in(role)
        await open_details(page, event)
        assert await _axe(page) == []
