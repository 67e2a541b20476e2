"""A draft that came to nothing is removed, once asked; what was sold stays."""

import asyncio

from models import database as db
from tests.makers import hold, make_event
from tests.web.admin.test_box_office import KEY
from tests.web.admin.test_order import form_in


def address(event) -> str:
    return f"/admin/events/{event.id}/removal"


async def test_a_draft_is_removed_once_asked(signed_in):
    event = await make_event(status="DRAFT", title="Never Mind")
    desk = await signed_in("manager")
    assert address(event) in (await desk.get(f"/admin/events/{event.id}/details")).text
    question = await desk.get(address(event))
    assert "Remove “Never Mind”?" in question.text
    answer = await desk.post(address(event), data=form_in(question.text, address(event)))
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/events")
    assert await db.fetchval("SELECT count(*) FROM event") == 0
    assert (await desk.get(f"/admin/events/{event.id}/details")).status_code == 404
    assert (await desk.post(address(event))).status_code == 404
    book = (await desk.get("/admin/audit", params={"q": "removed"})).text
    assert "removed the draft" in book
    assert "Never Mind" in book


async def test_what_is_on_sale_stays_and_is_not_offered_to_be_removed(signed_in):
    event = await make_event(title="Winter Light")
    desk = await signed_in("manager")
    assert "/removal" not in (await desk.get(f"/admin/events/{event.id}/details")).text
    answer = await desk.post(address(event), data={"after": "0"})
    assert answer.status_code == 409
    assert "take it off sale instead" in answer.text


async def test_what_was_once_held_stays_as_a_draft(signed_in):
    event = await make_event(title="Winter Light")
    await hold(event)
    await db.execute("UPDATE event SET status = 'DRAFT' WHERE id = $1", event.id)
    answer = await (await signed_in("manager")).post(address(event), data={"after": "0"})
    assert answer.status_code == 409
    assert "What was sold stays to be read." in answer.text
    assert await db.fetchval("SELECT count(*) FROM ticket_type") == 1


async def test_a_draft_that_somebody_went_on_with_is_not_removed_by_who_saw_it_empty(signed_in):
    event = await make_event(status="DRAFT")
    ana, bob = await signed_in("manager"), await signed_in("manager")
    asked = form_in((await ana.get(address(event))).text, address(event))
    details = f"/admin/events/{event.id}/details"
    await bob.post(f"{details}/description", data={"description": "An evening’s work.", "was": ""})
    answer = await ana.post(address(event), data=asked)
    assert answer.status_code == 409
    assert "Somebody has worked on this draft meanwhile" in answer.text
    assert await db.fetchval("SELECT count(*) FROM event") == 1
    decided = form_in(answer.text, address(event))
    assert (await ana.post(address(event), data=decided)).status_code == 303


async def test_a_draft_that_goes_while_its_pages_are_open_is_not_found(signed_in):
    seller, other = await signed_in("manager"), await signed_in("manager")
    met = set()
    for _ in range(12):
        event = await make_event(status="DRAFT")
        desk = f"/admin/events/{event.id}"
        sale = {"name": "Ana", "email": "ana@example.org", "kind": "gift", f"qty-{event.types['General']}": "1"}
        sale["request_key"] = KEY.search((await seller.get(f"{desk}/orders/new")).text)[1]
        answers = await asyncio.gather(
            other.post(address(event), data={"after": "0"}),
            seller.post(f"{desk}/orders", data=sale),
            *(seller.get(f"{desk}{page}") for page in ("", "/tickets", "/orders/new", "/preview", "/publication")),
        )
        met |= {answer.status_code for answer in answers}
    assert not {status for status in met if status >= 500}
