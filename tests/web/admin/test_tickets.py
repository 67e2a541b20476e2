"""Tickets and capacity at the desk: every number typed wrongly, everything kept, two admins at once (AC T1–T7)."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from models import database as db
from models.ids import new_id
from services import checkout, events, ticket_types
from services.audit import Actor
from tests.makers import hold, hold_with_buyer, left, let_time_run_out, make_event, ticket_type
from web.admin.event_form import ODD
from web.admin.typed import whole_number

BOR = Actor(new_id(), "Bor Novak")


class Screen:
    """The screen of one event, used as a browser uses it: what a form had read comes out of the page."""

    def __init__(self, desk, event, **headers):
        self.desk, self.event, self.headers = desk, event, headers
        self.address = f"/admin/events/{event.id}/tickets"

    async def see(self, edit=""):
        return (await self.desk.get(self.address, params={"edit": str(edit)} if edit else {})).text

    async def set_capacity(self, to, *, was=None, **more):
        was = was if was is not None else re.search(r'name="was" value="(-?\d*)"', await self.see())[1]
        sent = {"total_capacity": to, "was": was, **more}
        return await self.desk.post(f"{self.address}/capacity", data=sent, headers=self.headers)

    async def open(self, name="General"):
        """What the form of a type would send if nothing were touched."""
        type_id = self.event.types[name]
        return fields_of(await self.see(edit=type_id), type_id)

    async def change(self, name="General", /, *, read=None, keep=None, **typed):
        type_id = self.event.types[name]
        fields = dict(read or await self.open(name)) | {f"{field}-{type_id}": value for field, value in typed.items()}
        sent = fields | ({"keep": keep} if keep else {})
        return await self.desk.post(f"{self.address}/{type_id}", data=sent, headers=self.headers)

    async def add(self, name, price="24", *, type_id=None, **typed):
        type_id = type_id or new_id()
        sent = {f"{field}-{type_id}": value for field, value in {"name": name, "price": price, **typed}.items()}
        answer = await self.desk.post(self.address, data={"type": str(type_id), **sent}, headers=self.headers)
        self.event.types[name] = await db.fetchval("SELECT id FROM ticket_type WHERE name = $1", name)
        return answer

    async def press(self, name, what, **sent):
        return await self.desk.post(f"{self.address}/{self.event.types[name]}/{what}", data=sent, headers=self.headers)


@pytest.fixture
async def screen(signed_in):
    async def show(event, role="manager", **headers):
        return Screen(await signed_in(role), event, **headers)

    return show


async def capacity(event):
    return await db.fetchval("SELECT total_capacity FROM event WHERE id = $1", event.id)


async def stored(event, name="General"):
    return await db.fetchrow("SELECT * FROM ticket_type WHERE id = $1", event.types[name])


def fields_of(page, type_id):
    form = re.search(rf'<form class="tt tt--edit" id="tt-{type_id}".*?</form>', page, re.DOTALL)[0]
    fields = dict(re.findall(r'<input[^>]*? name="([^"]+)"[^>]*? value="([^"]*)"', form))
    fields[f"description-{type_id}"] = re.search(r"<textarea[^>]*>(.*?)</textarea>", form, re.DOTALL)[1]
    return fields


def sent(answer, event, name="General"):
    """What the form of a type would send as it was answered."""
    return fields_of(answer.text, event.types[name])


def error(answer, field):
    found = re.search(rf'id="{field}-error">.*?<span>(.*?)</span>', answer.text, re.DOTALL)
    return found[1] if found else None


# ---------------------------------------------------------------- capacity


async def test_T1_one_capacity_for_all_types_is_saved_where_it_stands(screen, script):
    event = await make_event(ticket_type("A"), ticket_type("B"), capacity=30)
    desk = await screen(event)
    answer = await desk.set_capacity("60")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{desk.address}?saved=capacity"
    assert await capacity(event) == 60
    assert await left(event, "A") == await left(event, "B") == 60
    answer = await (await screen(event, **script)).set_capacity("61")
    assert answer.status_code == 200
    assert 'hx-target="#capacity"' in answer.text
    assert "Saved" in answer.text


@pytest.mark.parametrize("typed", ["-5", "1e3", "", "2.5", "many", "1,000", "0x10", "٣x", "∞"])
async def test_1_3_2_a_capacity_that_is_no_whole_number_is_refused_kindly_and_kept(screen, typed):
    event = await make_event(capacity=30)
    answer = await (await screen(event)).set_capacity(typed)
    assert answer.status_code == 422
    assert error(answer, "total_capacity") == "Use a whole number, 0 or more."
    assert f'name="total_capacity" value="{typed}"' in answer.text
    assert await capacity(event) == 30


@pytest.mark.parametrize(("text", "number"), [("٣０", 30), ("१२", 12), ("10²", None), ("①", None), ("½", None)])
def test_digits_of_any_script_are_digits_and_exponents_are_none(text, number):
    assert whole_number(text) == number


@pytest.mark.parametrize("typed", [str(2**31), "9" * 15])
async def test_1_3_2_a_capacity_beyond_every_stadium_is_refused_kindly(screen, typed):
    event = await make_event(capacity=30)
    answer = await (await screen(event)).set_capacity(typed)
    assert (answer.status_code, error(answer, "total_capacity")) == (422, "Use a number up to 1,000,000.")


@pytest.mark.parametrize(
    ("typed", "meant"), [("１０", 10), (" 12 ", 12), ("1 000", 1000), ("٣٠", 30), ("0", 0), ("10²", None)]
)
async def test_1_3_2_digits_of_other_keyboards_count(screen, typed, meant):
    event = await make_event(capacity=30)
    answer = await (await screen(event)).set_capacity(typed)
    assert answer.status_code == (303 if meant is not None else 422)
    assert await capacity(event) == (30 if meant is None else meant)


async def test_T1_capacity_below_sold_and_held_is_refused_with_the_smallest_that_would_do(screen, script):
    event = await make_event(capacity=60)
    await sell(event, 31)
    for _ in range(3):
        await hold(event, General=2)
    answer = await (await screen(event, **script)).set_capacity("36")
    assert answer.status_code == 422
    assert error(answer, "total_capacity") == "31 are sold and 6 on hold, so capacity can’t go below 37."
    assert 'name="total_capacity" value="36"' in answer.text
    assert (await (await screen(event)).set_capacity("37")).status_code == 303


async def test_T1_a_hold_that_has_lapsed_keeps_no_capacity_up(screen):
    event = await make_event(capacity=60)
    checkout_id = await hold(event, General=6)
    desk = await screen(event)
    assert error(await desk.set_capacity("5"), "total_capacity") == "6 are on hold, so capacity can’t go below 6."
    await let_time_run_out(checkout_id)
    assert (await desk.set_capacity("5")).status_code == 303


async def test_T4_capacity_below_the_allocations_is_refused_with_what_they_add_up_to(screen):
    event = await make_event(ticket_type("A", allocation=20), ticket_type("B", allocation=23), capacity=60)
    answer = await (await screen(event)).set_capacity("40")
    assert error(answer, "total_capacity").startswith("Allocations add up to 43, so capacity can’t go below 43.")
    await hold(event, A=3)
    answer = await (await screen(event)).set_capacity("2")
    assert "can’t go below 43" in error(answer, "total_capacity"), "enough for both"


async def test_two_admins_at_one_capacity_are_told_and_choose(screen):
    event = await make_event(capacity=30)
    desk = await screen(event)
    await events.set_capacity(event.id, was=30, to=80, actor=BOR)
    answer = await desk.set_capacity("50", was="30")
    assert answer.status_code == 409
    assert re.search(r"Bor Novak made it 80 at \d\d:\d\d\. Save to replace it", error(answer, "total_capacity"))
    assert 'name="total_capacity" value="50"' in answer.text
    assert "Keep 80" in answer.text
    assert await capacity(event) == 80
    was = re.search(r'name="was" value="(\d+)"', answer.text)[1]
    assert (await desk.set_capacity("50", was=was, keep="1")).status_code == 303
    assert await capacity(event) == 80
    assert (await desk.set_capacity("50", was=was)).status_code == 303
    assert await capacity(event) == 50


async def test_a_capacity_form_that_does_not_say_what_it_read_replaces_nobodys_number(screen):
    event = await make_event(capacity=30)
    desk = await screen(event)
    answer = await desk.desk.post(f"{desk.address}/capacity", data={"total_capacity": "50"})
    assert answer.status_code == 409
    assert await capacity(event) == 30


# ---------------------------------------------------------------- types


async def test_T2_a_type_is_added_edited_and_switched_off(screen):
    event = await make_event(capacity=30)
    desk = await screen(event)
    answer = await desk.add("Early bird", "18", allocation="20", description="Until New Year")
    assert answer.status_code == 303
    assert (await stored(event, "Early bird"))["price"] == 1800
    assert (await desk.change("Early bird", price="18,50")).status_code == 303
    assert (await desk.press("Early bird", "disablement")).status_code == 303
    row = await stored(event, "Early bird")
    assert (row["price"], row["allocation"], row["is_enabled"], row["description"]) == (
        1850,
        20,
        False,
        "Until New Year",
    )
    assert "Switched off" in await desk.see()


async def test_T2_nothing_touched_is_nothing_changed(screen):
    start = datetime(2027, 1, 1, 12, 30, 17, 5, tzinfo=UTC)
    event = await make_event(
        ticket_type(description="Two\nlines", sales_start=start, sales_end=start + timedelta(days=3)),
        timezone="Europe/Ljubljana",
    )
    before = await stored(event)
    assert (await (await screen(event)).change()).status_code == 303
    assert await stored(event) == before
    assert await db.fetchval("SELECT count(*) FROM audit_entry") == 0


@pytest.mark.parametrize(
    ("currency", "typed", "minor"),
    [
        ("EUR", "24", 2400),
        ("EUR", "24.5", 2450),
        ("EUR", "24,50", 2450),
        ("EUR", "€24.50", 2450),
        ("EUR", "24,50 €", 2450),
        ("EUR", "EUR 24", 2400),
        ("EUR", "２４", 2400),
        ("EUR", "２４．５０", 2450),
        ("EUR", "٢٤", 2400),
        ("CZK", "24 Kc\N{COMBINING CARON}", 2400),
        ("EUR", "0", 0),
        ("USD", "$24", 2400),
        ("AUD", "A$24", 2400),
        ("JPY", "¥2400", 2400),
        ("KWD", "24.500", 24500),
    ],
)
async def test_a_price_is_read_as_people_write_it(screen, currency, typed, minor):
    event = await make_event(currency=currency)
    answer = await (await screen(event)).change(price=typed)
    assert answer.status_code == 303, answer.text
    assert (await stored(event))["price"] == minor


@pytest.mark.parametrize(
    ("currency", "typed", "words"),
    [
        ("EUR", "", "Enter a price like 24 or 24.50. Use 0 for free."),
        ("EUR", "-5", "Enter a price like 24 or 24.50. Use 0 for free."),
        ("EUR", "1e3", "Enter a price like 24 or 24.50. Use 0 for free."),
        ("EUR", "10²", "Enter a price like 24 or 24.50. Use 0 for free."),
        ("EUR", "1,000", "Enter a price like 24 or 24.50. Use 0 for free."),
        ("EUR", "24.005", "Enter a price like 24 or 24.50. Use 0 for free."),
        ("EUR", "100000", "A ticket costs €99,999.99 at most."),
        ("EUR", str(2**31), "A ticket costs €99,999.99 at most."),
        ("JPY", "24.50", "Enter a price like 2400 or 2500. Use 0 for free."),
        ("KWD", "24.505", "Cards take KWD only with a 0 at the end. 24.500 would do."),
    ],
)
async def test_a_price_that_is_none_is_refused_kindly_and_everything_typed_is_kept(screen, currency, typed, words):
    event = await make_event(currency=currency)
    answer = await (await screen(event)).change(price=typed, name="Renamed", description="Typed with care")
    assert answer.status_code == 422
    assert error(answer, f"price-{event.types['General']}") == words
    assert f'value="{typed}"' in answer.text
    assert 'value="Renamed"' in answer.text
    assert "Typed with care" in answer.text
    assert (await stored(event))["name"] == "General"


@pytest.mark.parametrize("typed", ["-5", "1e3", "x", str(2**31)])
async def test_T3_an_allocation_that_is_no_number_is_refused_with_the_range(screen, typed):
    event = await make_event(capacity=60)
    answer = await (await screen(event)).change(allocation=typed)
    expected = "Use a whole number from 0 to 60, or leave it empty."
    assert (answer.status_code, error(answer, f"allocation-{event.types['General']}")) == (422, expected)


async def test_T3_an_allocation_from_nought_to_X_or_none_at_all(screen):
    event = await make_event(capacity=60)
    desk = await screen(event)
    for typed, meant in (("0", 0), ("60", 60), ("１０", 10), ("", None)):
        assert (await desk.change(allocation=typed)).status_code == 303
        assert (await stored(event))["allocation"] == meant
    assert "No own cap" in await desk.see()
    assert (await desk.change(allocation="61")).status_code == 422


async def test_T3_an_allocation_below_what_its_type_has_promised_is_refused_with_the_smallest_that_would_do(screen):
    event = await make_event(ticket_type(allocation=20), capacity=60)
    await sell(event, 3)
    await hold(event, General=2)
    answer = await (await screen(event)).change(allocation="4")
    assert error(answer, f"allocation-{event.types['General']}") == (
        "3 are sold and 2 on hold, so this can’t go below 5."
    )


async def test_T4_a_sum_above_X_is_refused_at_the_field_and_on_the_meter(screen, script):
    event = await make_event(
        ticket_type("Early bird", allocation=20),
        ticket_type("Front row", allocation=8),
        ticket_type("Student", allocation=15, is_enabled=False),
        capacity=60,
    )
    answer = await (await screen(event, **script)).change("Front row", allocation="28")
    assert answer.status_code == 422
    assert error(answer, f"allocation-{event.types['Front row']}") == (
        "28 is 3 too many. At most 25 are free to allocate."
    )
    assert "Allocations add up to 63. That is 3 more than 60." in answer.text
    assert 'value="28"' in answer.text
    answer = await (await screen(event)).add("Late", allocation="18")
    assert "18 is 1 too many. At most 17 are free to allocate." in answer.text


async def test_T4_where_no_allocation_fits_the_words_say_to_leave_it_empty(screen):
    event = await make_event(ticket_type("A", allocation=55), ticket_type("B"), capacity=60)
    await hold(event, B=8)
    answer = await (await screen(event)).change("B", allocation="10")
    assert error(answer, f"allocation-{event.types['B']}") == (
        "10 is 5 too many. At most 5 are free to allocate. 8 are on hold already, so leave it empty."
    )


async def test_T5_early_bird_may_be_X_and_general_nought(screen):
    event = await make_event(ticket_type("Early Bird"), ticket_type("General"), capacity=60)
    desk = await screen(event)
    assert (await desk.change("Early Bird", allocation="60")).status_code == 303
    assert (await desk.change("General", allocation="0")).status_code == 303
    page = await desk.see()
    assert "On sale: 60 left" in page
    assert "None to sell: its allocation is 0" in page
    assert await left(event, "General") == 0


async def test_T6_the_desk_counts_what_is_left_as_the_shop_does(screen, browser):
    event = await make_event(ticket_type("Early Bird", allocation=10), ticket_type("General"), capacity=30)
    await sell(event, 2, "Early Bird")
    await hold(event, Early_Bird=3, General=9)
    page = await (await screen(event)).see()
    assert f"On sale: {await left(event, 'Early Bird')} left" in page
    assert f"On sale: {await left(event, 'General')} left" in page
    assert "2 sold, 3 on hold" in page
    shop = (await browser.get(f"/events/{event.slug}")).text
    assert "5 left" in shop
    assert "16 left" in shop


async def test_T7_an_allocation_caps_and_reserves_nothing(screen):
    event = await make_event(ticket_type("Early Bird", allocation=10), ticket_type("General"), capacity=12)
    for _ in range(3):
        await hold(event, General=4)
    page = await (await screen(event)).see()
    assert page.count("All held until") == 2
    assert "2 free to allocate" in page


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"name": " "}, "name", "Give the ticket a name."),
        ({"name": "x" * 81}, "name", "Shorten the name to 80 characters; it has 81."),
        ({"min_per_order": "0"}, "min_per_order", "Use a whole number from 1 to 100."),
        ({"max_per_order": "101"}, "max_per_order", "Use a whole number from 1 to 100."),
        ({"min_per_order": "5", "max_per_order": "4"}, "max_per_order", "Choose at least 5, the fewest per order."),
        ({"sales_start": "soon"}, "sales_start", "Choose a day and a time, or leave it empty."),
        (
            {"sales_start": "2027-01-02T10:00", "sales_end": "2027-01-02T10:00"},
            "sales_end",
            "Sales would end before they start. Choose a later time, or leave it empty.",
        ),
        (
            {"sales_start": "2027-03-28T02:30"},
            "sales_start",
            "Clocks skip this time that night. Choose 03:00 or later.",
        ),
    ],
)
async def test_whatever_else_will_not_do_is_said_beside_its_field(screen, typed, field, words):
    event = await make_event(timezone="Europe/Ljubljana")
    answer = await (await screen(event)).change(**typed)
    assert (answer.status_code, error(answer, f"{field}-{event.types['General']}")) == (422, words)


async def test_everything_that_is_wrong_with_a_type_is_said_at_once(screen):
    event = await make_event(ticket_type(allocation=5), ticket_type("Front row", allocation=5), capacity=12)
    wrong = {
        "name": "",
        "allocation": "20",
        "sales_start": "2027-01-02T10:00",
        "sales_end": "2027-01-02T09:00",
        "min_per_order": "5",
        "max_per_order": "4",
    }
    desk = await screen(event)
    for answer, key in [
        (await desk.change(**wrong), event.types["General"]),
        (await desk.add(price="x", type_id=(new := new_id()), **wrong), new),
    ]:
        assert answer.status_code == 422
        said = {
            field: error(answer, f"{field}-{key}") for field in wrong if field not in ("sales_start", "min_per_order")
        }
        assert all(said.values()), said
        assert "too many" in said["allocation"]
    assert error(answer, f"price-{new}")


async def test_a_price_below_what_cards_take_says_so_in_its_row(screen):
    event = await make_event(ticket_type("Coffee", price=20), ticket_type("Cake", price=50))
    page = await (await screen(event)).see()
    assert page.count("Only together with more: cards take €0.50 at least") == 1


@pytest.mark.parametrize("field", ["name", "description"])
async def test_a_ticket_type_does_not_turn_the_text_around_it(screen, script, field):
    event = await make_event()
    for headers in ({}, script):
        desk = await screen(event, **headers)
        answer = await desk.change(**{field: "VIP \N{RIGHT-TO-LEFT OVERRIDE}eerF"})
        assert (answer.status_code, error(answer, f"{field}-{event.types['General']}")) == (422, ODD)
        assert (await desk.add("VIP \N{RIGHT-TO-LEFT OVERRIDE}eerF")).status_code == 422


async def test_a_sales_window_is_typed_in_the_time_of_the_event(screen):
    event = await make_event(timezone="America/New_York")
    desk = await screen(event)
    assert (await desk.change(sales_start="2026-12-24T18:00")).status_code == 303
    assert (await stored(event))["sales_start"] == datetime(2026, 12, 24, 23, 0, tzinfo=UTC)
    assert "2026-12-24T18:00" in await desk.see(edit=event.types["General"])


async def test_two_admins_at_one_type_are_told_field_by_field_and_choose(screen):
    event = await make_event(ticket_type(allocation=5))
    desk = await screen(event)
    read = await desk.open()
    await ticket_types.change(event.id, event.types["General"], {"price": (2400, 2500)}, actor=BOR)
    assert (await desk.change(read=read, name="Regular")).status_code == 303, "another field is no quarrel"
    read["was-name"] = read[f"name-{event.types['General']}"] = "Regular"
    answer = await desk.change(read=read, price="26", allocation="7")
    assert answer.status_code == 409
    said = error(answer, f"price-{event.types['General']}")
    assert re.search(r"Bor Novak made it €25\.00 at \d\d:\d\d\. Save to replace it, or keep it\.", said)
    assert "Keep €25.00" in answer.text
    assert 'value="7"' in answer.text
    assert (await stored(event))["allocation"] == 5, "all of it or nothing"

    seen = read | {"was-price": "2500", f"price-{event.types['General']}": "26"}
    kept = await desk.change(read=seen, allocation="7", keep="price")
    assert 'data-unsaved="typed"' in kept.text, "the rest is not saved yet"
    assert kept.status_code == 200
    assert 'value="25.00"' in kept.text
    assert 'value="7"' in kept.text
    assert (await desk.change(read=seen, allocation="7")).status_code == 303
    assert [(await stored(event))[name] for name in ("price", "allocation")] == [2600, 7]


async def test_sales_times_typed_on_the_clocks_of_another_zone_are_not_taken(screen, script):
    event = await make_event(ticket_type(sales_end=datetime(2027, 1, 10, 17, tzinfo=UTC)), timezone="Europe/Vienna")
    for headers in ({}, script):
        desk = await screen(event, **headers)
        read = await desk.open()
        now = "America/New_York" if "Vienna" in read["zone"] else "Europe/Vienna"
        await events.set_timezone(event.id, was=read["zone"], to=now, actor=BOR)
        answer = await desk.change(read=read, sales_start="2026-12-01T10:00")
        assert answer.status_code == 409
        assert f"Bor Novak made the time zone {now} at" in answer.text
        assert "What you typed is still here, not saved." in answer.text
        assert 'value="2026-12-01T10:00"' in answer.text
        assert (await stored(event))["sales_start"] is None
    assert (await desk.change(read=sent(answer, event), sales_start="2026-12-01T10:00")).status_code == 200
    row = await stored(event)
    assert row["sales_start"] == datetime(2026, 12, 1, 9, tzinfo=UTC), "10:00 in Vienna, by then"
    assert row["sales_end"] == datetime(2027, 1, 10, 17, tzinfo=UTC), "nobody touched it"


async def test_a_time_that_moved_with_the_clocks_is_replaced_by_what_was_typed_once_it_is_said(screen):
    event = await make_event(ticket_type(sales_start=datetime(2026, 12, 1, 9, tzinfo=UTC)), timezone="Europe/Vienna")
    desk = await screen(event)
    read = await desk.open()
    await events.set_timezone(event.id, was="Europe/Vienna", to="America/New_York", actor=BOR)
    answer = await desk.change(read=read, sales_start="2026-12-01T12:00")
    assert answer.status_code == 409
    assert (await desk.change(read=sent(answer, event), sales_start="2026-12-01T12:00")).status_code == 303
    assert (await stored(event))["sales_start"] == datetime(2026, 12, 1, 17, tzinfo=UTC)


async def test_a_price_typed_in_another_currency_is_not_taken(screen, script):
    event = await make_event(status="DRAFT")
    for headers in ({}, script):
        desk = await screen(event, **headers)
        read = await desk.open()
        await events.change(event.id, {"currency": (read["currency"], "USD")}, actor=BOR)
        answer = await desk.change(read={**read, "currency": "EUR"}, price="30")
        assert answer.status_code == 409, "30 euros are not 30 dollars"
        assert "Bor Novak made the currency USD at" in answer.text
        assert 'value="30"' in answer.text
        assert (await stored(event))["price"] == 2400
    assert (await desk.change(read=sent(answer, event), price="30")).status_code == 200
    assert (await stored(event))["price"] == 3000


async def test_a_price_that_nobody_touched_is_shown_as_the_other_currency_writes_it(screen):
    event = await make_event(ticket_type(price=0), status="DRAFT")
    desk = await screen(event)
    read = await desk.open()
    await events.change(event.id, {"currency": ("EUR", "JPY")}, actor=BOR)
    told = await desk.change(read=read, name="Regular")
    assert told.status_code == 409
    assert f'name="price-{event.types["General"]}" type="text" value="0"' in told.text
    assert (await desk.change(read=sent(told, event))).status_code == 303
    assert [(await stored(event))[name] for name in ("name", "price")] == ["Regular", 0]


async def test_a_new_type_is_not_added_at_a_price_of_another_currency(screen, script):
    event = await make_event(currency="USD")
    for headers in ({}, script):
        desk, new = await screen(event, **headers), new_id()
        typed = {"type": str(new), f"name-{new}": "Early bird", f"price-{new}": "30", "currency": "EUR"}
        answer = await desk.desk.post(desk.address, data=typed, headers=headers)
        assert answer.status_code == 409
        assert "Somebody made the currency USD meanwhile." in answer.text
        assert f'name="price-{new}" type="text" value="30"' in answer.text
        assert 'name="currency" value="USD"' in answer.text
    assert await order(event) == ["General"]


@pytest.mark.parametrize("terms", ["\0", "‮", "x" * 5_000, "../../etc", "Europe", "¤", "€"])
async def test_terms_that_are_none_are_others_than_the_events(screen, terms):
    event = await make_event()
    desk = await screen(event)
    for name in ("currency", "zone"):
        answer = await desk.change(read={**await desk.open(), name: terms}, price="x")
        assert answer.status_code == 422
        answer = await desk.change(read={**await desk.open(), name: terms}, price="30")
        assert answer.status_code == (409 if terms.strip("\0") else 303)


@pytest.mark.parametrize("was", ["0001-01-01T00:00:00+14:00", "0001-01-01", "9999-12-31T23:59:59-14:00", "9" * 5_000])
async def test_a_mark_at_the_end_of_time_is_nobodys(screen, was):
    event = await make_event(ticket_type(sales_end=datetime(2027, 1, 10, tzinfo=UTC)), timezone="America/New_York")
    desk = await screen(event)
    for keep in (None, "sales_start"):
        answer = await desk.change(read={**await desk.open(), "was-sales_start": was}, keep=keep)
        assert answer.status_code == (200 if keep else 303), "it is empty, and stays so"
    assert (await desk.change(read={**await desk.open(), "was-sales_end": was})).status_code == 303
    late = await desk.change(read={**await desk.open(), "was-sales_end": was}, sales_end="2027-01-11T10:00")
    assert late.status_code == 409


async def test_the_same_form_pressed_twice_adds_one_type(screen):
    event, type_id = await make_event(), new_id()
    desk = await screen(event)
    for _ in range(2):
        assert (await desk.add("Early bird", type_id=type_id)).status_code == 303
    assert await db.fetchval("SELECT count(*) FROM ticket_type") == 2


async def test_another_ticket_type_typed_into_the_same_form_is_another(screen, script):
    for headers in ({}, script):
        event, type_id = await make_event(), new_id()
        desk = await screen(event, **headers)
        await desk.add("Early", type_id=type_id)
        await desk.add("Late", "30", type_id=type_id)
        await desk.add("Late", "30", type_id=type_id)
        assert await order(event) == ["General", "Early", "Late"]


async def test_types_are_moved_by_buttons(screen, script):
    event = await make_event(ticket_type("A"), ticket_type("B"), ticket_type("C"))
    desk = await screen(event)
    answer = await desk.press("C", "place", to="up")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{desk.address}#tt-{event.types['C']}")
    assert await order(event) == ["A", "C", "B"]
    answer = await (await screen(event, **script)).press("C", "place", to="up")
    assert answer.status_code == 200
    assert await order(event) == ["C", "A", "B"]
    assert (await desk.press("C", "place", to="sideways")).status_code == 303
    assert await order(event) == ["C", "A", "B"]


async def test_a_type_that_nobody_ever_held_is_removed_once_asked(screen):
    event = await make_event(ticket_type("A"), ticket_type("B"))
    desk = await screen(event)
    question = await desk.desk.get(f"{desk.address}/{event.types['B']}/removal")
    assert "Remove “B”?" in question.text
    assert (await desk.press("B", "removal")).status_code == 303
    assert (await desk.press("B", "removal")).status_code == 303, "twice is once"
    assert await order(event) == ["A"]


async def test_a_type_that_somebody_held_stays(screen):
    event = await make_event(ticket_type("A"), ticket_type("B"))
    await let_time_run_out(await hold(event, B=1))
    desk = await screen(event)
    assert "Remove" not in re.search(r"tt--edit.*?</form>", await desk.see(edit=event.types["B"]), re.DOTALL)[0]
    answer = await desk.press("B", "removal")
    assert answer.status_code == 409
    assert "Switch it off instead" in answer.text


async def test_1_4_a_published_event_keeps_one_type_on_sale_and_says_what_to_do(screen, script):
    event = await make_event()
    for headers in ({}, script):
        answer = await (await screen(event, **headers)).press("General", "disablement")
        assert answer.status_code == 409
        assert "A published event keeps one type on sale." in answer.text
    assert (await stored(event))["is_enabled"]


async def test_a_type_that_somebody_removed_meanwhile_is_said_to_be_gone(screen, script):
    event = await make_event(ticket_type("A"), ticket_type("B"))
    plain, htmx = await screen(event), await screen(event, **script)
    read = await plain.open("B")
    await ticket_types.remove(event.id, event.types["B"], actor=BOR)
    for desk in (plain, htmx):
        for answer in (await desk.change("B", read=read), await desk.press("B", "place", to="up")):
            assert answer.status_code == 404
            assert "Bor Novak removed this ticket type at" in answer.text


# ---------------------------------------------------------------- why, and who


async def test_why_a_type_is_not_on_sale_is_said_in_one_line_each(screen):
    now = datetime.now(UTC)
    event = await make_event(
        ticket_type("Open"),
        ticket_type("Off", is_enabled=False),
        ticket_type("Later", sales_start=now + timedelta(days=2)),
        ticket_type("Past", sales_end=now - timedelta(days=2)),
        ticket_type("Full", allocation=2),
        ticket_type("Held", allocation=2),
        capacity=60,
    )
    await sell(event, 2, "Full")
    await hold(event, Held=2)
    page = await (await screen(event)).see()
    for words in (
        "On sale: 56 left",
        "Switched off: buyers don’t see it",
        "On sale from ",
        "Sales ended ",
        "Sold out: all 2 that are allocated to it",
        "All held until ",
    ):
        assert words in page
    await events.unpublish(event.id, actor=BOR)
    assert (await (await screen(event)).see()).count("Not on sale: the event is a draft") == 5
    over = await make_event(start_date=now - timedelta(days=1))
    assert "Not on sale: the event is over" in await (await screen(over)).see()
    full = await make_event(capacity=0)
    assert "None to sell: the total capacity is 0" in await (await screen(full)).see()


async def test_who_may_not_edit_sees_no_form_and_the_door_sees_no_sales(screen):
    event = await make_event(ticket_type(allocation=5), capacity=60)
    await sell(event, 3)
    reader, door = await screen(event, "readonly"), await screen(event, "door")
    for page in (await reader.see(edit=event.types["General"]), await door.see(edit="new")):
        assert re.search(r'<form[^>]*id="(?!capacity)[^"]*"[^>]*tickets', page) is None
        assert "On sale: 2 left" in page
        assert 'name="total_capacity"' not in page
    assert "3 sold" in await reader.see()
    assert "3 sold" not in await door.see()
    assert (await door.desk.get(f"{door.address}/now")).status_code == 403


async def test_what_is_pushed_is_numbers_and_carries_no_form(screen):
    event = await make_event(ticket_type(allocation=5), capacity=60)
    desk = await screen(event)
    pushed = (await desk.desk.get(f"{desk.address}/now")).text
    assert f'id="now-{event.types["General"]}"' in pushed
    assert 'id="meter"' in pushed
    for never in ("<form", "<input", "csrf", "<a "):
        assert never not in pushed


async def test_an_event_that_is_not_there_is_said_to_be_so(screen):
    event = await make_event()
    desk = await screen(event)
    desk.address = f"/admin/events/{new_id()}/tickets"
    assert (await desk.desk.get(desk.address)).status_code == 404
    assert (await desk.set_capacity("5", was="1")).status_code == 404


async def sell(event, count, name="General"):
    """So many of a type are bought, for nothing: no card is asked for."""
    price = await db.fetchval("SELECT price FROM ticket_type WHERE id = $1", event.types[name])
    await db.execute("UPDATE ticket_type SET price = 0 WHERE id = $1", event.types[name])
    for some in [10] * (count // 10) + [count % 10] * bool(count % 10):
        await checkout.start_payment(await hold_with_buyer(event, **{name.replace(" ", "_"): some}))
    await db.execute("UPDATE ticket_type SET price = $2 WHERE id = $1", event.types[name], price)


async def order(event):
    rows = await db.fetch("SELECT name FROM ticket_type WHERE event_id = $1 ORDER BY position", event.id)
    return [row["name"] for row in rows]
