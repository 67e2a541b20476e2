"""The box office's form: what is wrong is said beside it, nothing typed is lost, and nothing is sold twice."""

import re
from uuid import uuid4

import pytest

from models import database as db
from tests.makers import hold, left, make_event, ticket_type
from tests.web.admin.test_order import form_in

KEY = re.compile(r'name="request_key" value="([^"]+)"')


def address(event) -> str:
    return f"/admin/events/{event.id}/orders"


async def sell(desk, event, *, request_key=None, **typed):
    """Open the form, fill it in, press the button. `General=2` chooses tickets."""
    page = await desk.get(f"{address(event)}/new")
    assert page.status_code == 200
    fields = {"name": "Ana Kovač", "email": "ana@example.org", "kind": "gift", "method": "cash", "note": ""}
    for name, value in typed.items():
        field = f"qty-{event.types[name.replace('_', ' ')]}" if name.replace("_", " ") in event.types else name
        fields[field] = str(value)
    fields["request_key"] = request_key or KEY.search(page.text)[1]
    return await desk.post(address(event), data=fields)


async def test_a_gift_becomes_an_order_and_leads_to_its_page(signed_in):
    event, desk = await make_event(), await signed_in("manager")
    answer = await sell(desk, event, General=2)
    order = await db.fetchrow("SELECT * FROM orders")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/admin/orders/{order['id']}?done=sold")
    assert (order["payment_provider"], order["total_amount"], order["status"]) == ("complimentary", 0, "COMPLETED")
    page = (await desk.get(answer.headers["location"])).text
    for words in ("Done. The tickets are on their way to ana@example.org", "Complimentary", "Given as a gift"):
        assert words in page


async def test_what_was_paid_elsewhere_says_how_everywhere(signed_in, browser):
    event, desk = await make_event(), await signed_in("manager")
    answer = await sell(desk, event, General=2, kind="paid", method="transfer", note="Invoice 17")
    page = (await desk.get(answer.headers["location"])).text
    for words in ("At the desk, by bank transfer", "Invoice 17", "€48.00 by bank transfer", "Sold at the desk by Mira"):
        assert words in page
    tickets = await browser.get(re.search(r'href="(/orders/[^"]+)"', page)[1])
    assert "by bank transfer" in tickets.text
    assert "Invoice 17" not in tickets.text, "for colleagues"


async def test_what_is_sold_at_the_desk_costs_what_the_form_said(signed_in):
    event, desk = await make_event(), await signed_in("manager")
    form = form_in((await desk.get(f"{address(event)}/new")).text, address(event))
    sale = {**form, "name": "Ana", "email": "ana@example.org", "kind": "paid", "method": "cash"}
    sale[f"qty-{event.types['General']}"] = "2"
    assert "€48.00" in (await desk.post(f"{address(event)}/new/summary", data=sale)).text
    await db.execute("UPDATE ticket_type SET price = 3000")
    answer = await desk.post(address(event), data=sale)
    assert answer.status_code == 409
    assert "The price was changed while you were selling." in answer.text
    assert "2 × General: €60.00" in answer.text
    assert await db.fetchval("SELECT count(*) FROM orders") == 0
    assert await db.fetchval("SELECT held FROM event") == 0, "nobody waits for seats that nobody wanted at that price"
    again = {**sale, **form_in(answer.text, address(event))}
    assert (await desk.post(address(event), data=again)).status_code == 303, "once it was read, it is a decision"
    assert await db.fetchval("SELECT total_amount FROM orders") == 6000
    await db.execute("UPDATE ticket_type SET price = 3500")
    assert (await desk.post(address(event), data=again)).status_code == 303, "pressed twice, it is sold once"
    assert await db.fetchval("SELECT count(*) FROM orders") == 1


async def test_types_that_buyers_are_not_offered_are_on_the_form(signed_in):
    event = await make_event(ticket_type("Crew", is_enabled=False), ticket_type())
    desk = await signed_in("manager")
    assert "off sale in the shop" in (await desk.get(f"{address(event)}/new")).text
    assert (await sell(desk, event, Crew=12)).status_code == 303


