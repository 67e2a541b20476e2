"""Events at the desk: drafted, edited in place, published, copied."""

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from domain.desk_sales import DeskSale
from domain.errors import (
    AllocationsExceedCapacity,
    CapacityTooSmall,
    CurrencyInUse,
    EndBeforeStart,
    EventInUse,
    EventNotFound,
    InsufficientInventory,
    NotPublishable,
    Overtaken,
    PricesTyped,
)
from models import database as db
from models.audit import last_deed
from models.ids import new_id
from services import desk_sales, events, settlement, ticket_types
from services.audit import Actor
from tests import mutants
from tests.makers import hold, hold_with_buyer, key, let_time_run_out, make_event, start_paying, ticket_type

pytestmark = pytest.mark.usefixtures("database")
ANA = Actor(new_id(), "Ana")
START = datetime(2027, 3, 1, 19, 30, tzinfo=UTC)


async def draft(title="Winter Light", **values):
    given = {"start_date": START, "end_date": None, "timezone": "Europe/Ljubljana", "currency": "EUR", **values}
    return await events.draft(title=title, actor=ANA, **given)


async def row(event_id):
    return await db.fetchrow("SELECT * FROM event WHERE id = $1", event_id)


async def audited():
    return [(r["actor_name"], r["action"]) for r in await db.fetch("SELECT * FROM audit_entry ORDER BY id")]


async def test_a1_a3_a4_a_new_event_is_a_draft_with_room_for_ticket_types():
    event = await row(await draft())
    assert (event["status"], event["total_capacity"], event["slug"]) == ("DRAFT", 0, "winter-light")
    assert await db.fetchval("SELECT count(*) FROM ticket_type") == 0
    assert await audited() == [("Ana", "event drafted")]


async def test_a2_an_event_ends_no_earlier_than_it_starts():
    with pytest.raises(EndBeforeStart):
        await draft(end_date=START - timedelta(minutes=1))
    await draft(end_date=START)


async def test_two_events_of_one_name_have_addresses_of_their_own():
    assert [(await row(await draft()))["slug"] for _ in range(3)] == [
        "winter-light",
        "winter-light-2",
        "winter-light-3",
    ]


async def test_fields_are_saved_all_or_none_and_written_down():
    event_id = await draft()
    with pytest.raises(EndBeforeStart):
        await events.change(
            event_id,
            {"title": ("Winter Light", "Summer"), "end_date": (None, START - timedelta(days=1))},
            actor=ANA,
        )
    assert (await row(event_id))["title"] == "Winter Light"
    await events.change(event_id, {"title": ("Winter Light", "Summer"), "city": ("", "Bled")}, actor=ANA)
    entry = await db.fetchrow("SELECT before, after FROM audit_entry WHERE action = 'event changed'")
    assert entry["before"] == '{"city": "", "title": "Winter Light"}'
    assert entry["after"] == '{"city": "Bled", "title": "Summer"}'


async def test_two_admins_at_once_are_told_and_lose_nothing():
    event_id = await draft()
    await events.change(event_id, {"title": ("Winter Light", "Summer")}, actor=ANA)
    with pytest.raises(Overtaken) as told:
        await events.change(event_id, {"title": ("Winter Light", "Autumn")}, actor=ANA)
    assert told.value.theirs == "Summer"
    await events.change(event_id, {"title": ("Winter Light", "Summer")}, actor=ANA)  # both meant the same
    await events.change(event_id, {"city": ("", "Bled")}, actor=ANA)  # another field is no quarrel


async def test_the_end_moves_along_with_the_start():
    event_id = await draft(end_date=START + timedelta(hours=3))
    later = START + timedelta(days=120)  # in summer time: by the clock, 19:30 UTC was 20:30 there
    await events.move(event_id, was=START, to=later, timezone="Europe/Ljubljana", actor=ANA)
    event = await row(event_id)
    assert (event["start_date"], event["end_date"]) == (later, later + timedelta(hours=3))
    entry = await db.fetchrow("SELECT after FROM audit_entry WHERE action = 'event changed'")
    assert "end_date" in entry["after"]


