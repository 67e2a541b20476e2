"""Events at the desk: the list, a new one (AC A1–A4, flow 1.3.1), fields saved in place, two admins at once, a copy."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from models import database as db
from tests.makers import hold, let_time_run_out, make_event, ticket_type
from tests.web.admin.test_live_desk import said
from tests.web.admin.test_order import form_in
from tests.web.admin.test_tickets import sell
from web import words
from web.admin import event_form, event_list, event_page, events, zones
from web.admin.event_form import FIELDS

LIST, NEW = "/admin/events", "/admin/events/new"
GOOD = {
    "title": "Drawing the Winter Garden",
    "start_date": "2027-01-23T14:00",
    "end_date": "2027-01-23T17:00",
    "timezone": "Europe/Vienna",
    "location": "Palm House",
    "city": "Graz",
    "description": "Bring a *pencil*.",
    "currency": "EUR",
}


@pytest.fixture
async def desk(signed_in):
    return await signed_in("manager", name="Mira")


async def the_event() -> dict:
    return dict(await db.fetchrow("SELECT * FROM event ORDER BY created_at DESC LIMIT 1"))


def details(event_id) -> str:
    return f"{LIST}/{event_id}/details"


async def save(desk, event_id, name, to, *, was, **other):
    return await desk.post(f"{details(event_id)}/{name}", data={name: to, "was": was, **other})


# ---------------------------------------------------------------- AC A1–A4, flow 1.3.1


async def test_A1_an_admin_creates_an_event(desk):
    assert "Create draft" in (await desk.get(NEW)).text
    answer = await desk.post(LIST, data=GOOD)
    event = await the_event()
    assert answer.status_code == 303
    assert event["title"] == "Drawing the Winter Garden"
    assert event["start_date"] == datetime(2027, 1, 23, 13, tzinfo=UTC)
    assert event["end_date"] == datetime(2027, 1, 23, 16, tzinfo=UTC)
    assert (event["timezone"], event["location"], event["city"]) == ("Europe/Vienna", "Palm House", "Graz")
    assert (event["description"], event["currency"]) == ("Bring a *pencil*.", "EUR")
    assert await db.fetchval("SELECT actor_name || ' ' || action FROM audit_entry") == "Mira event drafted"


async def test_A1_nobody_else_creates_one(signed_in, browser):
    for role in ("door", "readonly"):
        other = await signed_in(role)
        assert (await other.post(LIST, data=GOOD)).status_code == 403
        assert (await other.get(NEW)).status_code == 403
        assert NEW not in (await other.get(LIST)).text
    assert (await browser.post(LIST, data=GOOD)).headers["location"].startswith("/admin/login")
    assert await db.fetchval("SELECT count(*) FROM event") == 0


async def test_A2_title_and_start_are_needed_and_everything_typed_is_kept(desk):
    answer = await desk.post(LIST, data={**GOOD, "title": "  ", "start_date": "", "city": "Graz <&> Umgebung"})
    assert answer.status_code == 422
    assert '<a href="#title">Give the event a title.</a>' in answer.text
    assert '<a href="#start_date">Choose when it starts.</a>' in answer.text
    assert 'value="Graz &lt;&amp;&gt; Umgebung"' in answer.text
    assert "Bring a *pencil*." in answer.text
    assert answer.text.count('aria-invalid="true"') == 2
    assert await db.fetchval("SELECT count(*) FROM event") == 0


async def test_A2_an_end_before_the_start_is_refused_with_what_would_do(desk):
    answer = await desk.post(LIST, data={**GOOD, "end_date": "2027-01-23T11:00"})
    assert answer.status_code == 422
    assert answer.text.count("The end is before the start. Choose 23 Jan 2027, 14:00 or later.") == 2
    assert (await desk.post(LIST, data={**GOOD, "end_date": GOOD["start_date"]})).status_code == 303
    assert (await desk.post(LIST, data={**GOOD, "end_date": ""})).status_code == 303


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"start_date": "soon"}, "Choose a day and a time, such as 2027-01-23 14:00."),
        ({"start_date": "2027-02-30T10:00"}, "Choose a day and a time"),
        ({"start_date": "0202-01-23T10:00"}, "Check the year."),
        ({"timezone": "Middle/Earth"}, "Choose a time zone from the list"),
        ({"timezone": ""}, "Choose the time zone of the place."),
        ({"currency": "XXX"}, "Choose a currency from the list."),
        ({"title": "x" * 121}, "Shorten it to 120 characters. It has 121 now."),
        ({"title": "Winter\u202eLight"}, "Something in this text can’t be shown."),
        ({"start_date": "2027-03-28T02:30"}, "jump over 02:30 that night. Choose 28 Mar 2027, 03:00 or later."),
    ],
)
async def test_A2_what_cannot_be_read_is_said_at_the_field(desk, typed, said):
    answer = await desk.post(LIST, data={**GOOD, "end_date": "", **typed})
    assert answer.status_code == 422
    assert said in answer.text


async def test_A3_a_new_event_is_a_draft_that_buyers_do_not_see(desk, browser):
    await desk.post(LIST, data=GOOD)
    event = await the_event()
    assert event["status"] == "DRAFT"
    assert (await browser.get(f"/events/{event['slug']}")).status_code == 404


async def test_A4_a_new_event_has_a_place_for_ticket_types(desk):
    answer = await desk.post(LIST, data=GOOD)
    event = await the_event()
    assert event["total_capacity"] == 0
    tickets = await desk.get(f"{LIST}/{event['id']}/tickets")
    assert tickets.status_code == 200
    assert "No ticket types yet" in tickets.text
    assert f'href="{LIST}/{event["id"]}/tickets"' in (await desk.get(answer.headers["location"])).text


async def test_1_3_1_from_the_dashboard_to_the_edit_page_of_a_draft(desk):
    assert f'href="{NEW}"' in (await desk.get(LIST)).text
    refused = await desk.post(LIST, data={**GOOD, "title": ""})
    assert refused.status_code == 422
    saved = await desk.post(LIST, data=GOOD)
    page = await desk.get(saved.headers["location"])
    assert str(saved.headers["location"]).startswith(details((await the_event())["id"]))
    assert page.status_code == 200
    assert "Your draft is saved" in page.text
    assert "At least one ticket type on sale" in page.text


async def test_1_3_1_the_same_form_sent_twice_makes_one_event(desk):
    key = re.search(r'name="key" value="([^"]+)"', (await desk.get(NEW)).text)[1]
    answers = [await desk.post(LIST, data={**GOOD, "key": key}) for _ in range(2)]
    assert {answer.headers["location"] for answer in answers} == {f"{details((await the_event())['id'])}?made=new"}
    assert await db.fetchval("SELECT count(*) FROM event") == 1


async def test_another_event_typed_into_the_same_page_is_another_event(desk):
    key = form_in((await desk.get(NEW)).text, LIST)["key"]
    first, second = [await desk.post(LIST, data={**GOOD, "title": t, "key": key}) for t in ("Drawing", "Painting")]
    assert first.headers["location"] != second.headers["location"]
    assert {row["title"] for row in await db.fetch("SELECT title FROM event")} == {"Drawing", "Painting"}


async def test_zone_and_currency_are_those_of_the_last_event(desk):
    assert 'value="UTC"' in (await desk.get(NEW)).text
    assert "data-guess-zone" in (await desk.get(NEW)).text
    await desk.post(LIST, data={**GOOD, "timezone": "zurich", "currency": "CHF"})
    page = (await desk.get(NEW)).text
    assert 'value="Europe/Zurich"' in page
    assert "<option selected>CHF</option>" in page
    assert "data-guess-zone" not in page


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("europe/vienna", "Europe/Vienna"),
        (" New york ", "America/New_York"),
        ("port au prince", "America/Port-au-Prince"),
        ("utc", "UTC"),
        ("são paulo", "America/Sao_Paulo"),
        ("Zürich", "Europe/Zurich"),
        ("Stockholm", "Europe/Stockholm"),
        # Two names for one place: the one of today.
        ("buenos aires", "America/Argentina/Buenos_Aires"),
        ("Córdoba", "America/Argentina/Cordoba"),
        ("mendoza", "America/Argentina/Mendoza"),
        ("indianapolis", "America/Indiana/Indianapolis"),
        ("louisville", "America/Kentucky/Louisville"),
        ("istanbul", "Europe/Istanbul"),
        ("America/Buenos_Aires", "America/Buenos_Aires"),
        ("Springfield", None),
        ("America", None),
        ("", None),
    ],
)
def test_a_zone_is_found_by_its_city(typed, found):
    assert zones.find(typed) == found


def test_every_zone_of_the_list_is_found_by_its_name_and_by_its_city_alone():
    assert len(zones.names()) > 300
    for name in zones.names():
        assert zones.find(name) == name
        city = name.rpartition("/")[2]
        assert zones.find(city.replace("_", " ")).rpartition("/")[2] == city


# ---------------------------------------------------------------- saved in place


async def test_a_field_is_saved_by_itself(desk, script):
    event = await make_event(city="Graz")
    page = (await desk.get(details(event.id))).text
    assert 'id="field-city"' in page
    desk.headers.update(script)
    answer = await save(desk, event.id, "city", " Ljubljana ", was="Graz")
    assert answer.status_code == 200
    assert '<hx-partial hx-target="#field-city"' in answer.text
    assert 'value="Ljubljana"' in answer.text
    assert "Saved" in answer.text
    assert (await the_event())["city"] == "Ljubljana"


async def test_without_javascript_a_saved_field_leads_back_to_itself(desk):
    event = await make_event()
    answer = await save(desk, event.id, "city", "Graz", was="")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{details(event.id)}?saved=city#field-city")
    assert re.search(
        r'id="city-said" role="status"><svg.*?Saved</p>', (await desk.get(answer.headers["location"])).text
    )


async def test_a_field_that_is_wrong_is_answered_alone_with_what_was_typed(desk, script):
    event = await make_event()
    whole = await save(desk, event.id, "title", "", was="Winter Light")
    assert whole.status_code == 422
    assert "<!doctype html>" in whole.text
    desk.headers.update(script)
    answer = await save(desk, event.id, "title", "", was="Winter Light")
    assert answer.status_code == 422
    assert "Give the event a title." in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert 'name="was" value="Winter Light"' in answer.text
    assert "#field-city" not in answer.text
    assert (await the_event())["title"] == "Winter Light"


async def test_another_title_leaves_the_address_of_an_event_alone(desk):
    event = await make_event(slug="winter-light")
    await save(desk, event.id, "title", "Summer Light", was="Winter Light")
    assert ((await the_event())["title"], (await the_event())["slug"]) == ("Summer Light", "winter-light")


async def test_the_end_moves_along_and_is_shown_with_the_start(desk, script):
    start = datetime(2027, 1, 23, 13, tzinfo=UTC)
    event = await make_event(start_date=start, end_date=start + timedelta(hours=3), timezone="Europe/Vienna")
    desk.headers.update(script)
    answer = await save(desk, event.id, "start_date", "2027-01-30T14:00", was=start.isoformat())
    assert answer.status_code == 200
    assert "Moved along" in answer.text
    assert 'value="2027-01-30T17:00"' in answer.text
    wrong = await save(desk, event.id, "end_date", "2027-01-30T13:59", was=(await the_event())["end_date"].isoformat())
    assert wrong.status_code == 422
    assert "The end is before the start. Choose 30 Jan 2027, 14:00 or later." in wrong.text
    none = await save(desk, event.id, "end_date", "", was=(await the_event())["end_date"].isoformat())
    assert (none.status_code, (await the_event())["end_date"]) == (200, None)


async def test_another_zone_keeps_the_clock_times(desk, script):
    start = datetime(2027, 1, 23, 14, tzinfo=UTC)
    event = await make_event(start_date=start, timezone="UTC")
    desk.headers.update(script)
    answer = await save(desk, event.id, "timezone", "vienna", was="UTC")
    assert 'value="Europe/Vienna"' in answer.text
    assert 'value="2027-01-23T14:00"' in answer.text
    assert (await the_event())["start_date"] == start - timedelta(hours=1)


async def test_an_hour_that_comes_twice_and_a_start_in_the_past_are_said(desk):
    event = await make_event(
        start_date=datetime(2027, 10, 31, 0, 30, tzinfo=UTC), timezone="Europe/Vienna", status="DRAFT"
    )
    assert "Clocks show this hour twice that night. This is CEST." in (await desk.get(details(event.id))).text
    past = await make_event(start_date=datetime(2020, 1, 1, tzinfo=UTC), status="DRAFT")
    assert "This is in the past." in (await desk.get(details(past.id))).text


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2027, 10, 31, 1, 30, tzinfo=UTC),  # clocks show 02:30 for the second time
        datetime(2027, 10, 31, 0, 30, 12, 345_678, tzinfo=UTC),
    ],
)
async def test_a_time_that_nobody_touched_stays_as_it_is(desk, moment):
    event = await make_event(start_date=moment, end_date=moment, timezone="Europe/Vienna")
    for name in ("start_date", "end_date"):
        where = f"{details(event.id)}/{name}"
        form = form_in((await desk.get(details(event.id))).text, where)
        assert (await desk.post(where, data={**form, name: "2027-10-31T02:30"})).status_code == 303
    stored = await the_event()
    assert (stored["start_date"], stored["end_date"]) == (moment, moment)
    assert await db.fetchval("SELECT count(*) FROM audit_entry") == 0


@pytest.mark.parametrize(
    "was", ["0001-01-01T00:00:00+14:00", "0001-01-01", "9999-12-31T23:59:59-14:00", "2027-10-31T02:30"]
)
async def test_a_mark_at_the_end_of_time_is_nobodys(desk, was):
    event = await make_event(timezone="America/New_York")
    for name in ("start_date", "end_date"):
        assert (await save(desk, event.id, name, "2027-10-31T02:30", was=was)).status_code == 409


async def test_the_currency_stays_once_a_ticket_was_held(desk, script):
    event = await make_event()
    await hold(event)
    desk.headers.update(script)
    answer = await save(desk, event.id, "currency", "CHF", was="EUR")
    assert answer.status_code == 422
    assert "held or sold at prices in EUR, so the currency stays" in answer.text


@pytest.mark.parametrize(("status", "first"), [("DRAFT", "Set"), ("PUBLISHED", "Take the event off sale, then set")])
async def test_24_euros_do_not_become_2400_yen(desk, script, status, first):
    event = await make_event(ticket_type(price=2400), status=status)
    for headers in ({}, script):
        desk.headers.update(headers)
        answer = await save(desk, event.id, "currency", "JPY", was="EUR")
        assert answer.status_code == 422
        said = f"Prices are typed in EUR. {first} them to 0, choose the currency, and type them anew."
        assert f"<span>{said}</span>" in answer.text
    assert "€24.00" in (await desk.get(f"{LIST}/{event.id}/tickets", headers={"HX-Request": "false"})).text


async def test_a_field_that_is_none_is_not_found(desk):
    event = await make_event()
    for name in ("status", "held", "slug", "total_capacity", "made-up"):
        assert (await save(desk, event.id, name, "1", was="0")).status_code == 404
    assert (await save(desk, uuid4(), "city", "Graz", was="")).status_code == 404


@pytest.mark.parametrize("name", FIELDS)
async def test_whatever_is_sent_a_field_answers_sanely(desk, name):
    event = await make_event(currency="EUR")
    for to in ("", "x", "\0", "a" * 60_000, "2027-01-01T00:00", "9999-99-99T99:99", "<script>", "‮", "CHF", "\r\n\r\n"):
        for was in ("", "x", "2027-01-01", "2027-01-01T00:00:00+00:00"):
            assert (await save(desk, event.id, name, to, was=was)).status_code in (303, 409, 422), (name, to, was)


@pytest.mark.parametrize("letter", ["a", "ж", "字", "🎪"])
async def test_a_long_description_may_be_of_any_letters(desk, script, letter):
    text = letter * 19_999
    answer = await desk.post(LIST, data={**GOOD, "description": text})
    assert answer.status_code == 303
    event = await the_event()
    answer = await save(desk, event["id"], "description", f"{text}!", was=text)
    assert answer.status_code == 303
    assert (await the_event())["description"] == f"{text}!"
    assert (await desk.post("/admin/events/preview", data={"description": text}, headers=script)).status_code == 200


async def test_a_description_that_is_too_long_is_answered_in_its_field_in_any_letters(desk):
    event = await make_event(description="🎪" * 20_000)
    answer = await save(desk, event.id, "description", "🎪" * 40_000, was="🎪" * 20_000)
    assert answer.status_code == 422
    assert "Shorten it to 20,000 characters. It has 40,000 now." in answer.text


async def test_who_may_not_edit_reads_values_and_no_fields(signed_in):
    event = await make_event(city="Graz", description="Bring a *pencil*.")
    for role in ("readonly", "door"):
        page = (await (await signed_in(role)).get(details(event.id))).text
        assert "Graz" in page
        assert "<em>pencil</em>" in page
        assert "data-in-place" not in page
        assert "Before publishing" not in page


# ---------------------------------------------------------------- two admins at once


async def test_two_admins_at_once_are_told_and_lose_nothing(signed_in, script):
    mira, ana = await signed_in("manager", name="Mira"), await signed_in("owner", name="Ana")
    event = await make_event(city="Graz")
    for desk in (mira, ana):
        desk.headers.update(script)
    assert (await save(mira, event.id, "city", "Vienna", was="Graz")).status_code == 200
    told = await save(ana, event.id, "city", "Linz", was="Graz")
    assert told.status_code == 409
    assert re.search(r"Mira changed this at \d\d:\d\d UTC to “Vienna”\.", told.text)
    assert 'value="Linz"' in told.text
    assert 'name="was" value="Vienna"' in told.text
    assert (await the_event())["city"] == "Vienna"
    # Another field is no quarrel, and what Mira did to it stays.
    assert (await save(ana, event.id, "location", "Palm House", was="")).status_code == 200
    assert (await the_event())["city"] == "Vienna"
    kept = await save(ana, event.id, "city", "Linz", was="Vienna", choice="theirs")
    assert (kept.status_code, (await the_event())["city"]) == (200, "Vienna")
    assert 'value="Vienna"' in kept.text
    mine = await save(ana, event.id, "city", "Linz", was="Vienna", choice="mine")
    assert (mine.status_code, (await the_event())["city"]) == (200, "Linz")


async def test_without_javascript_both_are_on_the_page(signed_in):
    mira, ana = await signed_in("manager", name="Mira"), await signed_in("owner", name="Ana")
    event = await make_event(description="One")
    await save(mira, event.id, "description", "Two\r\n\r\nlines", was="One")
    told = await save(ana, event.id, "description", "Three", was="One")
    assert told.status_code == 409
    assert "<!doctype html>" in told.text
    assert "Mira changed this" in told.text
    assert ">\nThree</textarea>" in told.text
    await save(ana, event.id, "description", "Three", was="Two\r\n\r\nlines", choice="mine")
    assert (await the_event())["description"] == "Three"


async def test_a_time_is_compared_exactly_and_shown_on_the_clocks_there(signed_in, script):
    start = datetime(2027, 1, 23, 13, tzinfo=UTC)
    event = await make_event(start_date=start, timezone="Europe/Vienna")
    mira, ana = await signed_in("manager", name="Mira"), await signed_in("owner", name="Ana")
    ana.headers.update(script)
    await save(mira, event.id, "start_date", "2027-01-24T14:00", was=start.isoformat())
    told = await save(ana, event.id, "start_date", "2027-01-25T14:00", was=start.isoformat())
    assert told.status_code == 409
    assert "to “24 Jan 2027, 14:00”" in told.text


async def test_a_time_typed_on_the_clocks_of_another_zone_is_not_taken(signed_in, script):
    event = await make_event(start_date=datetime(2027, 1, 23, 13, tzinfo=UTC), timezone="Europe/Vienna")
    ana, bob = await signed_in("manager", name="Ana"), await signed_in("manager", name="Bob")
    where = f"{details(event.id)}/end_date"
    form = form_in((await ana.get(details(event.id))).text, where)
    await save(bob, event.id, "timezone", "America/New_York", was="Europe/Vienna")
    for headers in ({}, script):
        told = await ana.post(where, data={**form, "end_date": "2027-01-23T17:00"}, headers=headers)
        assert told.status_code == 409
        assert re.search(
            r"Bob changed the time zone at \d\d:\d\d E[SD]T to “America/New_York”\. This is empty now\.", told.text
        )
        assert 'name="end_date" autocomplete="off" type="datetime-local" value="2027-01-23T17:00"' in told.text
    assert (await the_event())["end_date"] is None
    again = {**form_in(told.text, where), "end_date": "2027-01-23T17:00", "choice": "mine"}
    assert (await ana.post(where, data=again)).status_code == 303
    assert (await the_event())["end_date"] == datetime(2027, 1, 23, 22, tzinfo=UTC), "17:00 in New York"


async def test_a_time_that_is_wrong_stays_on_the_clocks_that_it_was_typed_on(signed_in):
    event = await make_event(start_date=datetime(2027, 1, 23, 13, tzinfo=UTC), timezone="Europe/Vienna")
    ana, bob = await signed_in("manager"), await signed_in("manager")
    where = f"{details(event.id)}/start_date"
    form = form_in((await ana.get(details(event.id))).text, where)
    await save(bob, event.id, "timezone", "America/New_York", was="Europe/Vienna")
    wrong = await ana.post(where, data={**form, "start_date": "soon"})
    assert wrong.status_code == 422
    again = await ana.post(where, data={**form_in(wrong.text, where), "start_date": "2027-01-24T14:00"})
    assert again.status_code == 409


async def test_ones_own_other_window_is_called_so(desk, script):
    event = await make_event(city="Graz")
    desk.headers.update(script)
    await save(desk, event.id, "city", "Vienna", was="Graz")
    assert "You changed this at" in (await save(desk, event.id, "city", "Linz", was="Graz")).text


# ---------------------------------------------------------------- the description is safe


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[click](javascript:alert(1))",
        "[click](  JaVaScRiPt:alert(1))",
        "[click](&#106;avascript:alert(1))",
        "[click](java\tscript:alert(1))",
        "[click](data:text/html;base64,PHNjcmlwdD4=)",
        "[click](vbscript:msgbox(1))",
        "<javascript:alert(1)>",
        "![x](https://evil.example/pixel.gif)",
        '<a href="javascript:alert(1)">x</a>',
        "<svg onload=alert(1)>",
        "<iframe src=//evil.example></iframe>",
        '[x](https://ok.example "onmouseover=alert(1)")',
        "[x]: javascript:alert(1)\n\n[x]",
        '<style>body{display:none}</style><form action="//evil.example"><input></form>',
    ],
)
async def test_nothing_in_a_description_can_run_or_phone_home(desk, browser, script, text):
    shown = str(words.markdown(text))
    tags = re.findall(r"<\s*/?\s*([a-zA-Z]+)([^>]*)>", shown)
    assert {tag for tag, _ in tags} <= words.SAFE_TAGS
    assert not [rest for _, rest in tags if re.search(r"\son\w+\s*=|src\s*=|style\s*=", rest)]
    hrefs = [href for _, rest in tags for href in re.findall(r'href="([^"]*)"', rest)]
    assert all(href.startswith(("https://", "http://", "mailto:")) for href in hrefs)
    event = await make_event(description=text)
    assert shown in (await browser.get(f"/events/{event.slug}")).text
    preview = await desk.post("/admin/events/preview", data={"description": text}, headers=script)
    assert preview.status_code == 200
    assert shown in preview.text


# ---------------------------------------------------------------- the list


async def test_the_first_event_starts_here(desk, signed_in):
    page = (await desk.get(LIST)).text
    assert "Your first event starts here" in page
    assert "Your first event starts here" in (await (await signed_in("door")).get(LIST)).text


async def make_some() -> None:
    soon = datetime.now(UTC) + timedelta(days=9)
    await make_event(title="Süße Töne", city="Łódź", start_date=soon)
    await sell(await make_event(title="Full House", capacity=2, start_date=soon), 2)
    await make_event(title="Not yet", status="DRAFT", start_date=soon)
    await make_event(title="Long ago", start_date=datetime(2020, 5, 1, tzinfo=UTC))


def titles(page: str) -> list[str]:
    return re.findall(r'<a class="full"[^>]*>([^<]+)</a>', page)


def chips(page: str) -> dict[str, int]:
    return {name: int(n) for name, n in re.findall(r'id="status-([\w-]+)".*?<span class="num">(\d+)</span>', page)}


async def test_events_are_counted_and_filtered_by_status(desk):
    await make_some()
    page = (await desk.get(LIST)).text
    assert chips(page) == {"all": 4, "drafts": 1, "on-sale": 1, "off-sale": 0, "sold-out": 1, "past": 1}
    assert titles(page)[-1] == "Long ago"
    for status, title in [("drafts", "Not yet"), ("on-sale", "Süße Töne"), ("sold-out", "Full House")]:
        assert titles((await desk.get(LIST, params={"status": status})).text) == [title]
    assert len(titles((await desk.get(LIST, params={"status": "made-up"})).text)) == 4


NOW = datetime.now(UTC)
EARLY, LATER = ticket_type("Early Bird", allocation=30), ticket_type("General", sales_start=NOW + timedelta(days=2))
PAST = ticket_type("General", sales_end=NOW - timedelta(days=2))


@pytest.mark.parametrize(
    ("types", "values", "sold", "held", "says", "to_buyers", "filed"),
    [
        ([EARLY, ticket_type()], {}, 30, 0, "On sale", "30 left", "on-sale"),
        ([EARLY, ticket_type(allocation=0)], {}, 30, 0, "Sold out", "Sold out", "sold-out"),
        ([EARLY, ticket_type(is_enabled=False)], {}, 30, 0, "Sold out", "Sold out", "sold-out"),
        ([EARLY, PAST], {}, 30, 0, "Sold out", "Sold out", "sold-out"),
        ([EARLY, LATER], {}, 30, 0, "Opens later", "On sale from", "off-sale"),
        ([LATER], {}, 0, 0, "Opens later", "On sale from", "off-sale"),
        ([PAST], {}, 0, 0, "Sales ended", "Sales ended", "off-sale"),
        ([ticket_type()], {"capacity": 0}, 0, 0, "Not on sale", "Not on sale", "off-sale"),
        ([EARLY], {}, 29, 1, "All held", "All held right now", "on-sale"),
        ([ticket_type("Early Bird", min_per_order=2)], {"capacity": 31}, 30, 0, "Too few left", "Too few", "sold-out"),
    ],
)
async def test_the_desk_says_of_an_event_what_the_shop_says(
    desk, browser, types, values, sold, held, says, to_buyers, filed
):
    event = await make_event(*types, **{"capacity": 60, "title": "Winter Light", **values})
    if sold:
        await sell(event, sold, "Early Bird")
    if held:
        await hold(event, Early_Bird=held)
    everything, only = [(await desk.get(LIST, params={"status": status})).text for status in ("", filed)]
    assert chip_at(f'id="state-{event.id}"', everything) == says
    assert chip_at("<h1>Winter Light</h1>", (await desk.get(details(event.id))).text) == says
    assert re.search(rf'id="avail-{event.id}">([^<]*)<', (await browser.get("/")).text)[1].startswith(to_buyers)
    assert titles(only) == ["Winter Light"]
    assert {status for status, count in chips(everything).items() if count} == {"all", filed}
    assert f"On sale {chips(everything)['on-sale']} " in said((await desk.get("/admin/home")).text), "Today agrees"


def chip_at(mark: str, page: str) -> str:
    return re.search(rf"{mark}.*?</svg>([^<]+)</span>", page)[1]


async def test_a_row_of_what_is_sold_out_tells_of_no_tickets_left(desk):
    event = await make_event(ticket_type("Early Bird", allocation=3), ticket_type(is_enabled=False), capacity=60)
    await sell(event, 3, "Early Bird")
    assert "3 of 60 sold" in (await desk.get(LIST)).text


async def test_an_event_of_the_list_opens_by_itself(desk):
    opens = datetime.now(UTC) + timedelta(days=1)
    await make_event(ticket_type(sales_start=opens))
    (row,) = await event_list.look([(await the_event())["id"]])
    assert row.state is event_page.NOT_YET
    assert events._seen(row).changes_in == (opens - row.shelf.now).total_seconds()


async def test_events_are_found_without_case_and_accents(desk, script):
    await make_some()
    assert titles((await desk.get(LIST, params={"q": "SUSSE lodz"})).text) == ["Süße Töne"]
    nothing = await desk.get(LIST, params={"q": "polka"}, headers=script)
    assert "Nothing matches “polka”" in nothing.text
    assert nothing.headers["hx-replace-url"] == f"{LIST}?q=polka"
    assert nothing.text.lstrip().startswith('<div id="results"')


async def test_the_list_has_pages(desk):
    for n in range(51):
        await make_event(title=f"Event {n:02}")
    first, second = [(await desk.get(LIST, params={"page": page})).text for page in ("1", "2")]
    assert (len(titles(first)), len(titles(second))) == (50, 1)
    assert f'href="{LIST}?page=2"' in first
    assert len(titles((await desk.get(LIST, params={"page": "99"})).text)) == 1


async def test_a_row_says_how_full_an_event_is_and_an_overdue_hold_counts_as_free(desk):
    event = await make_event(capacity=10)
    await hold(event, General=3)
    assert "0 sold · 3 held · 7 left" in (await desk.get(LIST)).text
    await let_time_run_out(await hold(event, General=2))
    assert "0 sold · 3 held · 7 left" in (await desk.get(LIST)).text
    pushed = await desk.get(f"{LIST}/now")
    assert f'hx-target="#sales-{event.id}"' in pushed.text
    assert "0 sold · 3 held · 7 left" in pushed.text


async def test_the_door_sees_what_is_on_and_nothing_about_sales(signed_in):
    event = await make_event(title="Winter Light", city="Graz")
    await hold(event, General=3)
    door = await signed_in("door")
    page = (await door.get(LIST)).text
    assert "Winter Light" in page
    assert "Graz" in page
    rows = page[page.index('aria-label="Events"') :]
    for word in ("sold", "held", "capbar", "hx-sse:connect"):
        assert word not in rows
    assert (await door.get(f"{LIST}/live")).status_code == 403
    assert (await door.get(f"{LIST}/now")).status_code == 403


async def test_dates_are_those_of_the_events_zone(desk):
    await make_event(start_date=datetime(2027, 1, 23, 23, 30, tzinfo=UTC), timezone="Asia/Tokyo")
    assert "Sun 24 Jan 2027, 08:30 JST" in (await desk.get(LIST)).text


# ---------------------------------------------------------------- a copy


async def test_a_copy_opens_with_what_came_along_and_what_did_not(desk):
    event = await make_event(ticket_type(allocation=5), city="Graz")
    await hold(event)
    answer = await desk.post(f"{LIST}/{event.id}/copies")
    assert answer.status_code == 303
    copy_id = UUID(answer.headers["location"].split("/")[3])
    copy = await db.fetchrow("SELECT * FROM event WHERE id = $1", copy_id)
    assert (copy["title"], copy["status"], copy["city"], copy["held"]) == ("Copy of Winter Light", "DRAFT", "Graz", 0)
    assert await db.fetchval("SELECT allocation FROM ticket_type WHERE event_id = $1", copy_id) == 5
    page = (await desk.get(answer.headers["location"])).text
    assert "orders and holds did not" in page


@pytest.mark.parametrize("where", ["list", "page"])
async def test_pressed_twice_it_is_copied_once_and_on_a_later_visit_once_more(desk, where):
    event = await make_event()
    address, copies = (LIST if where == "list" else details(event.id)), f"{LIST}/{event.id}/copies"
    form = form_in((await desk.get(address)).text, copies)
    answers = await asyncio.gather(*(desk.post(copies, data=form) for _ in range(3)))
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert await db.fetchval("SELECT count(*) FROM event") == 2
    assert await db.fetchval("SELECT count(*) FROM audit_entry") == 1
    await desk.post(copies, data=form_in((await desk.get(address)).text, copies))
    assert await db.fetchval("SELECT count(*) FROM event") == 3


async def test_a_copy_is_offered_in_the_list_and_on_the_page_to_whom_may_edit(desk, signed_in):
    event = await make_event()
    action = f'action="{LIST}/{event.id}/copies"'
    readonly = await signed_in("readonly")
    for address in (LIST, details(event.id)):
        assert action in (await desk.get(address)).text
        assert action not in (await readonly.get(address)).text


# ---------------------------------------------------------------- forms


async def test_every_form_carries_the_token_and_works_without_javascript(desk):
    event = await make_event()
    for address in (LIST, NEW, details(event.id)):
        for form in re.findall(r"<form\b.*?</form>", (await desk.get(address)).text, re.DOTALL):
            assert 'method="' in form
            assert 'action="' in form
            assert 'name="csrf"' in form or 'action="/theme"' in form or 'method="get"' in form


def test_a_text_comes_back_as_it_is_kept():
    field = FIELDS["description"]
    kept = event_form.read(field, "\n\nOne  \n\n- two\n", "UTC")
    assert kept == "One\n\n- two"
    assert event_form.read(field, event_form.in_control(field, kept, "UTC"), "UTC") == kept
