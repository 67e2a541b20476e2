"""The live desk of an event: whole at load, pushed while somebody watches, and for nobody else."""

import re
from datetime import datetime

import pytest
from litestar import Litestar

from domain import access as rules
from domain.access import Permission, Role
from domain.refunds import Money
from models import database as db
from services import admin_sessions, checkout
from tests.conftest import until
from tests.makers import (
    buy,
    hold,
    hold_with_buyer,
    let_time_pass,
    let_time_run_out,
    make_event,
    start_paying,
    ticket_type,
)
from tests.services.refunding import refund
from tests.web.admin.watching import Watcher
from web import live
from web.admin import feed, live_desk


def address(event) -> str:
    return f"/admin/events/{event.id}"


def said(page: str) -> str:
    """A page as text."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


async def watch(app: Litestar, event, *, role: str = "manager", query: str = "") -> Watcher:
    watcher = await Watcher.at(app, f"{address(event)}/live{query}", role)
    await until(lambda: watcher.sees("figures", "said"))
    return watcher


# ---------------------------------------------------------------- the page


async def test_the_page_is_whole_without_a_script(signed_in, stripe):
    event = await make_event(ticket_type(), ticket_type("Student", price=1200, allocation=10), capacity=40)
    await refund(await buy(event, stripe, General=2), Money(500))
    await hold(event, Student=3)
    text = said((await (await signed_in("manager")).get(address(event))).text)
    for words in (
        "Sold 2 2 today · 0 yesterday",
        "On hold 3 1 person at checkout",
        "Left 35 of 40",
        "Taken €48 €48 today · €0 yesterday",
        "Refunded €5 1 refund",
        "Ana K. bought 2 tickets",
        "Ana K. gets €5.00 back",
        "Someone is holding 3 tickets",
        "All tickets 2 sold · 3 on hold · 35 free",
        "General 2 sold · 0 on hold · shares what is free",
        "Student 0 sold · 3 on hold · 7 free",
        "No hold runs out in the next 5 minutes.",
    ):
        assert words in text
    assert "Sales by" not in text


@pytest.mark.parametrize(
    ("name", "short"),
    [("Ana Kovač", "Ana K."), ("Ana", "Ana"), ("Ana Maria Kovač 😀", "Ana K."), ("ליאורה כהן", "ליאורה כ.")],
)
def test_people_are_named_as_short_as_they_can_be_known_by(name, short):
    assert feed.short(name) == short


async def test_the_chart_says_in_a_table_what_its_bars_show(signed_in, stripe):
    event = await make_event(timezone="Asia/Kolkata")
    await buy(event, stripe, General=2)
    desk = await signed_in("manager")
    by_hour = (await desk.get(address(event))).text
    assert 'aria-label="Tickets sold per hour; most: 2 tickets, ' in by_hour
    assert len(re.findall(r'<th scope="row">', by_hour)) == 24
    by_day = (await desk.get(f"{address(event)}?by=day")).text
    assert 'aria-label="Tickets sold per day; most: 2 tickets, ' in by_day
    assert len(re.findall(r'<th scope="row">', by_day)) == 14
    assert ', today</th><td class="r">2</td><td class="r">1</td><td class="r">€48</td>' in by_day
    assert "Days in IST." in by_day


async def test_a_free_event_speaks_of_no_money(signed_in, stripe):
    event = await make_event(ticket_type(price=0))
    text = said((await (await signed_in("manager")).get(address(event))).text)
    assert "Left 30 of 30" in text
    assert "Taken €" not in text
    assert "Refunded" not in text


async def test_nothing_sold_yet_is_said_in_words(signed_in):
    text = said((await (await signed_in("manager")).get(address(await make_event(status="DRAFT")))).text)
    assert "Nothing was sold in the last 24 hours. Hours in UTC." in text
    assert "Nothing yet. Every hold, sale and refund appears here by itself." in text


async def test_what_came_of_each_visit_is_one_line(signed_in, stripe):
    event = await make_event(capacity=50)
    back, lapsed, paying = await hold(event, General=1), await hold(event, General=2), await hold_with_buyer(event)
    await checkout.give_back(back)
    await let_time_run_out(lapsed)
    intent = await start_paying(paying)
    await db.execute("UPDATE payment SET status = 'CAPTURING' WHERE reference = $1", intent.reference)
    text = said((await (await signed_in("manager")).get(address(event))).text)
    assert "Someone gave 1 ticket back" in text
    assert re.search(r"Someone let 2 tickets go \w+ hold ended", text)
    assert "Ana K. is paying for 1 ticket" in text


async def test_holds_that_run_out_soon_are_counted_and_the_first_are_named(signed_in):
    event = await make_event(capacity=50)
    for _ in range(10):
        await let_time_run_out(await hold(event, General=2), seconds_ago=-130)
    named = await hold_with_buyer(event, General=1)
    await let_time_run_out(named, seconds_ago=-20)
    text = said((await (await signed_in("manager")).get(address(event))).text)
    assert "Running out soon 21 tickets" in text
    assert "Ana K. · 1 ticket 1 min left" in text
    assert "and 3 more holds" in text


async def test_overdue_holds_are_shown_as_free_before_anybody_sweeps_them(signed_in):
    event = await make_event(capacity=10)
    await let_time_run_out(await hold(event, General=4))
    text = said((await (await signed_in("manager")).get(address(event))).text)
    assert "On hold 0 nobody at checkout" in text
    assert "Left 10 of 10" in text


async def test_payments_of_this_event_that_need_attention_are_counted(signed_in, stripe):
    event, other = await make_event(), await make_event()
    for of in (event, other):
        await start_paying(await hold_with_buyer(of))
    desk = await signed_in("manager")
    assert "attention. " not in said((await desk.get(address(event))).text)
    await let_time_pass(minutes=20)
    page = (await desk.get(address(event))).text
    assert "1 payment of this event needs attention. Look at it" in said(page)
    assert 'href="/admin/payments"' in page


async def test_who_may_not_see_orders_is_told_no_names(signed_in, stripe, monkeypatch):
    fewer = rules._MAY[Role.READONLY] - {Permission.SEE_ORDERS, Permission.SEE_PAYMENTS}
    monkeypatch.setitem(rules._MAY, Role.READONLY, fewer)
    event = await make_event()
    await buy(event, stripe)
    await let_time_run_out(await hold_with_buyer(event), seconds_ago=-60)
    page = (await (await signed_in("readonly")).get(address(event))).text
    assert "Someone bought 1 ticket" in said(page)
    assert "Ana" not in page
    assert 'href="/admin/orders/' not in page
    assert re.search(
        r'href="/admin/orders/[\w-]+"><b>Ana K.', (await (await signed_in("manager")).get(address(event))).text
    )


async def test_a_name_cannot_be_markup(signed_in):
    event = await make_event()
    await checkout.remember_buyer(await hold(event), name="<b>Ana</b> <i>Kovač", email="ana@example.org")
    page = (await (await signed_in("manager")).get(address(event))).text
    assert "&lt;b&gt;Ana&lt;/b&gt;" in page
    assert "<b>Ana</b>" not in page


async def test_no_event_by_that_id_is_not_found_on_every_way(signed_in):
    desk = await signed_in("manager")
    nowhere = "/admin/events/00000000-0000-7000-8000-000000000000"
    for path in ("", "/live", "/now"):
        assert (await desk.get(nowhere + path)).status_code == 404


async def test_a_page_whose_stream_is_away_asks_for_everything(signed_in, stripe, script):
    event = await make_event()
    await buy(event, stripe)
    answer = await (await signed_in("manager")).get(f"{address(event)}/now?by=day", headers=script)
    assert answer.headers["cache-control"] == "no-store"
    targets = re.findall(r'<hx-partial hx-target="#([\w-]+)" hx-swap="outerMorph">', answer.text)
    assert targets == list(live_desk.REGIONS)
    for region in targets:
        assert answer.text.count(f'id="{region}"') == 1
    assert "Days in UTC." in answer.text


# ---------------------------------------------------------------- pushed


async def test_a_hold_a_sale_and_a_gift_back_arrive_by_themselves(app, hub, stripe):
    event = await make_event(capacity=30)
    watcher = await watch(app, event)
    visit = await hold(event, General=2)
    await until(lambda: watcher.sees("is holding 2 tickets", ">28<", "1 person at checkout"))
    await checkout.give_back(visit)
    await until(lambda: watcher.sees("gave 2 tickets back"))
    await buy(event, stripe, General=3)
    await until(lambda: watcher.sees("bought 3 tickets", ">27<", "€72"))
    watcher.go_away()


async def test_only_regions_that_changed_are_sent(app, hub):
    event = await make_event(capacity=30)
    watcher = await watch(app, event)
    assert watcher.regions() == set(live_desk.REGIONS), "at first all of them"
    watcher.forget()
    await hold(event, General=2)
    await until(lambda: watcher.sees("is holding 2 tickets"))
    assert watcher.regions() == {"figures", "feed", "capacity"}
    watcher.go_away()


async def test_a_hold_that_lapses_shows_with_nobody_announcing_it(app, hub):
    event = await make_event(capacity=30)
    await let_time_run_out(await hold(event, General=2), seconds_ago=-1.5)
    watcher = await watch(app, event)
    assert watcher.sees("is holding 2 tickets", "1 min left")
    await until(lambda: watcher.sees("let 2 tickets go", "nobody at checkout", "No hold runs out"))
    watcher.go_away()


async def test_a_hold_that_comes_within_five_minutes_shows_by_itself(app, hub):
    event = await make_event(capacity=30)
    await let_time_run_out(await hold(event, General=2), seconds_ago=-301.5)
    watcher = await watch(app, event)
    assert not watcher.sees("min left")
    await until(lambda: watcher.sees("5 min left"))
    watcher.go_away()


async def test_a_screen_reader_is_told_when_all_is_gone_and_of_no_single_hold(app, hub):
    event = await make_event(capacity=2)
    watcher = await watch(app, event)
    assert watcher.text.count('role="status"') == 1
    assert "aria-live" not in watcher.text
    watcher.forget()
    await hold(event, General=1)
    await until(lambda: watcher.sees("is holding 1 ticket"))
    assert "said" not in watcher.regions()
    await hold(event, General=1)
    await until(lambda: watcher.sees("Everything that is left is on hold."))
    watcher.go_away()


async def test_who_sees_the_same_shares_one_look_and_who_may_see_less_has_another(app, hub, monkeypatch):
    monkeypatch.setitem(rules._MAY, Role.READONLY, rules._MAY[Role.READONLY] - {Permission.SEE_ORDERS})
    event = await make_event()
    watchers = [await watch(app, event, role=role) for role in ("owner", "manager", "readonly")]
    assert len(hub._topics) == 2
    await hold_with_buyer(event)
    await hold(event)
    await until(lambda: all(w.sees("is holding") for w in watchers))
    assert "Ana K." not in watchers[2].text
    for watcher in watchers:
        watcher.go_away()
    await until(lambda: not hub._topics)


async def test_what_is_pushed_carries_no_form_and_no_token(app, hub, stripe):
    event = await make_event()
    await buy(event, stripe)
    watcher = await watch(app, event)
    for word in ("<form", "csrf", watcher.token, "Mira Novak"):
        assert word not in watcher.text
    watcher.go_away()


async def test_another_events_sales_are_none_of_this_pages_business(app, hub):
    event, other = await make_event(), await make_event()
    watcher = await watch(app, event)
    watcher.forget()
    await hold(other, General=2)
    visit = await hold(event, General=1)
    await until(lambda: watcher.sees(str(visit)))
    assert "holding 2 tickets" not in watcher.text
    watcher.go_away()


# ---------------------------------------------------------------- as long as one is welcome


async def test_a_stream_ends_within_a_heartbeat_when_its_session_ends(app, hub):
    watcher = await watch(app, await make_event())
    await watcher.sign_out()
    await until(lambda: watcher.ended)
    assert hub.open_streams == 0


async def test_a_stream_ends_when_its_admin_is_disabled(app, hub):
    watcher = await watch(app, await make_event())
    await db.execute("UPDATE admin SET disabled_at = clock_timestamp() WHERE id = $1", watcher.admin.id)
    await until(lambda: watcher.ended)


async def test_a_stream_ends_when_the_role_no_longer_allows_it(app, hub):
    watcher = await watch(app, await make_event())
    await db.execute("UPDATE admin SET role = 'door' WHERE id = $1", watcher.admin.id)
    await until(lambda: watcher.ended)


async def test_a_stream_with_names_ends_when_only_names_are_no_longer_allowed(app, hub, monkeypatch):
    watcher = await watch(app, await make_event())
    monkeypatch.setitem(rules._MAY, Role.READONLY, rules._MAY[Role.READONLY] - {Permission.SEE_ORDERS})
    await db.execute("UPDATE admin SET role = 'readonly' WHERE id = $1", watcher.admin.id)
    await until(lambda: watcher.ended)


async def test_nothing_more_is_said_once_the_session_is_over(app, hub, monkeypatch):
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 60.0)
    event = await make_event()
    watcher = await watch(app, event)
    await watcher.sign_out()
    watcher.forget()
    await hold(event, General=2)
    await until(lambda: watcher.ended)
    assert "holding" not in watcher.text


async def test_an_open_live_page_keeps_no_session_alive(app, hub):
    watcher = await watch(app, await make_event())
    await let_time_pass(minutes=20)
    seen = await _last_seen(watcher)
    beats = watcher.text.count("event: beat")
    await until(lambda: watcher.text.count("event: beat") >= beats + 3)
    assert await _last_seen(watcher) == seen
    await let_time_pass(minutes=11)
    await until(lambda: watcher.ended)


async def test_when_nobody_can_be_asked_the_stream_ends_without_noise(app, hub, monkeypatch):
    watcher = await watch(app, await make_event())

    async def away(*_: object, **__: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(admin_sessions, "find", away)
    await until(lambda: watcher.ended)
    assert watcher.browser.task.exception() is None


async def _last_seen(watcher: Watcher) -> datetime:
    return await db.fetchval(
        "SELECT last_seen_at FROM admin_session WHERE id = $1", admin_sessions.hashed(watcher.token)
    )
