"""Every race of test_desk_races.py, told of a house with a guard taken out: there the promise must break."""

from unittest.mock import ANY, patch

import pytest

from domain import inventory
from services import events
from tests import mutants
from tests.faults import desk_scenarios
from tests.mutants import breaks

pytestmark = pytest.mark.usefixtures("pool")

NO_LOCK = mutants.NO_EVENT_LOCK
NO_SUM_CHECK = (
    "DROP TRIGGER guard_allocations_capacity ON event",
    "DROP TRIGGER guard_allocations_update ON ticket_type",
)
ALWAYS_PUBLISHED = ("SELECT id, status, start", "SELECT id, 'PUBLISHED' AS status, start")


async def test_without_lock_and_trigger_capacity_and_allocation_end_beyond_each_other():
    async with mutants.database_after(*NO_SUM_CHECK):
        with breaks("allocations exceed"), mutants.sql(*NO_LOCK):
            await desk_scenarios.capacity_falls_while_an_allocation_rises()


async def test_without_the_lock_alone_the_trigger_still_refuses_one_of_them():
    async with mutants.database_after():
        with mutants.sql(*NO_LOCK):
            await desk_scenarios.capacity_falls_while_an_allocation_rises()


async def test_without_lock_and_check_a_lowered_capacity_oversells():
    async with mutants.database_after(*mutants.OVERSELL_CHECKS):
        with breaks("oversold"), mutants.sql(*NO_LOCK):
            await desk_scenarios.capacity_falls_while_a_buyer_holds()


async def test_without_the_lock_a_capacity_is_replaced_unread():
    async with mutants.database_after():
        with breaks("replaced unread"), mutants.sql(*NO_LOCK):
            await desk_scenarios.two_admins_set_the_same_capacity()


async def test_without_the_lock_a_cover_is_replaced_unseen():
    async with mutants.database_after():
        with breaks("replaced unseen"), mutants.sql(*NO_LOCK):
            await desk_scenarios.two_admins_upload_a_cover()


async def test_a_desk_that_does_not_compare_what_was_read_publishes_something_else():
    async with mutants.database_after():
        with breaks("published unread"), patch.object(events, "fingerprint", lambda *_: ANY):
            await desk_scenarios.changed_just_before_it_is_published()


async def test_without_the_lock_two_admins_leave_nothing_on_sale():
    async with mutants.database_after():
        with breaks("nothing on sale"), mutants.sql(*NO_LOCK):
            await desk_scenarios.two_admins_switch_off_the_last_two_types()


async def test_a_till_that_does_not_look_whether_it_is_published_sells_what_is_off_sale():
    async with mutants.database_after():
        with breaks("taken off sale"), mutants.sql(*ALWAYS_PUBLISHED):
            await desk_scenarios.taken_off_sale_just_before_a_hold()


async def test_a_till_that_does_not_look_at_the_type_sells_what_is_switched_off():
    async with mutants.database_after():
        with breaks("switched off"), patch.object(inventory, "_check_type", lambda *_: None):
            await desk_scenarios.switched_off_just_before_a_hold()
