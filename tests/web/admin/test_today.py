"""Today: over all events, currency by currency, and pushed."""

import re
from datetime import UTC, datetime

import pytest

from models import database as db
from services.transaction import transaction
from tests.conftest import until
from tests.makers import buy, hold, hold_with_buyer, let_time_pass, make_event, start_paying, ticket_type
from tests.web.admin.test_live_desk import said
from tests.web.admin.watching import Watcher
from web.admin import today


async def test_an_empty_house_begins_with_a_first_event(signed_in):
    page = (await (await signed_in("manager")).get("/admin/home")).text
    assert "Your first event starts here." in page
    assert 'href="/admin/events/new"' in page
    assert "hx-sse:connect" not in page
    page = (await (await signed_in("readonly")).get("/admin/home")).text
    assert "Your first event starts here." in page
    assert 'href="/admin/events/new"' not in page


async def test_the_desk_begins_with_today(signed_in):
    assert (await (await signed_in("manager")).get("/admin")).headers["location"] == "/admin/home"


async def test_today_is_whole_without_a_script(signed_in, stripe):
    event = await make_event(title="Patch Night", capacity=40, timezone="Europe/Vienna")
    await make_event(status="DRAFT", timezone="Europe/Vienna")
    await buy(event, stripe, General=2)
    await hold(event, General=3)
    text = said((await (await signed_in("manager")).get("/admin/home")).text)
    for words in (
        ", Mira",
        "Sales today €48 €0 yesterday",
        "Tickets today 2 1 order",
        "On hold now 3 1 person at checkout",
        "On sale 1 1 draft waiting",
        "Sales, last 14 days",
        "€48 · 2 tickets. Days in CE",
        "Ana K. bought 2 tickets",
        "Patch Night · €48.00",
        "Someone is holding 3 tickets",
        "Patch Night 2 sold · 3 on hold · 35 free",
    ):
        assert words in text


async def test_several_currencies_stand_side_by_side_and_the_chart_counts_tickets(signed_in, stripe):
    await buy(await make_event(), stripe)
    await buy(await make_event(currency="CHF"), stripe, General=2)
    page = (await (await signed_in("manager")).get("/admin/home")).text
    assert "Sales today CHF 48 + €24" in said(page)
    assert 'aria-label="Tickets sold per day; most: 3 tickets' in page
    assert "CHF\N{NO-BREAK SPACE}48 + €24</td>" in page


async def test_sales_of_yesterday_are_yesterdays(signed_in, stripe):
    event = await make_event()
    await buy(event, stripe)
    async with transaction():
        await db.execute("SET LOCAL session_replication_role = replica")
        await db.execute("UPDATE orders SET created_at = date_trunc('day', clock_timestamp()) - interval '1 minute'")
    text = said((await (await signed_in("manager")).get("/admin/home")).text)
    assert "Sales today €0 €24 yesterday" in text
    assert "Tickets today 0 0 orders" in text


async def test_more_events_than_fit_are_counted(signed_in):
    for _ in range(10):
        await make_event(ticket_type())
    page = (await (await signed_in("manager")).get("/admin/home")).text
    assert page.count('class="capbar"') == 8
    assert "and 2 more events" in page


async def test_what_needs_attention_leads_to_the_payments(signed_in, stripe):
    await start_paying(await hold_with_buyer(await make_event()))
    await let_time_pass(minutes=20)
    page = (await (await signed_in("manager")).get("/admin/home")).text
    assert "1 payment needs attention. Look at it" in said(page)


@pytest.mark.parametrize(
    ("hour", "words"),
    [(4, "Good evening"), (5, "Good morning"), (11, "Good morning"), (12, "Good afternoon"), (18, "Good evening")],
)
def test_the_greeting_goes_by_the_clock_where_most_events_are(hour, words):
    assert today.greeting(datetime(2026, 12, 1, hour, tzinfo=UTC), "UTC") == words
    assert today.greeting(datetime(2026, 12, 1, 3, tzinfo=UTC), "Asia/Tokyo") == "Good afternoon"


async def test_the_door_does_not_see_sales(signed_in):
    desk = await signed_in("door")
    for path in ("", "/live", "/now"):
        assert (await desk.get(f"/admin/home{path}")).status_code == 403


async def test_today_hears_of_every_event(app, hub, stripe):
    one, other = await make_event(title="One"), await make_event(title="Other")
    watcher = await Watcher.at(app, "/admin/home/live")
    await until(lambda: watcher.regions() == set(today.REGIONS))
    await hold(one, General=2)
    await until(lambda: watcher.sees("is holding 2 tickets", "One · until"))
    await buy(other, stripe, General=3)
    await until(lambda: watcher.sees("bought 3 tickets", "Other · €72.00", ">€72<"))
    watcher.go_away()


async def test_a_poll_brings_every_region_once(signed_in, script):
    await make_event()
    answer = await (await signed_in("manager")).get("/admin/home/now", headers=script)
    for region in today.REGIONS:
        assert len(re.findall(rf'id="{region}"', answer.text)) == 1
