"""The demo shop: every state a buyer can meet, real rows behind every number, and the same again at the next start."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from domain import inventory
from domain.errors import TicketTypeNotOnSale
from domain.events import EventStatus, is_over, sale_of
from domain.inventory import Level
from models import database as db
from models import invariants, stock
from models.stock import Shelf
from sandbox.demo import load as loading
from sandbox.demo import programme
from sandbox.demo.load import Loaded
from sandbox.demo.programme import Listing
from services import checkout, reconciliation, reservations
from services.transaction import transaction
from tests.conftest import EMPTY, TABLES
from tests.makers import key

ROOT = Path(__file__).parent.parent.parent
LISTINGS = {listing.slug: listing for listing in programme.read()}
VISIBLE = [listing for listing in LISTINGS.values() if listing.status == EventStatus.PUBLISHED and not listing.once]


async def test_every_state_is_there(opened) -> None:
    assert await levels("two-thousand-voices") == {
        "Soprano": Level.PLENTY,
        "Alto": Level.PLENTY,
        "Tenor": Level.PLENTY,
        "Bass": Level.PLENTY,
        "Listener": Level.PLENTY,
        "Child under 10": Level.PLENTY,
    }
    assert await levels("quiz-of-doubt") == {"Place at a table": Level.FEW}
    assert await levels("sauerteig-und-suesses") == {"Place at the bench": Level.FEW}
    assert await levels("lodz-letterpress") == {"Place at the press": Level.OUT}
    assert await levels("a-very-small-hamlet") == {"Chair": Level.HELD, "Understudy’s stool": Level.OUT}
    assert await levels("moss-at-seven") == {"Walk": Level.PLENTY, "Walk, and tea with the gardener": Level.HELD}
    assert await levels("glass-and-strings") == {
        "Early bird": Level.OUT,
        "General": Level.PLENTY,
        "Front row": Level.FEW,
        "Student": Level.PLENTY,
    }
    assert await levels("zgodbe-na-stopniscu") == {
        "A stair": Level.PLENTY,
        "The landing, with a cushion": Level.OUT,
    }
    assert set((await levels("forgotten-instruments")).values()) == {Level.NOT_YET}
    assert set((await levels("polite-half-marathon")).values()) == {Level.ENDED}
    assert set((await levels("last-tram-sings")).values()) == {Level.ENDED}


async def test_held_tickets_say_when_they_may_come_back(opened) -> None:
    shelf = await look("a-very-small-hamlet")
    assert inventory.event_remaining(shelf.stock) == 0
    (next_return,) = shelf.next_return.values()
    assert timedelta(minutes=3) < next_return - shelf.now < timedelta(minutes=15)


async def test_ac_t5_early_bird_has_the_whole_capacity_and_general_none(opened) -> None:
    shelf = await look("patch-night")
    early, general = shelf.stock.types.values()
    assert (early.allocation, general.allocation) == (shelf.stock.capacity, 0)
    assert await levels("patch-night") == {"Early bird": Level.PLENTY, "General": Level.OUT}


async def test_soon_means_that_nobody_can_buy_yet(opened) -> None:
    festival = LISTINGS["forgotten-instruments"]
    with pytest.raises(TicketTypeNotOnSale) as refusal:
        await reservations.hold_tickets(
            festival.id, wish={festival.type_id(festival.ticket_types[0]): 1}, request_key=key()
        )
    assert refusal.value.opens_at is not None


async def test_the_drafts_are_one_that_can_be_published_and_one_that_cannot(opened) -> None:
    drafts = await db.fetch("SELECT slug FROM event WHERE status = 'DRAFT' ORDER BY slug")
    assert [row["slug"] for row in drafts] == ["cheese-evening", "plants-that-hold-still"]
    assert (await look("cheese-evening")).stock.types == {}


async def test_sold_tickets_are_real_orders_at_rest(opened) -> None:
    assert await db.fetch("SELECT DISTINCT status FROM orders") == [("COMPLETED",)]
    assert await db.fetch("SELECT DISTINCT status FROM payment") == [("CAPTURED",)]
    providers = await db.fetch("SELECT DISTINCT payment_provider FROM orders ORDER BY 1")
    assert providers == [("free",), ("stripe",)]
    assert await reconciliation.reconcile() == 0, "nothing is left to ask Stripe about"
    assert await db.fetchval("SELECT count(*) FROM outbox") == 0, "nobody is sent a mail"


async def test_nobody_has_bought_outside_the_sale(opened) -> None:
    late = """SELECT e.slug FROM orders AS o
        JOIN event AS e ON e.id = o.event_id JOIN order_item AS i ON i.order_id = o.id
        JOIN ticket_type AS t ON t.id = i.ticket_type_id
        WHERE o.created_at < e.created_at OR o.created_at > least(e.start_date, t.sales_end, clock_timestamp())"""
    assert await db.fetch(late) == []


async def test_nobody_has_bought_more_or_less_than_a_buyer_may(opened) -> None:
    odd = """SELECT e.slug, i.quantity FROM order_item AS i JOIN ticket_type AS t ON t.id = i.ticket_type_id
        JOIN event AS e ON e.id = t.event_id WHERE i.quantity NOT BETWEEN t.min_per_order AND t.max_per_order"""
    assert await db.fetch(odd) == []


async def test_an_empty_database_becomes_a_shop(database, load) -> None:
    loaded = await load()
    assert loaded == Loaded(events=16, tickets=sum(t.sold for shown in LISTINGS.values() for t in shown.ticket_types))
    assert str(loaded) == "16 events, 1,490 tickets sold"
    now = await db.fetchval("SELECT clock_timestamp()")
    on = await db.fetch("SELECT * FROM event WHERE status = 'PUBLISHED' AND end_date > $1 ORDER BY start_date", now)
    assert len(on) == len(VISIBLE) == 13
    assert (on[0]["start_date"] - now).days <= 1, "something is on tomorrow"
    assert len({row["currency"] for row in on}) >= 5
    assert len({row["city"] for row in on}) >= 10
    assert any((row["end_date"] - row["start_date"]).days >= 1 for row in on), "something takes several days"


async def test_the_module_loads_it_and_says_one_calm_line(database, postgres_url: str, stripe_url: str) -> None:
    ours = {"PYTHONPATH": str(ROOT), "DATABASE_URL": postgres_url, "STRIPE_API_BASE": stripe_url}
    environment = {**os.environ, **ours}
    for _ in range(2):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sandbox.demo"), cwd=ROOT, env=environment, stdout=PIPE, stderr=PIPE
        )
        assert await process.communicate() == (b"16 events, 1,490 tickets sold\n", b"")
        assert process.returncode == 0


async def test_two_starts_at_once_make_one_shop(database, load) -> None:
    assert await asyncio.gather(load(), load()) == [Loaded(16, 1490)] * 2


async def test_loading_twice_changes_nothing(database, load) -> None:
    await load()
    before = await everything()
    await load()
    assert await everything() == before


async def test_a_purchase_between_two_starts_survives_even_when_its_event_is_put_on_again(demo, load) -> None:
    order = await buy_free_tickets(2)
    await load()
    assert await read_order(order["id"]) == order
    await shift("zgodbe-na-stopniscu", timedelta(days=-90))
    await load()
    assert await read_order(order["id"]) == order
    assert await db.fetchval("SELECT count(*) FROM ticket WHERE order_id = $1", order["id"]) == 2
    assert (await look("zgodbe-na-stopniscu")).stock.sold == 64 + 2


async def test_an_event_that_has_passed_is_put_on_again_and_no_other_moves(demo, load) -> None:
    before = await dates()
    moved = {"polite-half-marathon", "forgotten-instruments", "plants-that-hold-still"}
    for slug in moved:
        await shift(slug, timedelta(days=-200))
    await load()
    assert await dates() == before


async def test_an_event_that_is_under_way_stays(demo, load) -> None:
    starts_at = (await dates())["small-numbers"][0]
    await shift("small-numbers", datetime.now(UTC) - timedelta(hours=1) - starts_at)
    under_way = await dates()
    await load()
    assert await dates() == under_way


async def test_sales_move_along_with_their_event(demo, load) -> None:
    before = await levels("polite-half-marathon"), await levels("forgotten-instruments")
    await shift("polite-half-marathon", timedelta(days=-30))
    await shift("forgotten-instruments", timedelta(days=-200))
    assert (await levels("forgotten-instruments"))["Weekend"] == Level.ENDED
    await load()
    assert (await levels("polite-half-marathon"), await levels("forgotten-instruments")) == before


async def test_the_past_stays_past(demo, load) -> None:
    before = (await dates())["last-tram-sings"]
    assert before[1] < datetime.now(UTC)
    await shift("last-tram-sings", timedelta(days=-30))
    await load()
    assert (await dates())["last-tram-sings"] == (before[0] - timedelta(days=30), before[1] - timedelta(days=30))


@pytest.mark.parametrize("minutes", [4, 20], ids=["some have ended", "all have ended"])
async def test_other_visitors_come_again_at_the_next_start(demo, load, minutes: int) -> None:
    await let_pass(timedelta(minutes=minutes))
    await load()
    assert (await levels("a-very-small-hamlet"))["Chair"] == Level.HELD
    assert (await levels("moss-at-seven"))["Walk, and tea with the gardener"] == Level.HELD
    assert (await look("a-very-small-hamlet")).stock.held == 7
    soonest = await db.fetchval("SELECT min(expires_at) - clock_timestamp() FROM reservation WHERE status = 'ACTIVE'")
    assert soonest > timedelta(minutes=3)


async def test_a_real_hold_is_left_alone_by_the_other_visitors(demo, load) -> None:
    await let_pass(timedelta(minutes=20))
    hamlet = LISTINGS["a-very-small-hamlet"]
    chair = hamlet.type_id(hamlet.ticket_types[0])
    mine = await reservations.hold_tickets(hamlet.id, wish={chair: 2}, request_key=key())
    await load()
    assert await db.fetch("SELECT quantity, status FROM reservation WHERE checkout_id = $1", mine) == [(2, "ACTIVE")]
    assert (await look("a-very-small-hamlet")).stock.held == 7


async def test_what_an_organiser_has_changed_stays(demo, load) -> None:
    await db.execute("UPDATE event SET title = 'Hamlet, Rather Large', total_capacity = 13 WHERE slug LIKE '%hamlet'")
    await load()
    hamlet = await db.fetchrow("SELECT * FROM event WHERE slug LIKE '%hamlet'")
    assert hamlet is not None
    assert (hamlet["title"], hamlet["total_capacity"], hamlet["held"]) == ("Hamlet, Rather Large", 13, 8)


async def test_somebody_elses_event_at_the_same_address_is_left_alone(database, load) -> None:
    await db.execute(
        "INSERT INTO event (id, slug, title, start_date) VALUES (gen_random_uuid(), 'patch-night', 'My own', now())"
    )
    assert (await load()).events == 15
    assert await db.fetchval("SELECT title FROM event WHERE slug = 'patch-night'") == "My own"


def test_ids_come_from_the_slug_alone() -> None:
    assert LISTINGS["glass-and-strings"].id == UUID("9733b0d9-af14-5319-aa16-7b0a87ba4c1e")
    ids = [listing.id for listing in LISTINGS.values()]
    assert len(set(ids)) == len(ids) == 16


def every_third_day() -> Iterator[datetime]:
    start = datetime(2026, 11, 22, 23, 45, tzinfo=UTC)
    return (start + timedelta(days=3 * n) for n in range(130))


@pytest.mark.parametrize("listing", LISTINGS.values(), ids=LISTINGS)
def test_dates_keep_their_weekday_and_local_hour_all_year(listing: Listing) -> None:
    zone = ZoneInfo(listing.timezone)
    for now in every_third_day():
        showing = listing.next_dates(now)
        assert showing.start.astimezone(UTC).astimezone(zone).time() == listing.starts.at
        assert showing.end > showing.start
        assert showing.end < now if listing.once else showing.start > now
        if listing.starts.weekday:
            assert f"{showing.start:%A}" == listing.starts.weekday
        for ticket_type in listing.ticket_types:
            assert (showing.moment(ticket_type.on_sale_until) or now) <= now
            assert (showing.moment(ticket_type.on_sale_from) or now) >= now


@pytest.mark.parametrize("listing", LISTINGS.values(), ids=LISTINGS)
def test_the_copy_keeps_to_the_voice_of_the_house(listing: Listing) -> None:
    said = [listing.title, listing.summary, listing.description, *(t.description for t in listing.ticket_types)]
    assert not any(mark in text for text in said for mark in ("!", "'", "Oops"))
    assert len(listing.summary) <= 120
    if listing in VISIBLE:
        assert listing.description.count("\n\n") >= 2
        assert listing.location
        assert listing.address


@pytest.fixture(scope="module")
def load(stripe_url: str) -> Any:
    """A start of the shop, beside the sandbox."""
    return partial(loading.load, stripe_url)


@pytest.fixture(scope="module")
async def opened(pool, caretaker, load) -> None:
    """For tests that only read. One loading serves them all, so they stand first in this file."""
    await caretaker.execute(EMPTY)
    await load()
    await caretaker.execute("ANALYZE")  # the planner remembers tables that thousands of tests left empty
    assert await invariants.broken() == {}


@pytest.fixture
async def demo(database, load) -> None:
    """For tests that change it."""
    await load()


async def look(slug: str) -> Shelf:
    event_id = LISTINGS[slug].id
    return (await stock.look([event_id]))[event_id]


async def levels(slug: str) -> dict[str, Level]:
    """What a buyer is told about each ticket type."""
    shelf = await look(slug)
    event = shelf.stock
    without_holds = deepcopy(event)
    without_holds.give_back({t.id: t.held for t in event.types.values()})
    over = is_over(start_date=event.start_date, end_date=event.end_date, now=shelf.now)
    return {
        t.name: inventory.level(
            available=inventory.available_to_customer(event, t),
            would_return=inventory.available_to_customer(without_holds, without_holds.types[t.id]),
            capacity=event.capacity if t.allocation is None else t.allocation,
            sale=sale_of(
                is_enabled=t.is_enabled, sales_start=t.sales_start, sales_end=t.sales_end, over=over, now=shelf.now
            ),
        )
        for t in event.types.values()
    }


async def everything() -> dict[str, list[Any]]:
    return {table: list(await db.fetch(f"SELECT * FROM {table} ORDER BY 1")) for table in TABLES.split(", ")}


async def dates() -> dict[str, tuple[datetime, datetime]]:
    rows = await db.fetch("SELECT slug, start_date, end_date FROM event")
    return {row["slug"]: (row["start_date"], row["end_date"]) for row in rows}


async def shift(slug: str, by: timedelta) -> None:
    """As if the event had been put on at another time."""
    event_id = LISTINGS[slug].id
    async with transaction():
        await db.execute(
            "UPDATE event SET start_date = start_date + $2, end_date = end_date + $2 WHERE id = $1", event_id, by
        )
        await db.execute(
            "UPDATE ticket_type SET sales_start = sales_start + $2, sales_end = sales_end + $2 WHERE event_id = $1",
            event_id,
            by,
        )


async def let_pass(time: timedelta) -> None:
    """As if the holds had been made that much earlier."""
    await db.execute("UPDATE reservation SET expires_at = expires_at - $1::interval WHERE status = 'ACTIVE'", time)
    await db.execute(
        "UPDATE checkout SET expires_at = expires_at - $1::interval WHERE request_key LIKE 'demo-visitor-%'", time
    )


async def buy_free_tickets(quantity: int) -> Any:
    stairs = LISTINGS["zgodbe-na-stopniscu"]
    wish = {stairs.type_id(stairs.ticket_types[0]): quantity}
    checkout_id = await reservations.hold_tickets(stairs.id, wish=wish, request_key=key())
    await checkout.remember_buyer(checkout_id, name="Ana Kovač", email="ana@example.org")
    await checkout.start_payment(checkout_id)
    return await db.fetchrow("SELECT * FROM orders WHERE checkout_id = $1", checkout_id)


async def read_order(order_id: UUID) -> Any:
    return await db.fetchrow("SELECT * FROM orders WHERE id = $1", order_id)
