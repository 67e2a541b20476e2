"""The desk's orders: they arrive while one looks, and are found in any spelling; phone, keyboard, without scripts."""

import asyncio
import csv
import io
import os
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from models import database as db
from services import live
from tests.journeys.steps import buy
from tests.journeys.test_every_page import _axe
from tests.makers import Made, make_event
from tests.orders import make_orders

# Where to leave a picture of every page that is looked at, for whoever wants to look too.
PICTURES = os.environ.get("PICTURES")


async def sell(event: Made, count: int = 1, **buyer: str) -> None:
    await make_orders(event, count, **buyer)
    live.announce(event.id)


async def open_list(desk: Page, path: str = "/admin/orders") -> None:
    await desk.goto(path)
    await expect(desk.locator("#bell")).to_have_attribute("data-pulse", re.compile(".+"))  # it hears


def rows(desk: Page):
    return desk.locator("#rows tbody tr")


async def test_2_2_a_purchase_appears_on_the_open_list_by_itself(visitor, signed_in):
    event = await make_event(title="Winter Light")
    desk = await signed_in("manager")
    await open_list(desk)
    await buy(await visitor(), event, General=1)
    row = desk.locator("tr", has_text=await db.fetchval("SELECT number FROM orders WHERE event_id = $1", event.id))
    await expect(row).to_contain_text("Ana Kovač")
    await expect(row).to_contain_text("Completed")
    await row.get_by_role("link").click()
    await expect(desk).to_have_url(re.compile(r"/admin/orders/[0-9a-f-]{36}$"))


async def test_no_row_moves_under_a_pointer_a_focus_or_a_filter(signed_in):
    event = await make_event(title="Story Slam", capacity=500)
    await sell(event, 3)
    desk = await signed_in("door")
    await open_list(desk, f"/admin/events/{event.id}/orders")
    await expect(rows(desk)).to_have_count(3)
    await rows(desk).first.hover()
    await sell(event, 2)
    await expect(desk.locator("#arrivals")).to_contain_text("2 new orders")
    await expect(rows(desk)).to_have_count(3)
    await desk.mouse.move(5, 5)
    await rows(desk).first.get_by_role("link").focus()
    await sell(event)
    await expect(desk.locator("#arrivals")).to_contain_text("3 new orders")
    await expect(rows(desk)).to_have_count(3)
    await desk.get_by_role("link", name="3 new orders").click()
    await expect(rows(desk)).to_have_count(6)
    await expect(desk.locator("#rows-h")).to_be_focused()
    await expect(desk.locator("#arrivals")).to_be_empty()

    await desk.get_by_label("Find an order").fill("priya")
    await expect(desk.get_by_text("Nothing matches")).to_be_visible()
    await sell(event)
    await sell(event, buyer_name="Priya Sharma", buyer_email="priya@example.org")
    await expect(desk.locator("#arrivals")).to_contain_text("1 new order")
    await expect(desk.get_by_label("Find an order")).to_be_focused()


async def test_an_order_is_found_while_its_name_is_typed_in_any_spelling(signed_in):
    event = await make_event(title="Patch Night", capacity=500)
    await sell(event, buyer_name="Łucja Wójcik", buyer_email="lucja@elsewhere.net")
    await sell(event, 60)
    desk = await signed_in("readonly")
    await open_list(desk)
    await desk.get_by_label("Find an order").press_sequentially("wojcik luc", delay=30)
    await expect(rows(desk)).to_have_count(1)
    await expect(rows(desk)).to_contain_text("Łucja Wójcik")
    await expect(desk.get_by_label("Find an order")).to_be_focused()
    await expect(desk).to_have_url(re.compile(r"/admin/orders\?q=wojcik\+luc$"))
    await desk.get_by_text("Filters", exact=True).click()
    await desk.get_by_label("Status").select_option(label="Paid, tickets on their way")
    await expect(desk.get_by_text("Nothing matches")).to_be_visible()
    await desk.reload()
    await expect(desk.get_by_label("Status")).to_have_value("PAID")
    await expect(desk.get_by_label("Find an order")).to_have_value("wojcik luc")
    await desk.get_by_role("link", name="Show all orders").first.click()
    await expect(rows(desk)).to_have_count(50)


