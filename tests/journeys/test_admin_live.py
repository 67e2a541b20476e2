"""An organiser watches while others hold, buy, let go and run out of time; and what happens when the line is cut."""

import re
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, expect

from models import database
from services import admin_sessions
from tests.journeys.steps import buy, choose, give_back, hold, open_event
from tests.journeys.test_every_page import _axe
from tests.makers import Made, let_time_run_out, make_event, ticket_type


async def watch(page: Page, event: Made, query: str = "") -> None:
    await page.goto(f"/admin/events/{event.id}{query}")
    await expect(page.locator("#live-state")).to_have_attribute("data-state", "on")
    await page.evaluate("window.stillHere = true")


def figure(page: Page, name: str):
    return page.locator("#figures > div", has=page.get_by_text(name, exact=True))


async def never_reloaded(page: Page) -> bool:
    return await page.evaluate("window.stillHere === true")


async def test_an_organiser_watches_holds_sales_and_what_comes_back(visitor, signed_in):
    event = await make_event(capacity=10)
    desk, buyer = await signed_in("manager"), await visitor()
    await watch(desk, event)
    feed = desk.locator("#feed")
    await open_event(buyer, event)
    await choose(buyer, event, General=4)
    await hold(buyer)
    await expect(figure(desk, "Left")).to_contain_text("6")
    await expect(figure(desk, "On hold")).to_contain_text("1 person at checkout")
    await expect(feed).to_contain_text("Someone is holding 4 tickets")
    await give_back(buyer)
    await expect(feed).to_contain_text("gave 4 tickets back")
    await buy(buyer, event, General=2)
    await expect(feed).to_contain_text("Ana K. bought 2 tickets")
    await expect(figure(desk, "Taken")).to_contain_text("€48")
    await open_event(buyer, event)
    await choose(buyer, event, General=1)
    await hold(buyer)
    await expect(feed).to_contain_text("Someone is holding 1 ticket")
    last = await database.fetchval(
        "SELECT id FROM checkout WHERE event_id = $1 ORDER BY created_at DESC LIMIT 1", event.id
    )
    await let_time_run_out(last, seconds_ago=-2)
    await expect(feed).to_contain_text("Someone let 1 ticket go", timeout=30_000)
    assert await never_reloaded(desk)


async def test_what_somebody_reads_stays_as_they_left_it(visitor, signed_in):
    event = await make_event(capacity=10)
    desk, buyer = await signed_in("manager"), await visitor()
    await buy(buyer, event, General=1)
    await watch(desk, event)
    await desk.get_by_text("Show as a table").click()
    await expect(desk.get_by_role("table")).to_be_visible()
    link = desk.locator("#feed a").first
    await link.focus()
    await buy(buyer, event, General=2)
    await expect(desk.locator("#feed")).to_contain_text("bought 2 tickets")
    await expect(desk.get_by_role("table")).to_be_visible()
    await expect(desk.get_by_role("row").nth(1)).to_contain_text("3")
    await expect(desk.locator("#feed a", has_text="Ana K.").last).to_be_focused()


async def test_hours_or_days_is_a_link_and_both_are_live(visitor, signed_in):
    event = await make_event(capacity=10)
    desk, buyer = await signed_in("manager"), await visitor()
    await watch(desk, event)
    await desk.get_by_role("link", name="14 days").press("Enter")
    await expect(desk.get_by_role("heading", name="Tickets sold, last 14 days")).to_be_visible()
    await expect(desk.locator("#live-state")).to_have_attribute("data-state", "on")
    await expect(desk.get_by_role("img", name=re.compile("per day: none"))).to_be_visible()
    await buy(buyer, event, General=2)
    await expect(desk.get_by_role("img", name=re.compile("per day; most: 2 tickets"))).to_be_visible()


async def test_leaving_the_tab_ends_its_stream_and_coming_back_opens_one(signed_in):
    event = await make_event()
    desk = await signed_in("manager")
    await watch(desk, event)
    await desk.locator("#tab-details").click()
    await expect(desk.locator("#live")).to_have_count(0)
    await desk.locator("#tab-live").click()
    await expect(desk.locator("#live-state")).to_have_attribute("data-state", "on")
    assert await never_reloaded(desk)