async def test_a_start_that_somebody_else_moved_is_not_moved_again():
    event_id = await draft()
    await events.move(event_id, was=START, to=START + timedelta(days=1), timezone="Europe/Ljubljana", actor=ANA)
    with pytest.raises(Overtaken):
        await events.move(event_id, was=START, to=START + timedelta(days=2), timezone="Europe/Ljubljana", actor=ANA)


async def test_a_time_typed_in_a_zone_that_was_changed_meanwhile_means_nothing():
    event_id = await draft(timezone="Europe/Ljubljana")
    await events.set_timezone(event_id, was="Europe/Ljubljana", to="Europe/Vienna", actor=ANA)  # the same clocks
    with pytest.raises(Overtaken):
        await events.move(event_id, was=START, to=START + timedelta(days=1), timezone="Europe/Ljubljana", actor=ANA)


async def test_another_zone_keeps_what_clocks_show_also_of_sales_windows():
    event_id = await draft(timezone="UTC", end_date=START + timedelta(hours=2))
    type_id = await ticket_types.add(event_id, name="General", description="", price=0, allocation=None, actor=ANA)
    await ticket_types.change(event_id, type_id, {"sales_start": (None, START - timedelta(days=9))}, actor=ANA)
    await events.set_timezone(event_id, was="UTC", to="Europe/Vienna", actor=ANA)
    event, an_hour = await row(event_id), timedelta(hours=1)
    assert event["timezone"] == "Europe/Vienna"
    assert (event["start_date"], event["end_date"]) == (START - an_hour, START + an_hour)
    assert await db.fetchval("SELECT sales_start FROM ticket_type") == START - timedelta(days=9) - an_hour


async def test_another_zone_may_jump_over_a_whole_sales_window():
    start, end = datetime(2027, 3, 28, 2, 10, tzinfo=UTC), datetime(2027, 3, 28, 2, 50, tzinfo=UTC)
    event = await make_event(ticket_type(sales_start=start, sales_end=end), timezone="UTC")
    await events.set_timezone(event.id, was="UTC", to="Europe/Vienna", actor=ANA)
    window = await db.fetchrow("SELECT sales_end - sales_start AS lasts FROM ticket_type")
    assert window["lasts"] == timedelta(minutes=40)


async def test_who_moves_sales_with_the_zone_is_written_down_at_the_ticket_type_too():
    ten = datetime(2026, 12, 1, 9, tzinfo=UTC)
    event = await make_event(ticket_type(sales_start=ten), ticket_type("Door"), timezone="Europe/Vienna")
    await events.set_timezone(event.id, was="Europe/Vienna", to="America/New_York", actor=ANA)
    entries = await db.fetch("SELECT * FROM audit_entry WHERE subject_kind = 'ticket_type'")
    assert [(e["actor_name"], e["subject_id"]) for e in entries] == [("Ana", str(event.types["General"]))]
    assert json.loads(entries[0]["before"]) == {"sales_start": str(ten)}
    assert json.loads(entries[0]["after"]) == {"sales_start": str(ten + timedelta(hours=6))}


async def test_a_zone_with_the_same_clocks_moves_no_sales():
    start = datetime(2026, 12, 1, 9, tzinfo=UTC)
    event = await make_event(ticket_type(sales_start=start), timezone="Europe/Vienna")
    await events.set_timezone(event.id, was="Europe/Vienna", to="Europe/Ljubljana", actor=ANA)
    assert await audited() == [("Ana", "event changed")]


async def test_the_same_form_sent_twice_makes_one_event():
    key = new_id()
    made = await asyncio.gather(*(draft(event_id=key) for _ in range(4)))
    assert set(made) == {key}
    assert await audited() == [("Ana", "event drafted")]


async def test_many_drafts_of_one_name_at_once_have_addresses_of_their_own():
    await asyncio.gather(*(draft() for _ in range(6)))
    slugs = await db.fetch("SELECT slug FROM event")
    assert len({r["slug"] for r in slugs}) == 6