async def test_an_empty_form_says_what_is_missing(signed_in):
    event, desk = await make_event(), await signed_in("manager")
    answer = await desk.post(address(event))
    assert answer.status_code == 422
    for words in (
        "Choose at least one ticket.",
        "Choose whether it is a gift or was paid elsewhere.",
        "Enter the guest’s name",
        "Enter the email",
    ):
        assert words in answer.text


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"General": "two"}, "Use a whole number"),
        ({"General": 1, "kind": "paid", "method": "shells"}, "Choose how it was paid."),
        ({"General": 1, "note": "x" * 501}, "Shorten the note"),
        ({"General": 1, "note": "a\x07b"}, "Type it again"),
        ({"General": 101}, "Up to 100 at once"),
        ({"General": 1, "email": "ana"}, "Write the whole address with an @"),
    ],
)
async def test_a_mistake_is_said_and_what_was_typed_is_kept(signed_in, typed, words):
    event, desk = await make_event(capacity=200), await signed_in("manager")
    answer = await sell(desk, event, **typed)
    assert answer.status_code == 422
    assert words in answer.text
    assert 'value="Ana Kovač"' in answer.text
    assert await db.fetchval("SELECT count(*) FROM orders") == 0


async def test_too_few_left_is_said_with_what_buyers_hold(signed_in):
    event, desk = await make_event(capacity=3), await signed_in("manager")
    await hold(event, General=2)
    answer = await sell(desk, event, General=2, note="Front door")
    assert answer.status_code == 409
    assert "Only 1 General left. 2 more may come back: buyers hold them right now." in answer.text
    assert 'value="Front door"' in answer.text
    assert await left(event) == 1


async def test_pressed_twice_it_sells_once_and_another_guest_is_another_order(signed_in):
    event, desk = await make_event(), await signed_in("manager")
    key = "a-key-of-one-page-only"
    first = await sell(desk, event, request_key=key, General=1)
    second = await sell(desk, event, request_key=key, General=1)
    assert first.headers["location"] == second.headers["location"]
    await sell(desk, event, request_key=key, General=1, name="Eva Zupan")
    assert await db.fetchval("SELECT count(*) FROM orders") == 2


async def test_what_it_comes_to_is_said_while_it_is_chosen(signed_in):
    event, desk = await make_event(), await signed_in("manager")
    chosen = {f"qty-{event.types['General']}": "3", "kind": "paid"}
    answer = await desk.post(f"{address(event)}/new/summary", data=chosen)
    assert "3 × General: €72.00" in answer.text
    answer = await desk.post(f"{address(event)}/new/summary", data={**chosen, "kind": "gift"})
    assert "a gift" in answer.text
    assert (await desk.post(f"{address(event)}/new/summary")).status_code == 200


async def test_a_refund_of_what_was_paid_by_hand_says_that_no_card_gets_it(signed_in):
    event, desk = await make_event(), await signed_in("manager")
    answer = await sell(desk, event, General=1, kind="paid")
    where = answer.headers["location"].partition("?")[0] + "/refund"
    page = (await desk.get(where)).text
    key = KEY.search(page)[1]
    question = await desk.post(
        where, data={"request_key": key, "what": "all", "reason": "REQUESTED", "seats_return": "1"}
    )
    for words in ("You give €24.00 back to Ana Kovač yourself", "back on sale at once", "Give €24.00 back"):
        assert words in question.text
    confirmed = re.search(r'name="confirmed" value="([^"]+)"', question.text)[1]
    data = {"request_key": key, "what": "all", "reason": "REQUESTED", "seats_return": "1", "confirmed": confirmed}
    await desk.post(where, data={**data, "step": "confirm"})
    page = (await desk.get(where.removesuffix("/refund"))).text
    assert "Given back by hand" in page
    assert "€24.00 given back by hand by Mira Novak" in page
    assert await left(event) == 30


async def test_guests_of_a_draft_are_welcome_and_its_page_says_what_that_means(signed_in):
    event, desk = await make_event(status="DRAFT"), await signed_in("manager")
    assert "isn’t published yet" in (await desk.get(f"{address(event)}/new")).text
    assert (await sell(desk, event, General=1)).status_code == 303


async def test_who_may_not_sell_does_not_and_an_event_that_is_not_there_is_not_found(signed_in):
    event = await make_event()
    for role in ("door", "readonly"):
        desk = await signed_in(role)
        assert (await desk.get(f"{address(event)}/new")).status_code == 403
        assert (await desk.post(address(event))).status_code == 403
    desk = await signed_in("owner")
    assert (await desk.get(f"/admin/events/{uuid4()}/orders/new")).status_code == 404
    assert (await desk.post(f"/admin/events/{uuid4()}/orders")).status_code == 404
