"""A draft that came to nothing is removed, once asked; what was sold stays."""

from models import database as db
from tests.makers import hold, make_event


async def test_a_draft_is_removed_once_asked(signed_in):
    event = await make_event(status="DRAFT", title="Never Mind")
    desk = await signed_in("manager")
    assert f"/admin/events/{event.id}/removal" in (await desk.get(f"/admin/events/{event.id}/details")).text
    question = await desk.get(f"/admin/events/{event.id}/removal")
    assert "Remove “Never Mind”?" in question.text
    answer = await desk.post(f"/admin/events/{event.id}/removal")
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/events")
    assert await db.fetchval("SELECT count(*) FROM event") == 0
    assert (await desk.get(f"/admin/events/{event.id}/details")).status_code == 404
    assert (await desk.post(f"/admin/events/{event.id}/removal")).status_code == 404
    book = (await desk.get("/admin/audit", params={"q": "removed"})).text
    assert "removed the draft" in book
    assert "Never Mind" in book


async def test_what_is_on_sale_stays_and_is_not_offered_to_be_removed(signed_in):
    event = await make_event(title="Winter Light")
    desk = await signed_in("manager")
    assert "/removal" not in (await desk.get(f"/admin/events/{event.id}/details")).text
    answer = await desk.post(f"/admin/events/{event.id}/removal")
    assert answer.status_code == 409
    assert "take it off sale instead" in answer.text


async def test_what_was_once_held_stays_as_a_draft(signed_in):
    event = await make_event(title="Winter Light")
    await hold(event)
    await db.execute("UPDATE event SET status = 'DRAFT' WHERE id = $1", event.id)
    answer = await (await signed_in("manager")).post(f"/admin/events/{event.id}/removal")
    assert answer.status_code == 409
    assert "What was sold stays to be read." in answer.text
    assert await db.fetchval("SELECT count(*) FROM ticket_type") == 1