async def test_today_moves_too(visitor, signed_in):
    event = await make_event(title="Harp Afternoon")
    desk, buyer = await signed_in("manager"), await visitor()
    await desk.goto("/admin/home")
    await expect(desk.locator("#live-state")).to_have_attribute("data-state", "on")
    await buy(buyer, event, General=2)
    await expect(desk.locator("#feed")).to_contain_text("Harp Afternoon · €48.00")


async def test_cut_off_from_the_stream_it_says_so_polls_and_comes_back(visitor, signed_in):
    event = await make_event(capacity=10)
    visitor.expect("net::ERR_FAILED", "htmx:error")
    desk, buyer = await signed_in("manager"), await visitor()
    cut = True

    async def at_the_stream(route) -> None:
        await (route.abort() if cut else route.continue_())

    await desk.route("**/live?by=hour", at_the_stream)
    await desk.goto(f"/admin/events/{event.id}")
    await expect(desk.locator("#live-state")).to_have_text("Reconnecting")
    await open_event(buyer, event)
    await choose(buyer, event, General=3)
    await hold(buyer)
    await expect(figure(desk, "Left")).to_contain_text("7", timeout=20_000)
    cut = False
    await expect(desk.locator("#live-state")).to_have_text("Live", timeout=30_000)


@pytest.mark.parametrize("how", ["signed out", "another role"])
async def test_a_page_whose_session_is_over_says_so(visitor, signed_in, how):
    visitor.expect("status 401", "status 403")
    event = await make_event()
    desk = await signed_in("manager")
    await watch(desk, event)
    session = next(cookie["value"] for cookie in await desk.context.cookies() if cookie["name"] == "desk")
    if how == "signed out":
        await admin_sessions.end(admin_sessions.hashed(session))
    else:
        await database.execute(
            "UPDATE admin SET role = 'door' WHERE id = (SELECT admin_id FROM admin_session WHERE id = $1)",
            admin_sessions.hashed(session),
        )
    words = desk.get_by_role("alert").filter(has_text="This page stands still")
    await expect(words).to_be_visible(timeout=40_000)
    assert (await words.get_by_role("link", name="Sign in").get_attribute("href")) == (
        f"/admin/login?next=%2Fadmin%2Fevents%2F{event.id}"
    )
    await expect(desk.locator("#live-state")).to_have_count(0)


async def test_when_redis_dies_and_comes_back_the_page_goes_on(visitor, signed_in, fragile_redis):
    event = await make_event(capacity=10)
    desk, buyer = await signed_in("manager"), await visitor()
    await watch(desk, event)
    await open_event(buyer, event)
    await fragile_redis.kill()
    await choose(buyer, event, General=2)
    await hold(buyer)
    await expect(figure(desk, "Left")).to_contain_text("8", timeout=20_000)
    fragile_redis.bring_back()
    await give_back(buyer)
    await expect(figure(desk, "Left")).to_contain_text("10", timeout=20_000)
    assert await never_reloaded(desk)


async def test_without_a_script_the_page_is_whole(visitor, signed_in):
    event = await make_event(capacity=10)
    await buy(await visitor(), event, General=2)
    desk = await signed_in("manager", javascript=False)
    await desk.goto(f"/admin/events/{event.id}")
    await expect(figure(desk, "Sold")).to_contain_text("2 today")
    await expect(desk.locator("#feed")).to_contain_text("Ana K. bought 2 tickets")
    await expect(desk.locator("#live-state")).to_be_hidden()
    await desk.get_by_role("link", name="14 days").click()
    await expect(desk.get_by_role("heading", name="Tickets sold, last 14 days")).to_be_visible()


# ---------------------------------------------------------------- looked at


async def at_a_busy_event(page: Page) -> None:
    event = await make_event(ticket_type("General"), ticket_type("A name that is as long as names of tickets become"))
    from tests.makers import hold as hold_by_hand
    from tests.makers import hold_with_buyer

    await let_time_run_out(await hold_with_buyer(event, General=2), seconds_ago=-100)
    await let_time_run_out(await hold_by_hand(event, General=1))
    await watch(page, event)
    await page.get_by_text("Show as a table").click()


async def at_an_event_with_nothing_sold(page: Page) -> None:
    await watch(page, await make_event(ticket_type(price=0), title="W" * 60))


async def at_today(page: Page) -> None:
    await make_event()
    await page.goto("/admin/home")
    await expect(page.locator("#live-state")).to_have_attribute("data-state", "on")


@pytest.mark.parametrize("arrive", [at_a_busy_event, at_an_event_with_nothing_sold, at_today], ids=lambda a: a.__name__)
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
