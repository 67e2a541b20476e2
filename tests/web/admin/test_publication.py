"""Publishing with a checklist, taking off sale again, and the preview that nobody else sees (§1.4)."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from models import database as db
from models.ids import new_id
from services import comparison
from services.gateway import OutcomeUnknown
from tests.makers import buy, hold, hold_with_buyer, let_time_pass, make_event, start_paying, ticket_type
from tests.services.refunding import refund_and_run
from tests.web.admin.test_order import form_in
from tests.web.admin.test_tickets import sell
from web import words
from web.admin import ticket_rows


async def draft(*types, **values):
    return await make_event(*types, status="DRAFT", **values)


async def status(event):
    return await db.fetchval("SELECT status FROM event WHERE id = $1", event.id)


def publication(event):
    return f"/admin/events/{event.id}/publication"


async def ask(desk, event, **options):
    """The question as text, and what its form would send."""
    page = (await desk.get(publication(event), **options)).text
    return page, form_in(page, publication(event))


async def publish(desk, event, **options):
    """Whoever reads the question says yes to it."""
    _, form = await ask(desk, event)
    return await desk.post(publication(event), data=form, **options)


def line(page, name):
    """How a line of the checklist stands, and what it says."""
    (item,) = [each for each in re.findall(r"<li data-done=.*?</li>", page) if f">{name}<" in each]
    note = re.search(r"<small>(.*?)</small>", item)
    return re.search(r'data-done="(\w+)"', item)[1], note[1] if note else ""


async def test_1_4_a_draft_with_a_type_on_sale_is_published_once_asked(signed_in, browser):
    event = await draft(capacity=18)
    desk = await signed_in("manager")
    question = await desk.get(publication(event))
    assert question.status_code == 200
    assert "18 places, 1 ticket type at €24.00" in question.text
    answer = await publish(desk, event)
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
    assert (await publish(desk, event)).status_code == 303


async def test_advice_stands_in_nobodys_way(signed_in):
    event = await draft(start_date=datetime.now(UTC) - timedelta(days=2))
    desk = await signed_in("manager")
    question = (await desk.get(publication(event))).text
    assert "It is over: nobody could buy a ticket." in question
    assert "Optional, but people ask." in question
    assert (await publish(desk, event)).status_code == 303


# ---------------------------------------------------------------- what goes on sale


IN_MAY = datetime(2099, 5, 3, 8, tzinfo=UTC)
LATER, PAST = ticket_type(sales_start=IN_MAY), ticket_type(sales_end=datetime(2020, 5, 3, tzinfo=UTC))
CANNOT = [
    ([LATER], {}, "Sales open Sun 3 May, 10:00 CEST."),
    ([PAST, LATER], {}, "Sales open Sun 3 May, 10:00 CEST."),
    ([PAST], {}, "Their sales have ended, so nobody can buy one."),
    ([ticket_type(allocation=0)], {}, "Nothing is allocated to them, so nobody can buy one."),
    ([ticket_type()], {"capacity": 0}, "Nobody can buy one while the total capacity is 0."),
    ([ticket_type(min_per_order=2)], {"capacity": 1}, "What is left is less than one order takes."),
    ([ticket_type("Off", is_enabled=False), LATER], {}, "Sales open Sun 3 May, 10:00 CEST."),
]


def named(types):
    return [{**values, "name": f"Type {number}"} for number, values in enumerate(types)]


@pytest.mark.parametrize(("types", "values", "why"), CANNOT)
async def test_nothing_is_said_to_be_ready_or_to_go_on_sale_while_nobody_could_buy(
    signed_in, script, types, values, why
):
    event = await draft(*named(types), start_date=IN_MAY + timedelta(days=9), timezone="Europe/Vienna", **values)
    desk = await signed_in("manager")
    page, _ = await ask(desk, event)
    assert line(page, "At least one ticket type on sale") == ("odd", why)
    assert "Ready to publish" not in page
    for question in (page, (await ask(desk, event, headers=script))[0]):
        assert f"It appears on the public list at once: {words.plural(values.get('capacity', 30), 'place')}" in question
        assert why in question.partition("<ul")[0]
        assert "tickets go on sale" not in question
    answer = await publish(desk, event, headers=script)
    assert f"Published. {why}" in answer.text
    assert "Tickets are on sale." not in answer.text


async def test_everything_sold_is_not_said_to_go_on_sale_again(signed_in):
    event = await make_event(capacity=2)
    await sell(event, 2)
    desk = await signed_in("manager")
    await desk.post(f"{publication(event)}/withdrawal")
    page, _ = await ask(desk, event)
    assert line(page, "At least one ticket type on sale") == ("odd", "Every ticket is sold.")
    assert "tickets go on sale" not in page


async def test_what_can_be_bought_at_once_is_ready_and_goes_on_sale(signed_in, script):
    event = await draft(*named([PAST, ticket_type(), LATER]))
    desk = await signed_in("manager")
    page, _ = await ask(desk, event)
    assert line(page, "At least one ticket type on sale")[0] == "yes"
    assert "Ready to publish" in page
    assert "It appears on the public list at once and tickets go on sale: 30 places" in page
    assert "Published. Tickets are on sale." in (await publish(desk, event, headers=script)).text


# ---------------------------------------------------------------- whether money can be taken


async def payment(signed_in, event):
    return line((await ask(await signed_in("manager"), event))[0], "Payment")


async def last_asked(event):
    at = await db.fetchval("SELECT coalesce(finished_at, started_at) FROM comparison ORDER BY started_at DESC LIMIT 1")
    return ticket_rows.in_words(at, "UTC")


async def test_free_tickets_need_no_payment(signed_in):
    assert await payment(signed_in, await draft(ticket_type(price=0))) == ("yes", "Free tickets need none.")


async def test_payment_is_not_ready_before_stripe_has_answered_once(signed_in):
    event = await draft()
    done, note = await payment(signed_in, event)
    assert done == "no"
    assert "Stripe has not been asked yet" in note
    await comparison.compare()
    said = f"Stripe answered on {await last_asked(event)}. Test mode: no real money moves."
    assert await payment(signed_in, event) == ("yes", said)


async def test_payment_is_odd_after_stripe_did_not_answer(signed_in, stripe):
    event = await draft()
    await comparison.compare()
    await stripe.fault(op="payment_intents.list", mode="drop_before", times=4)
    with pytest.raises(OutcomeUnknown):
        await comparison.compare()
    page, _ = await ask(await signed_in("manager"), event)
    assert line(page, "Payment") == (
        "odd",
        f"Stripe gave no full answer when we last asked, on {await last_asked(event)}.",
    )
    assert '<a href="/admin/payments">Payment</a>' in page
    await stripe.fault(op="*", mode="none")
    await comparison.compare()
    assert (await payment(signed_in, event))[0] == "yes"


async def test_payment_is_odd_when_nobody_has_asked_stripe_for_long(signed_in):
    event = await draft()
    await comparison.compare()
    await let_time_pass(hours=27)
    done, note = await payment(signed_in, event)
    assert (done, note) == (
        "odd",
        f"Stripe was last asked on {await last_asked(event)}: look whether the worker is running.",
    )


async def test_payment_is_odd_while_stripe_owes_us_how_one_ended(signed_in, stripe):
    other = await make_event()
    await comparison.compare()
    await stripe.fault(op="payment_intents.create", mode="drop_before", times=4)
    with pytest.raises(OutcomeUnknown):
        await start_paying(await hold_with_buyer(other))
    await let_time_pass(minutes=2)
    assert await payment(signed_in, await draft()) == ("odd", "Stripe has not told us yet how one payment ended.")


# ---------------------------------------------------------------- what was read


CHANGES = {
    "capacity": "UPDATE event SET total_capacity = 20",
    "start": "UPDATE event SET start_date = start_date + interval '1 day'",
    "end": "UPDATE event SET end_date = start_date + interval '1 day'",
    "currency": "UPDATE event SET currency = 'CHF'",
    "price": "UPDATE ticket_type SET price = 1800 WHERE name = 'General'",
    "allocation": "UPDATE ticket_type SET allocation = 5 WHERE name = 'General'",
    "window": "UPDATE ticket_type SET sales_start = clock_timestamp() + interval '1 day' WHERE name = 'General'",
    "most": "UPDATE ticket_type SET max_per_order = 4 WHERE name = 'General'",
    "switched on": "UPDATE ticket_type SET is_enabled = true",
    "removed": "DELETE FROM ticket_type WHERE name = 'Front row'",
}


@pytest.mark.parametrize("change", CHANGES)
async def test_what_is_published_is_what_was_read_or_it_is_asked_again(signed_in, script, change):
    event = await draft(ticket_type(), ticket_type("Front row"), ticket_type("Off", is_enabled=False))
    desk = await signed_in("manager")
    _, read = await ask(desk, event)
    await db.execute(CHANGES[change])
    for headers in ({}, script):
        answer = await desk.post(publication(event), data=read, headers=headers)
        assert answer.status_code == 409
        assert "Nothing is published yet. Look at what would go on sale now." in answer.text
        assert await status(event) == "DRAFT"
    assert (await desk.post(publication(event), data=form_in(answer.text, publication(event)))).status_code == 303
    assert await status(event) == "PUBLISHED"


async def test_the_question_is_asked_again_with_what_is_true_by_now(signed_in):
    event = await draft(ticket_type(price=1800), capacity=60)
    desk = await signed_in("manager")
    page, read = await ask(desk, event)
    assert "60 places, 1 ticket type at €18.00" in page
    await db.execute("UPDATE event SET total_capacity = 600")
    await db.execute("UPDATE ticket_type SET price = 180")
    assert "600 places, 1 ticket type at €1.80" in (await desk.post(publication(event), data=read)).text


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ticket_type SET price = 1 WHERE name = 'Off'",
        "UPDATE event SET title = 'Winter Light!'",
        "UPDATE ticket_type SET position = 3 WHERE name = 'General'",
    ],
)
async def test_what_changes_nothing_about_the_offer_stands_in_nobodys_way(signed_in, change):
    event = await draft(ticket_type(), ticket_type("Front row"), ticket_type("Off", is_enabled=False))
    desk = await signed_in("manager")
    _, read = await ask(desk, event)
    await db.execute(change)
    assert (await desk.post(publication(event), data=read)).status_code == 303


async def test_a_form_that_does_not_say_what_it_had_read_publishes_nothing(signed_in):
    event = await draft()
    assert (await (await signed_in("manager")).post(publication(event))).status_code == 409
    assert await status(event) == "DRAFT"


# ---------------------------------------------------------------- off sale, and who


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
    answer = await publish(desk, event, headers=script)
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
