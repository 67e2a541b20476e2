"""Publishing with a checklist, taking off sale again, and the preview that nobody else sees (§1.4)."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from models import database as db
from models.ids import new_id
from tests.makers import buy, hold, make_event, ticket_type
from tests.services.refunding import refund_and_run


async def draft(*types, **values):
    return await make_event(*types, status="DRAFT", **values)


async def status(event):
    return await db.fetchval("SELECT status FROM event WHERE id = $1", event.id)


def publication(event):
    return f"/admin/events/{event.id}/publication"


async def test_1_4_a_draft_with_a_type_on_sale_is_published_once_asked(signed_in, browser):
    event = await draft(capacity=18)
    desk = await signed_in("manager")
    question = await desk.get(publication(event))
    assert question.status_code == 200
    assert "18 places, 1 ticket type at €24.00" in question.text
    answer = await desk.post(publication(event))
    assert (answer.status_code, answer.headers["location"]) == (303, f"/admin/events/{event.id}")
    assert await status(event) == "PUBLISHED"
    assert (await browser.get(f"/events/{event.slug}")).status_code == 200
    assert (await desk.post(publication(event))).status_code == 303, "twice is once"


async def test_1_4_without_a_type_on_sale_it_is_not_published_and_the_words_lead_to_where_it_is_repaired(signed_in):
    event = await draft(ticket_type(is_enabled=False))
    desk = await signed_in("manager")
    for answer in (await desk.get(publication(event)), await desk.post(publication(event))):
        assert "Not ready to publish yet" in answer.text
        assert f'href="/admin/events/{event.id}/tickets"' in answer.text
        assert "Publish now" not in answer.text
    assert answer.status_code == 422
    assert await status(event) == "DRAFT"


async def test_1_4_a_capacity_of_nought_is_allowed_and_warned_about(signed_in):
    event = await draft(capacity=0)
    desk = await signed_in("manager")
    question = (await desk.get(publication(event))).text
    assert "It is 0, so nobody can buy a ticket yet." in question
    assert "Publish now" in question
    assert (await desk.post(publication(event))).status_code == 303


async def test_advice_stands_in_nobodys_way(signed_in):
    event = await draft(start_date=datetime.now(UTC) - timedelta(days=2))
    desk = await signed_in("manager")
    question = (await desk.get(publication(event))).text
    assert "It is over: nobody could buy a ticket." in question
    assert "Optional, but people ask." in question
    assert (await desk.post(publication(event))).status_code == 303


async def test_the_checklist_says_whether_money_moves(signed_in):
    desk = await signed_in("manager")
    paid, free = await draft(), await draft(ticket_type(price=0))
    assert "Test mode: no real money moves." in (await desk.get(publication(paid))).text
    assert "Free tickets need none." in (await desk.get(publication(free))).text


async def test_taking_off_sale_says_what_happens_to_whom(signed_in, browser):
    event = await make_event()
    for _ in range(2):
        await hold(event, General=3)
    desk = await signed_in("manager")
    question = (await desk.get(publication(event))).text
    assert "2 buyers hold 6 tickets right now and may still pay." in question
    answer = await desk.post(f"{publication(event)}/withdrawal")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/admin/events/{event.id}")
    assert await status(event) == "DRAFT"
    assert (await browser.get(f"/events/{event.slug}")).status_code == 404


async def test_a_page_that_stands_open_is_asked_above_it_and_told_at_its_head(signed_in, script):
    event = await draft()
    desk = await signed_in("manager")
    question = await desk.get(publication(event), headers=script)
    assert '<dialog class="dialog" id="confirm"' in question.text
    assert "<html" not in question.text
    answer = await desk.post(publication(event), headers=script)
    assert answer.status_code == 200
    targets = re.findall(r'hx-target="(#[\w-]+)"', answer.text)
    assert {"#confirm", "#event-head", "#ready", "#toasts"} <= set(targets)
    assert "Take off sale" in answer.text


async def test_who_may_not_edit_may_not_publish(signed_in):
    event = await draft()
    for role in ("door", "readonly"):
        desk = await signed_in(role)
        assert (await desk.get(publication(event))).status_code == 403
        assert (await desk.post(publication(event))).status_code == 403
    assert await status(event) == "DRAFT"


# ---------------------------------------------------------------- preview


async def test_a_preview_is_the_shops_page_of_a_draft(signed_in, browser):
    event = await draft(ticket_type("Early bird", allocation=5, description="Until New Year"), capacity=20)
    desk = await signed_in("readonly")
    seen = await desk.get(f"/admin/events/{event.id}/preview")
    assert seen.status_code == 200
    assert "Nobody else can see this page." in seen.text
    assert '<meta name="robots" content="noindex">' in seen.text
    assert seen.headers["cache-control"] == "no-store"
    await db.execute("UPDATE event SET status = 'PUBLISHED' WHERE id = $1", event.id)
    shop = (await browser.get(f"/events/{event.slug}")).text
    assert availability(seen.text) == availability(shop)
    answer = await desk.get(f"/admin/events/{event.id}/preview")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/events/{event.slug}")


async def test_nothing_can_be_held_in_a_preview(signed_in):
    event = await draft()
    desk = await signed_in("owner")
    page = (await desk.get(f"/admin/events/{event.id}/preview")).text
    assert 'type="submit"' not in page
    assert re.search(r'<button[^>]*id="hold-button" aria-disabled="true"', page)
    assert "/live" not in page
    sent = {f"qty-{event.types['General']}": "1", "request_key": "k" * 20}
    assert (await desk.post(f"/events/{event.slug}/checkouts", data=sent)).status_code == 404
    assert await db.fetchval("SELECT count(*) FROM checkout") == 0


@pytest.mark.parametrize("path", ["", "/live", "/availability", "/calendar.ics", "/checkouts"])
async def test_the_shop_shows_a_draft_to_nobody_not_even_to_the_desk(signed_in, browser, path):
    event = await draft()
    for visitor in (browser, await signed_in("owner")):
        assert (await visitor.get(f"/events/{event.slug}{path}")).status_code == 404
        assert event.slug not in (await visitor.get("/")).text


@pytest.mark.parametrize("types", [[ticket_type(is_enabled=False)], []])
async def test_a_preview_with_nothing_on_sale_says_so_and_leads_to_the_tickets(signed_in, types):
    event = await draft(*types)
    if not types:
        await db.execute("DELETE FROM ticket_type WHERE event_id = $1", event.id)
    page = (await (await signed_in("manager")).get(f"/admin/events/{event.id}/preview")).text
    assert "No ticket type is on sale yet" in page
    assert f'<a href="/admin/events/{event.id}/tickets">Go to tickets and capacity</a>' in page
    for meant_for_buyers in ("See what else is on", "not on sale right now", "Per order", "No fees are added"):
        assert meant_for_buyers not in page


async def test_a_preview_is_for_the_desk_alone(browser):
    event = await draft()
    answer = await browser.get(f"/admin/events/{event.id}/preview")
    assert (answer.status_code, answer.headers["location"][:12]) == (303, "/admin/login")


async def test_an_event_that_is_not_there_is_said_to_be_so(signed_in):
    desk = await signed_in("owner")
    for path in ("publication", "preview"):
        assert (await desk.get(f"/admin/events/{new_id()}/{path}")).status_code == 404


def availability(page):
    """The list of tickets, as it stands between its marks."""
    return re.search(r'<ul class="tickets".*?</ul>', page, re.DOTALL)[0]


async def test_taking_off_sale_says_how_many_tickets_stay_valid_and_counts_none_that_were_refunded(signed_in, stripe):
    event = await make_event()
    await buy(event, stripe, General=2)
    await refund_and_run(await buy(event, stripe, General=3))
    question = (await (await signed_in("manager")).get(publication(event))).text
    assert "2 tickets stay valid." in question


async def test_what_is_over_is_not_said_to_go_on_sale(signed_in):
    event = await draft(start_date=datetime(2020, 5, 1, tzinfo=UTC))
    question = (await (await signed_in("manager")).get(publication(event))).text
    assert "It is over, so nobody could buy a ticket" in question
    assert "tickets go on sale" not in question
