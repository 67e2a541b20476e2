"""The admin's stories of the requirements (2.2), each told once, as the desk is used. Their corners are tested in the
files of their rooms; “2.2 Order Tracking” is in test_orders.py."""

import re

import pytest

from domain.errors import InsufficientInventory
from models import database as db
from tests.makers import hold, make_event, ticket_type
from tests.web.admin.test_events import GOOD, LIST, details, save, the_event
from tests.web.admin.test_order import form_in
from tests.web.admin.test_tickets import Screen, error, stored


@pytest.fixture
async def desk(signed_in):
    return await signed_in("manager")


async def test_2_2_manage_events_an_admin_lists_a_new_workshop_and_edits_it(desk, browser):
    await desk.post(LIST, data={**GOOD, "title": "Botanical Drawing"})
    event = await the_event()
    assert "Botanical Drawing" in (await desk.get(LIST)).text
    assert (await save(desk, event["id"], "title", "Botanical Ink", was="Botanical Drawing")).status_code == 303
    assert "Botanical Ink" in (await desk.get(LIST)).text


async def test_2_2_create_draft_event_progress_is_saved_and_no_buyer_sees_it(desk, browser):
    await desk.post(LIST, data=GOOD)
    event = await the_event()
    assert event["status"] == "DRAFT"
    assert GOOD["title"] not in (await browser.get("/")).text
    assert (await browser.get(f"/events/{event['slug']}")).status_code == 404
    assert GOOD["location"] in (await desk.get(details(event["id"]))).text, "it is there to go on with"


async def test_2_2_validation_feedback_is_clear_beside_the_field_and_nothing_typed_is_lost(desk):
    answer = await desk.post(LIST, data={**GOOD, "title": "", "end_date": "2027-01-22T10:00"})
    assert answer.status_code == 422
    assert error(answer, "title") == "Give the event a title."
    assert error(answer, "end_date") == "The end is before the start. Choose 23 Jan 2027, 14:00 or later."
    assert GOOD["location"] in answer.text


async def test_2_2_default_setup_ticket_types_can_be_added_immediately(desk):
    await desk.post(LIST, data=GOOD)
    event = await the_event()
    tickets = f"{LIST}/{event['id']}/tickets"
    form = form_in((await desk.get(tickets, params={"edit": "new"})).text, tickets)
    new = form["type"]
    typed = {f"name-{new}": "General", f"price-{new}": "24"}
    assert (await desk.post(tickets, data={**form, **typed})).status_code == 303
    row = await db.fetchrow("SELECT * FROM ticket_type WHERE event_id = $1", event["id"])
    assert (row["name"], row["price"], row["allocation"], row["is_enabled"]) == ("General", 2400, None, True)
    assert (row["min_per_order"], row["max_per_order"]) == (1, 10), "sensible, unless told otherwise"


async def test_2_2_manage_inventory_capacity_is_set_and_updated_while_people_hold(desk):
    event = await make_event(capacity=30)
    screen = Screen(desk, event)
    await hold(event, General=4)
    assert (await screen.set_capacity("3")).status_code == 422
    assert (await screen.set_capacity("4")).status_code == 303
    assert await db.fetchval("SELECT total_capacity FROM event WHERE id = $1", event.id) == 4


async def test_2_2_set_total_capacity_attendance_never_exceeds_it(desk):
    event = await make_event(ticket_type("Early Bird"), ticket_type("General"), capacity=30)
    await Screen(desk, event).set_capacity("5")
    await hold(event, Early_Bird=3)
    with pytest.raises(InsufficientInventory):
        await hold(event, General=3)
    await hold(event, General=2)
    assert tuple(await db.fetchrow("SELECT held, total_capacity FROM event WHERE id = $1", event.id)) == (5, 5)


async def test_2_2_configure_ticket_type_allocations_or_leave_them_blank(desk):
    event = await make_event(ticket_type("Early Bird"), ticket_type("General"), capacity=30)
    screen = Screen(desk, event)
    assert (await screen.change("Early Bird", allocation="30")).status_code == 303
    assert (await screen.change("General", allocation="0")).status_code == 303
    assert [(await stored(event, name))["allocation"] for name in ("Early Bird", "General")] == [30, 0]
    assert (await screen.change("General", allocation="1")).status_code == 422
    assert (await screen.change("General", allocation="")).status_code == 303
    assert (await stored(event))["allocation"] is None
    assert re.search(r"No own cap", await screen.see())
