"""Races between the desk and the tills on the real PostgreSQL. Each has its mutants in test_desk_mutants.py."""

import asyncio
import random

import pytest

from domain.errors import AllocationsExceedCapacity, CapacityTooSmall, InsufficientInventory, Overtaken
from models import database as db
from services import events
from tests.faults import desk_scenarios
from tests.faults.interleaving import hold_at_another_till, in_this_order
from tests.makers import hold, let_time_run_out, make_event

pytestmark = pytest.mark.usefixtures("database")


async def test_T4_capacity_and_allocation_changed_at_once_never_end_beyond_each_other():
    (refusal,) = desk_scenarios.refusals(await desk_scenarios.capacity_falls_while_an_allocation_rises())
    assert refusal is AllocationsExceedCapacity


async def test_T1_capacity_lowered_under_a_buyer_never_oversells():
    await desk_scenarios.capacity_falls_while_a_buyer_holds()


async def test_two_admins_at_one_capacity_are_told():
    await desk_scenarios.two_admins_set_the_same_capacity()


async def test_two_admins_at_one_cover_are_told():
    await desk_scenarios.two_admins_upload_a_cover()


async def test_1_4_what_was_changed_just_before_is_not_published_unread():
    await desk_scenarios.changed_just_before_it_is_published()


async def test_1_4_two_admins_never_switch_off_the_last_types_together():
    await desk_scenarios.two_admins_switch_off_the_last_two_types()


async def test_1_4_off_sale_is_off_sale_for_whoever_comes_next():
    await desk_scenarios.taken_off_sale_just_before_a_hold()


async def test_T2_switched_off_is_off_for_whoever_comes_next():
    await desk_scenarios.switched_off_just_before_a_hold()


async def test_1_4_a_hold_made_just_before_stays_when_the_event_is_taken_off_sale():
    event = await make_event()
    held, _ = await in_this_order(
        event.id, lambda: hold_at_another_till(event), lambda: events.unpublish(event.id, actor=desk_scenarios.ANA)
    )
    assert not isinstance(held, Exception)
    assert await db.fetchval("SELECT count(*) FROM reservation WHERE status = 'ACTIVE'") == 1


async def test_T1_capacity_lowered_while_twenty_buyers_hold_is_refused_with_the_number_that_does():
    """Real holds at two tills, in whatever order chance brings; every refused number was the right one then."""
    for seed in range(4):
        event = await make_event(capacity=30)
        deeds = [_buy(event) for _ in range(20)] + [_lower(event, to) for to in (5, 15, 25)]
        random.Random(seed).shuffle(deeds)
        outcomes = await asyncio.gather(*deeds, return_exceptions=True)
        assert set(desk_scenarios.refusals(outcomes)) <= {CapacityTooSmall, InsufficientInventory, Overtaken}
        held, capacity = await db.fetchrow("SELECT held, total_capacity FROM event WHERE id = $1", event.id)
        assert held <= capacity
        for refusal in outcomes:
            if isinstance(refusal, CapacityTooSmall):
                assert refusal.smallest <= held, "nobody gave anything back"
        await _the_smallest_does(event, capacity, held)


async def test_T1_a_lapsed_hold_makes_the_smaller_capacity_possible():
    event = await make_event(capacity=30)
    checkouts = await asyncio.gather(*(hold(event) for _ in range(20)))
    with pytest.raises(CapacityTooSmall) as refusal:
        await events.set_capacity(event.id, was=30, to=19, actor=desk_scenarios.ANA)
    assert refusal.value.smallest == 20
    await let_time_run_out(checkouts[0])
    await events.set_capacity(event.id, was=30, to=19, actor=desk_scenarios.ANA)


async def _buy(event):
    return await random.choice([hold, hold_at_another_till])(event)


async def _lower(event, to):
    now = await db.fetchval("SELECT total_capacity FROM event WHERE id = $1", event.id)
    await events.set_capacity(event.id, was=now, to=min(now, to), actor=desk_scenarios.ANA)


async def _the_smallest_does(event, capacity, held):
    if held < 1 or held > capacity:
        return
    with pytest.raises(CapacityTooSmall) as refusal:
        await events.set_capacity(event.id, was=capacity, to=held - 1, actor=desk_scenarios.ANA)
    assert refusal.value.smallest == held
    await events.set_capacity(event.id, was=capacity, to=held, actor=desk_scenarios.ANA)