async def test_without_the_lock_on_addresses_drafts_at_once_run_into_each_other():
    with (
        mutants.breaks("event_slug_key", by=asyncpg.UniqueViolationError),
        mutants.sql(events.LOCK_SLUGS, "SELECT pg_sleep(0.05)"),
    ):
        await asyncio.gather(*(draft() for _ in range(6)))


async def test_two_admins_who_save_one_field_at_once_do_not_both_win():
    await _two_save_one_field()


async def test_without_the_lock_both_win_and_one_loses_what_was_typed():
    with (
        mutants.breaks("was lost"),
        mutants.sql("FROM event WHERE id = $1 FOR NO KEY UPDATE", "FROM event, pg_sleep(0.2) WHERE id = $1"),
    ):
        await _two_save_one_field()


async def _two_save_one_field() -> None:
    assert await _race(await draft()) == 1, "what somebody had typed was lost"


async def _race(event_id) -> int:
    """How many of five who read the same title could set their own."""

    async def rename(to):
        with suppress(Overtaken):
            await events.change(event_id, {"title": ("Winter Light", to)}, actor=ANA)
            return True

    return len([won for won in await asyncio.gather(*(rename(f"Title {n}") for n in range(5))) if won])


async def test_the_currency_stays_once_somebody_has_held_a_ticket():
    event = await make_event()
    await hold(event)
    with pytest.raises(CurrencyInUse):
        await events.change(event.id, {"currency": ("EUR", "USD")}, actor=ANA)


async def test_prices_keep_their_number_of_decimals():
    event = await make_event(ticket_type(price=2400), status="DRAFT")
    with pytest.raises(PricesTyped):
        await events.change(event.id, {"currency": ("EUR", "JPY")}, actor=ANA)
    await events.change(event.id, {"currency": ("EUR", "USD")}, actor=ANA)
    await ticket_types.change(event.id, event.types["General"], {"price": (2400, 0)}, actor=ANA)
    await events.change(event.id, {"currency": ("USD", "JPY")}, actor=ANA)
    assert (await row(event.id))["currency"] == "JPY"


async def test_what_was_held_is_a_better_reason_than_what_was_typed():
    event = await make_event()
    await hold(event)
    with pytest.raises(CurrencyInUse):
        await events.change(event.id, {"currency": ("EUR", "JPY")}, actor=ANA)


async def test_1_4_an_event_without_a_type_on_sale_is_not_published():
    event_id = await draft()
    with pytest.raises(NotPublishable):
        await events.publish(event_id, actor=ANA)
    await ticket_types.add(event_id, name="General", description="", price=0, allocation=None, actor=ANA)
    await events.publish(event_id, actor=ANA)
    assert (await row(event_id))["status"] == "PUBLISHED"


async def test_unpublished_while_a_buyer_pays_the_buyer_still_gets_the_tickets(stripe):
    event = await make_event()
    checkout_id = await hold_with_buyer(event)
    await events.unpublish(event.id, actor=ANA)
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await settlement.settle(intent.reference)
    assert await db.fetchval("SELECT status FROM orders") == "COMPLETED"
    with pytest.raises(EventNotFound):
        await hold(event)


async def test_t1_capacity_never_falls_below_what_is_promised_and_says_what_would_do():
    event = await make_event(capacity=10)
    await hold(event, General=4)
    with pytest.raises(CapacityTooSmall) as refusal:
        await events.set_capacity(event.id, was=10, to=3, actor=ANA)
    assert refusal.value.smallest == 4
    await events.set_capacity(event.id, was=10, to=4, actor=ANA)


async def test_t4_capacity_never_falls_below_the_sum_of_the_allocations():
    event = await make_event(ticket_type(allocation=8), capacity=10)
    with pytest.raises(AllocationsExceedCapacity):
        await events.set_capacity(event.id, was=10, to=7, actor=ANA)