async def test_pages_are_turned_by_keyboard_and_gone_back_from(signed_in):
    event = await make_event(title="Late Bach", capacity=500)
    await sell(event, 120)
    desk = await signed_in("door")
    await open_list(desk, f"/admin/events/{event.id}/orders")
    first = await rows(desk).first.get_attribute("id")
    await desk.get_by_role("link", name="Older").focus()
    await desk.keyboard.press("Enter")
    await expect(desk.locator("#rows-h")).to_be_focused()
    await expect(desk.locator(f"#{first}")).to_have_count(0)
    await expect(desk).to_have_url(re.compile(r"\?older="))
    await desk.get_by_role("link", name="Older").click()
    await expect(rows(desk)).to_have_count(20)
    await desk.get_by_role("link", name="Newer").click()
    await expect(rows(desk)).to_have_count(50)
    await desk.go_back()
    await expect(rows(desk)).to_have_count(20)
    await desk.get_by_role("link", name="Newest").click()
    await expect(desk.locator(f"#{first}")).to_have_count(1)


async def test_what_the_list_shows_is_taken_away_as_a_file(signed_in):
    event = await make_event(slug="ink-garden", title="Ink Garden", capacity=500)
    await sell(event, 2)
    desk = await signed_in("manager")
    await open_list(desk, f"/admin/events/{event.id}/orders")
    async with desk.expect_download() as started:
        await desk.get_by_role("button", name="Export orders").click()
    download = await started.value
    assert re.fullmatch(r"orders-ink-garden-\d{4}-\d\d-\d\d\.csv", download.suggested_filename)
    text = (await asyncio.to_thread(Path(await download.path()).read_bytes)).decode("utf-8-sig")
    assert [line["Buyer"] for line in csv.DictReader(io.StringIO(text))] == ["Ana Kovač"] * 2
    await expect(desk.get_by_label("Find an order")).to_be_enabled()


async def test_all_of_it_works_without_javascript_on_a_phone(signed_in):
    event = await make_event(title="Choir by Candle", capacity=500)
    await make_orders(event, 60)
    await make_orders(event, 1, buyer_name="Søren Åkesson", buyer_email="soren@example.org")
    desk = await signed_in("manager", javascript=False, phone=True)
    await desk.goto(f"/admin/orders?event={event.id}")
    await desk.get_by_label("Find an order").fill("ake soren")
    await desk.get_by_role("button", name="Search").click()
    await expect(rows(desk)).to_have_count(1)
    await expect(rows(desk)).to_contain_text("Søren Åkesson")
    await desk.get_by_label("Find an order").fill("")
    await desk.get_by_role("button", name="Search").click()
    await desk.get_by_role("link", name="Older").click()
    await expect(rows(desk)).to_have_count(11)
    await desk.goto("/admin/orders?from=2026-02-30")
    await expect(desk.locator("#from-error")).to_contain_text("There is no such day")


# ---------------------------------------------------------------- every state, looked at


async def all_orders(desk: Page, event: Made) -> None:
    await open_list(desk)


async def an_events_own(desk: Page, event: Made) -> None:
    await open_list(desk, f"/admin/events/{event.id}/orders")


async def found_and_narrowed(desk: Page, event: Made) -> None:
    await open_list(desk, f"/admin/orders?q=ana&event={event.id}&status=COMPLETED&money=none")


async def nothing_found(desk: Page, event: Made) -> None:
    await open_list(desk, "/admin/orders?q=polka")


async def none_yet(desk: Page, event: Made) -> None:
    await open_list(desk, f"/admin/events/{(await make_event(title='Nothing Yet')).id}/orders")


async def a_day_that_is_none(desk: Page, event: Made) -> None:
    await desk.goto("/admin/orders?from=2026-02-30&to=1999-01-01")


async def something_new(desk: Page, event: Made) -> None:
    await open_list(desk, f"/admin/events/{event.id}/orders?q=ana")
    await sell(event)
    await expect(desk.locator("#arrivals a")).to_be_visible()


STATES = [all_orders, an_events_own, found_and_narrowed, nothing_found, none_yet, a_day_that_is_none, something_new]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_axe_finds_nothing_and_nothing_is_wider_than_a_phone(signed_in, dark):
    event = await make_event(title="An Evening with a Rather Long Name, and a Guest", capacity=500)
    await make_orders(
        event, 55, buyer_name="Maximiliane Featherstonehaugh-Kovačević", buyer_email="ana" * 12 + "@x.org"
    )
    await make_orders(event, 2, status="PAID")
    for arrive in STATES:
        desk = await signed_in("owner", dark=dark)
        await arrive(desk, event)
        for width in (1280, 390):
            await desk.set_viewport_size({"width": width, "height": 900})
            await expect(desk.locator("[aria-busy=true], .htmx-request")).to_have_count(0)
            if PICTURES:
                name = f"{arrive.__name__}-{width}-{'dark' if dark else 'light'}.png"
                await desk.screenshot(path=Path(PICTURES) / name)
            assert await _axe(desk) == [], arrive.__name__
        await desk.set_viewport_size({"width": 320, "height": 700})
        assert await desk.evaluate("document.documentElement.scrollWidth") <= 320, arrive.__name__
        await desk.context.close()
