"""Pages that are live: side by side, cut off, and while the buyer is choosing."""

import re
from datetime import timedelta

from playwright.async_api import expect

from models import database
from models.stock import lock
from services.transaction import transaction
from tests.journeys.steps import availability, choose, give_back, hold, open_event, quantity
from tests.makers import let_time_run_out, make_event, ticket_type


async def test_ac_1_two_visitors_see_each_others_holds_and_releases_live(visitor):
    event = await make_event(capacity=10)
    ana, ben = await visitor(), await visitor(phone=True)
    await open_event(ana, event)
    await open_event(ben, event)
    await expect(availability(ben, event)).to_contain_text("10 left")
    await choose(ana, event, General=4)
    await hold(ana)
    await expect(availability(ben, event)).to_contain_text("6 left", timeout=2_000)
    await expect(ben.locator("#avail-event")).to_contain_text("6 of 10")
    await give_back(ana)
    await expect(availability(ben, event)).to_contain_text("10 left", timeout=2_000)


async def test_what_is_chosen_survives_every_push_and_is_warned_about(visitor):
    event = await make_event(capacity=5)
    ana, ben = await visitor(), await visitor()
    await open_event(ana, event)
    await choose(ana, event, General=4)
    await quantity(ana, event).focus()
    await open_event(ben, event)
    await choose(ben, event, General=3)
    await hold(ben)
    await expect(availability(ana, event)).to_contain_text("2 left")
    await expect(quantity(ana, event)).to_have_value("4")
    await expect(quantity(ana, event)).to_be_focused()
    await expect(ana.locator("[data-stock-note]")).to_contain_text("You chose 4, but only 2 are left now")


async def test_whoever_chose_more_than_makes_an_order_now_is_told_so(visitor):
    event = await make_event(ticket_type(min_per_order=2), capacity=5)
    ana, ben = await visitor(), await visitor()
    await open_event(ana, event)
    await quantity(ana, event).fill("4")
    await open_event(ben, event)
    await quantity(ben, event).fill("4")
    await hold(ben)
    await expect(availability(ana, event)).to_contain_text("1 left, and it is sold from 2 on. The next may return at")
    await expect(ana.locator("[data-stock-note]")).to_contain_text("Only 1 General is left, and it is sold from 2 on.")


async def test_ac_3_what_is_left_is_offered_in_place(visitor):
    event = await make_event(ticket_type("General"), ticket_type("Front row", price=3600, allocation=2), capacity=9)
    page = await visitor()
    await open_event(page, event)
    await quantity(page, event, "Front row").fill("5")
    await quantity(page, event).fill("1")
    await page.get_by_role("button", name="Hold my tickets").first.click()
    answer = page.locator(f"#answer-{event.types['Front row']}")
    await expect(answer).to_contain_text("2")
    await expect(answer).to_contain_text("5")
    await expect(quantity(page, event)).to_have_value("1")
    await answer.get_by_role("button").first.click()
    await page.wait_for_url(re.compile("/checkouts/"))
    await expect(page.get_by_text("tickets held for you")).to_be_visible()


async def test_a_price_and_a_new_ticket_type_arrive_while_the_page_is_open(visitor, redis_url):
    from redis.asyncio import Redis

    from services import live

    event = await make_event(ticket_type("General"), ticket_type("Student", price=900, is_enabled=False))
    page = await visitor()
    await open_event(page, event)
    await expect(page.get_by_text("Student")).to_have_count(0)
    await choose(page, event, General=1)
    async with transaction():
        await lock(event.id)
        await database.execute("UPDATE ticket_type SET is_enabled = true WHERE event_id = $1", event.id)
        await database.execute("UPDATE ticket_type SET price = 2600 WHERE id = $1", event.types["General"])
    async with Redis.from_url(redis_url) as redis:
        await redis.publish(live.CHANNEL, event.id.bytes)
    await expect(page.get_by_role("heading", name="Student")).to_be_visible()
    await expect(page.locator("[data-summary-total]").first).to_have_text("€26.00")
    await expect(quantity(page, event)).to_have_value("1")


async def test_cut_off_from_the_stream_the_page_polls_and_comes_back_by_itself(visitor):
    event = await make_event(capacity=10)
    visitor.expect("net::ERR_FAILED", "htmx:error")
    page = await visitor()
    cut = True

    async def at_the_stream(route):
        await (route.abort() if cut else route.continue_())

    await page.route("**/live", at_the_stream)
    await page.goto(f"/events/{event.slug}")
    await expect(page.locator("#live-state")).to_have_attribute("data-state", "off")
    other = await visitor()
    await open_event(other, event)
    await choose(other, event, General=3)
    await hold(other)
    await expect(availability(page, event)).to_contain_text("7 left", timeout=15_000)
    cut = False
    await expect(page.locator("#live-state")).to_have_attribute("data-state", "on", timeout=20_000)


async def test_ac_7_a_hold_runs_out_while_the_buyer_watches(visitor):
    event = await make_event(capacity=2)
    page, other = await visitor(), await visitor()
    await open_event(page, event)
    await open_event(other, event)
    await choose(page, event, General=2)
    await hold(page)
    await expect(availability(other, event)).to_contain_text("All held right now. The next may return at")
    checkout_id = await database.fetchval("SELECT id FROM checkout WHERE event_id = $1", event.id)
    await let_time_run_out(checkout_id, seconds_ago=-4)
    await page.reload()
    await expect(page.locator("[data-hold-left]")).to_have_text(re.compile(r"0:0\d"))
    await expect(page.get_by_role("heading", name="Your hold has ended")).to_be_visible(timeout=8_000)
    await expect(page.get_by_text("You have not been charged")).to_be_visible()
    await expect(availability(other, event)).to_contain_text("2 left", timeout=4_000)
    await page.get_by_role("button", name=re.compile("Start again")).click()
    await expect(page.get_by_text("2 tickets held for you")).to_be_visible()


async def test_2_1_events_are_found_without_a_reload_and_past_ones_never(visitor):
    from datetime import UTC, datetime

    await make_event(title="Zither Afternoon", city="Graz")
    await make_event(title="Zither Yesterday", start_date=datetime.now(UTC) - timedelta(days=1))
    await make_event(title="Zither in a Drawer", status="DRAFT")
    page = await visitor()
    await page.goto("/")
    await page.evaluate("window.stillHere = true")
    await page.get_by_role("searchbox").fill("zither")
    await expect(page.locator("#results article")).to_have_count(1)
    await expect(page.locator("#results")).to_contain_text("Zither Afternoon")
    assert "q=zither" in page.url
    await page.get_by_role("searchbox").fill("polka that nobody plays")
    await expect(page.get_by_text("Nothing matches")).to_be_visible()
    assert await page.evaluate("window.stillHere") is True


async def test_the_list_is_live_too(visitor):
    event = await make_event(title="Xylophone Night", capacity=6)
    page, other = await visitor(), await visitor()
    await page.goto("/?q=xylophone")
    await expect(page.locator("#results .pill").first).to_contain_text("6 left")
    await open_event(other, event)
    await choose(other, event, General=4)
    await hold(other)
    await expect(page.locator("#results .pill").first).to_contain_text("2 left")