async def test_a_hold_past_its_time_does_not_keep_capacity_up():
    event = await make_event(capacity=10)
    checkout_id = await hold(event, General=4)
    await let_time_run_out(checkout_id)
    await events.set_capacity(event.id, was=10, to=2, actor=ANA)


async def test_capacity_lowered_against_twenty_buyers_at_once_never_falls_below_what_they_hold():
    event = await make_event(capacity=30)

    async def lower():
        with suppress(CapacityTooSmall):
            await events.set_capacity(event.id, was=30, to=10, actor=ANA)

    async def buy():
        with suppress(InsufficientInventory):
            await hold(event)

    await asyncio.gather(*(buy() for _ in range(10)), lower(), *(buy() for _ in range(10)))
    stored = await row(event.id)
    assert stored["held"] <= stored["total_capacity"]
    assert stored["held"] in (10, 20)


async def test_a_copy_has_the_texts_and_types_and_nothing_sold():
    event = await make_event(ticket_type(allocation=5), ticket_type("Late"), capacity=10)
    await hold(event, Late=1)
    copy = await row(await events.duplicate(event.id, actor=ANA))
    assert (copy["status"], copy["total_capacity"], copy["held"]) == ("DRAFT", 10, 0)
    assert copy["title"] == "Copy of Winter Light"
    types = await db.fetch(
        "SELECT name, allocation, held FROM ticket_type WHERE event_id = $1 ORDER BY position", copy["id"]
    )
    assert [tuple(t) for t in types] == [("General", 5, 0), ("Late", None, 0)]


async def test_an_event_that_is_not_there_is_said_to_be_so():
    with pytest.raises(EventNotFound):
        await events.move(new_id(), was=START, to=START, timezone="UTC", actor=ANA)
    with pytest.raises(EventNotFound):
        await events.set_timezone(new_id(), was="UTC", to="Europe/Vienna", actor=ANA)
    for verb in (events.publish, events.unpublish, events.duplicate):
        with pytest.raises(EventNotFound):
            await verb(new_id(), actor=ANA)
    with pytest.raises(EventNotFound):
        await events.set_capacity(new_id(), was=0, to=1, actor=ANA)


# ---------------------------------------------------------------- removing


async def test_a_draft_that_came_to_nothing_is_removed_and_the_audit_remembers_it():
    event = await make_event(status="DRAFT", title="Never Mind")
    await events.remove(event.id, after=await last_deed(event.id), actor=ANA)
    assert await db.fetchval("SELECT count(*) FROM event") + await db.fetchval("SELECT count(*) FROM ticket_type") == 0
    entry = await db.fetchrow("SELECT action, before::text, event_id FROM audit_entry")
    assert (entry["action"], entry["event_id"]) == ("event removed", event.id)
    assert "Never Mind" in entry["before"]
    with pytest.raises(EventNotFound):
        await events.remove(event.id, after=await last_deed(event.id), actor=ANA)


async def test_what_is_on_sale_or_was_ever_held_stays():
    event = await make_event()
    with pytest.raises(EventInUse):
        await events.remove(event.id, after=await last_deed(event.id), actor=ANA)
    await let_time_run_out(await hold(event))
    await events.unpublish(event.id, actor=ANA)
    with pytest.raises(EventInUse):
        await events.remove(event.id, after=await last_deed(event.id), actor=ANA)
    assert await db.fetchval("SELECT count(*) FROM ticket_type") == 1


async def test_a_draft_is_sold_from_at_the_desk_or_removed_and_never_both():
    for _ in range(6):
        event = await make_event(status="DRAFT")
        gift = DeskSale({event.types["General"]: 1}, "Eva", "eva@example.org", method=None)
        await asyncio.gather(
            desk_sales.sell(event.id, gift, request_key=key(), actor=ANA),
            events.remove(event.id, after=0, actor=ANA),
            return_exceptions=True,
        )
        there = await db.fetchval("SELECT count(*) FROM event WHERE id = $1", event.id)
        assert there == await db.fetchval("SELECT count(*) FROM orders WHERE event_id = $1", event.id)
