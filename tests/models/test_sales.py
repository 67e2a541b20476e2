"""What the live desk reads: sums that are right whatever was counted before, and what happened last."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from domain.refunds import Money
from domain.sales import total
from models import database as db
from models import sales
from models.sales import Takings
from services import checkout
from services.transaction import transaction
from tests.makers import buy, hold, hold_with_buyer, let_time_run_out, make_event, ticket_type
from tests.services.refunding import refund


async def sold(takings: Takings, *, anew: bool = False) -> tuple[int, int, dict[str, int]]:
    found = total((await takings.look(anew=anew)).sold)
    return found.orders, found.tickets, found.money


async def test_what_is_sold_meanwhile_is_found_without_counting_everything_again(database, stripe):
    event = await make_event()
    takings = Takings(event.id)
    assert await sold(takings) == (0, 0, {})
    await buy(event, stripe, General=2)
    assert await sold(takings) == (1, 2, {"EUR": 4800})
    await buy(event, stripe, General=1)
    assert await sold(takings) == (2, 3, {"EUR": 7200})
    assert await sold(takings, anew=True) == (2, 3, {"EUR": 7200})


async def test_counting_on_and_counting_anew_come_to_the_same(database, stripe):
    event = await make_event()
    await buy(event, stripe, General=2)
    await _sold_earlier(timedelta(hours=3))
    takings = Takings(event.id)
    assert await sold(takings) == (1, 2, {"EUR": 4800})
    await buy(event, stripe, General=1)
    assert await sold(takings) == await sold(Takings(event.id)) == (2, 3, {"EUR": 7200})


async def test_a_sale_that_was_written_late_is_found_when_everything_is_counted_anew(database, stripe):
    event = await make_event()
    takings = Takings(event.id)
    await sold(takings)
    await buy(event, stripe)
    await _sold_earlier(timedelta(minutes=5))
    assert await sold(takings) == (0, 0, {}), "older than what counting on looks at"
    assert await sold(takings, anew=True) == (1, 1, {"EUR": 2400})


async def test_every_quarter_of_an_hour_is_counted_apart_and_all_that_is_old_in_one(database, stripe):
    event = await make_event()
    for _ in range(3):
        await buy(event, stripe)
        await _sold_earlier(timedelta(days=20, minutes=20))
    assert len((await Takings(event.id).look(anew=True)).sold) == 1
    await buy(event, stripe)
    assert len((await Takings(event.id).look(anew=True)).sold) == 2
    assert await sold(Takings()) == (1, 1, {"EUR": 2400}), "the house looks at the last days only"


async def test_the_house_counts_each_currency_by_itself(database, stripe):
    await buy(await make_event(), stripe)
    await buy(await make_event(currency="CHF"), stripe, General=2)
    assert await sold(Takings()) == (2, 3, {"EUR": 2400, "CHF": 4800})


async def test_what_went_back_is_counted_until_it_fails(database, stripe):
    event = await make_event()
    order_id = await buy(event, stripe)
    refund_id = await refund(order_id, Money(1000))
    takings = Takings(event.id)
    assert (await takings.look(anew=True)).returned == {"EUR": (1, 1000)}
    await db.execute("UPDATE refund SET status = 'FAILED' WHERE id = $1", refund_id)
    assert (await takings.look(anew=True)).returned == {}


async def test_on_hold_counts_people_and_tickets_and_nobody_whose_time_is_over(database):
    event = await make_event(ticket_type("General"), ticket_type("Student"))
    await hold(event, General=2, Student=1)
    soon = await hold(event, General=1)
    gone = await hold(event, General=4)
    await let_time_run_out(gone)
    await let_time_run_out(soon, seconds_ago=-120)
    found = await sales.on_hold(event.id)
    assert (found["people"], found["tickets"]) == (2, 4)
    assert (found["leaving"], found["leaving_tickets"]) == (1, 1)
    assert timedelta(seconds=100) < found["next_end"] - found["now"] <= timedelta(seconds=120)
    assert found["next_leaving"] - found["now"] > timedelta(minutes=10)
    house = await sales.on_hold()
    assert (house["people"], house["tickets"]) == (2, 4)


async def test_nothing_on_hold_is_zero(database):
    found = await sales.on_hold((await make_event()).id)
    assert (found["people"], found["tickets"], found["leaving"], found["next_end"]) == (0, 0, 0, None)


async def test_the_holds_that_run_out_first_are_named_first(database):
    event = await make_event()
    later, sooner = await hold_with_buyer(event, General=2), await hold(event, General=1)
    await hold(event, General=1)  # for long yet
    await let_time_run_out(later, seconds_ago=-200)
    await let_time_run_out(sooner, seconds_ago=-20)
    now = (await sales.on_hold(event.id))["now"]
    found = await sales.leaving(event.id, now)
    assert [(row["id"], row["quantity"], row["buyer_name"]) for row in found] == [
        (sooner, 1, ""),
        (later, 2, "Ana Kovač"),
    ]


async def test_a_visit_is_told_at_the_moment_of_what_came_of_it(database, stripe):
    event = await make_event()
    back, lapsed = await hold(event, General=1), await hold(event, General=2)
    await let_time_run_out(lapsed)
    await buy(event, stripe, General=3)
    await checkout.give_back(back)
    rows = await sales.visits(event.id)
    assert [row["quantity"] for row in rows] == [1, 3, 2], "given back last, bought before, and lapsed first"
    assert rows[1]["order_id"] is not None
    assert rows[1]["name"] == "Ana Kovač"
    assert rows[0]["given_back_at"] is not None


async def test_another_events_visits_and_refunds_are_not_told(database, stripe):
    event, other = await make_event(), await make_event()
    await refund(await buy(other, stripe), Money(500))
    assert await sales.visits(event.id) == []
    assert await sales.refunds(event.id) == []
    assert len(await sales.visits()) == 1
    assert [row["amount"] for row in await sales.refunds(other.id)] == [500]


async def test_the_zone_of_the_house_is_where_most_events_are(database):
    assert (await sales.house())["timezone"] == "UTC"
    assert (await sales.house())["events"] == 0
    for zone in ("Europe/Vienna", "Asia/Tokyo", "Europe/Vienna"):
        await make_event(timezone=zone)
    await make_event(status="DRAFT", timezone="Europe/Vienna")
    found = await sales.house()
    assert (found["timezone"], found["events"], found["drafts"]) == ("Europe/Vienna", 4, 1)


async def test_on_sale_is_what_somebody_can_buy_now(database):
    now = datetime.now(UTC)
    later = await make_event(start_date=now + timedelta(days=3))
    sooner = await make_event(start_date=now + timedelta(days=1))
    await make_event(status="DRAFT")
    await make_event(start_date=now - timedelta(days=1))
    await make_event(ticket_type(sales_start=now + timedelta(hours=1)))
    await make_event(ticket_type(sales_end=now - timedelta(hours=1)))
    found = await sales.on_sale()
    assert [row["id"] for row in found] == [sooner.id, later.id]
    assert found[0]["total"] == 2


# Of two indexes of what is due, one by event, the planner takes either while there is nearly nothing to find.
@pytest.mark.parametrize("indexes", ["checkout_of_event", "reservation_due|reservation_due_anywhere"])
async def test_what_happened_last_is_read_from_the_newest_end(database, indexes):
    """The plans that keep a look as quick with 100,000 orders as with ten."""
    event = await make_event()
    async with transaction():
        await db.execute("SET LOCAL enable_seqscan = off")
        await db.execute("SET LOCAL enable_sort = off")
        await db.execute("SET LOCAL enable_bitmapscan = off")
        came_last = sales.CAME_LAST.format(of_event="WHERE event_id = $1", newest="created_at", shown=sales.SHOWN)
        plans = [
            *await db.fetch("EXPLAIN " + sales.VISITS.format(came_last=came_last), event.id),
            *await db.fetch("EXPLAIN " + sales.ON_HOLD.format(of_event="AND r.event_id = $2"), sales.SOON, event.id),
        ]
    assert any(re.search(rf"(using|on) ({indexes}) ", row[0]) for row in plans)


async def _sold_earlier(duration: timedelta) -> None:
    async with transaction():
        await db.execute("SET LOCAL session_replication_role = replica")
        await db.execute("UPDATE orders SET created_at = created_at - $1::interval", duration)
