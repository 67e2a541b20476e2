"""Browsing and holding: the list, the event page, and every answer of the form, with and without JavaScript."""

import json
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from httpx import AsyncClient, Response

from models import database as db
from services import links, reservations
from services.turnstile import Turnstile
from tests.makers import Made, hold, key, let_time_run_out, make_event, ticket_type
from tests.web.admin.test_tickets import sell
from web import forms, listing, words

NOW = datetime.now(UTC)
SOON = timedelta(hours=6)
NOBODYS = UUID("00000000-0000-7000-8000-000000000000")


async def ask(browser: AsyncClient, event: Made, form: dict, headers: dict | None = None) -> Response:
    """Send the ticket form. Quantities by the ticket type's name, other fields by their own."""
    fields = {"request_key": key()}
    for name, value in form.items():
        type_id = event.types.get(name)
        fields[f"qty-{type_id}" if type_id else name] = value
    return await browser.post(f"/events/{event.slug}/checkouts", data=fields, headers=headers or {})


def value_of(answer: Response, event: Made, name: str = "General") -> str:
    """What stands in a ticket type's number field."""
    return re.search(rf'name="qty-{event.types[name]}" value="([^"]*)"', answer.text)[1]


def pill_of(answer: Response, event: Made, name: str | None = None) -> str:
    which = event.types[name] if name else "event"
    return re.search(rf'id="avail-{which}">([^<]*)<', answer.text)[1]


async def holds_nothing() -> bool:
    return await db.fetchval("SELECT count(*) FROM reservation") == 0


# The list


async def test_the_list_shows_upcoming_events_and_neither_drafts_nor_what_is_over(browser):
    await make_event(title="Still to come")
    await make_event(title="A draft", status="DRAFT")
    await make_event(title="Long over", start_date=NOW - timedelta(days=2))
    await make_event(title="Going on", start_date=NOW - timedelta(hours=1), end_date=NOW + timedelta(hours=1))
    text = (await browser.get("/")).text
    assert "Still to come" in text
    assert "Going on" in text
    assert "A draft" not in text
    assert "Long over" not in text


@pytest.mark.parametrize("query", ["siska", "ŠIŠKA", "kino snow", "ljub", "spoken"])
async def test_a_search_finds_title_summary_place_city_and_category_without_minding_accents(browser, query):
    about = {"summary": "First snow", "location": "Kino Šiška", "city": "Ljubljana", "category": "Spoken word"}
    await make_event(title="Story Slam", **about)
    await make_event(title="Something else", city="Graz")
    text = (await browser.get("/", params={"q": query})).text
    assert "Story Slam" in text
    assert "Something else" not in text


@pytest.mark.parametrize("query", ["%", "_", "' OR 1=1 --", "\0", "<script>", "x" * 5000])
async def test_a_search_for_anything_is_only_a_search(browser, query):
    await make_event(title="Story Slam")
    answer = await browser.get("/", params={"q": query})
    assert answer.status_code == 200
    assert "<script>" not in answer.text.split("</head>")[1]


async def test_nothing_found_says_for_what_and_offers_everything(browser):
    await make_event()
    text = (await browser.get("/", params={"q": "polka"})).text
    assert "Nothing matches “polka”" in text
    assert 'href="/">Show all events' in text


async def test_an_empty_house_says_so(browser):
    assert "Nothing is on sale yet" in (await browser.get("/")).text


async def test_filters_work_together_and_are_kept_in_the_form(browser):
    # Under way: this month it is, whatever the calendar says a minute from now.
    under_way = {"start_date": NOW - timedelta(hours=1), "end_date": NOW + timedelta(hours=1)}
    await make_event(title="Here", city="Graz", **under_way)
    await make_event(title="There", city="Porto", **under_way)
    await make_event(title="Much later", city="Graz", start_date=NOW + timedelta(days=90))
    text = (await browser.get("/", params={"city": "Graz", "when": "month"})).text
    assert "Here" in text
    assert "There" not in text
    assert "Much later" not in text
    assert "<option selected>Graz</option>" in text
    assert '<option value="month" selected>' in text


async def test_available_only_leaves_out_what_cannot_be_bought_now(browser):
    await make_event(title="Free seats")
    full = await make_event(title="All held", capacity=1)
    await hold(full)
    await make_event(ticket_type(sales_start=NOW + timedelta(days=1)), title="Not yet")
    text = (await browser.get("/", params={"available": "1"})).text
    assert "Free seats" in text
    assert "All held" not in text
    assert "Not yet" not in text


async def test_more_events_come_page_by_page(browser):
    for number in range(listing.PAGE + 2):
        await make_event(title=f"Evening {number:02}", start_date=NOW + timedelta(days=number + 1))
    first = (await browser.get("/")).text
    assert first.count("<article") == listing.PAGE
    assert 'href="/?page=2"' in first
    second = (await browser.get("/?page=2")).text
    assert second.count("<article") == listing.PAGE + 2
    assert "Show more" not in second


@pytest.mark.parametrize("page", ["0", "-1", "x", "１", "9" * 5000])
async def test_a_page_number_that_is_none_shows_the_first(browser, page):
    await make_event()
    assert (await browser.get("/", params={"page": page})).status_code == 200


async def test_htmx_gets_the_results_alone_and_a_clean_address(browser, script):
    await make_event(title="Story Slam")
    answer = await browser.get("/", params={"q": "slam", "when": "", "city": ""}, headers=script)
    assert answer.text.lstrip().startswith('<div id="results"')
    assert answer.headers["hx-replace-url"] == "/?q=slam"
    assert "HX-Request" in answer.headers["vary"]


@pytest.mark.parametrize(
    ("when", "start", "falls"),
    [
        ("week", datetime(2026, 12, 6, 22, 30, tzinfo=UTC), True),  # Sunday 23:30 in Ljubljana
        ("week", datetime(2026, 12, 6, 23, 30, tzinfo=UTC), False),  # already Monday there
        ("month", datetime(2026, 12, 31, 22, 59, tzinfo=UTC), True),
        ("month", datetime(2026, 12, 31, 23, 1, tzinfo=UTC), False),
        ("weekend", datetime(2026, 12, 4, 23, 30, tzinfo=UTC), True),  # Saturday 0:30 there
        ("weekend", datetime(2026, 12, 4, 20, 0, tzinfo=UTC), False),
        ("", datetime(2030, 1, 1, tzinfo=UTC), True),
    ],
)
def test_days_are_those_of_the_place(when, start, falls):
    now = datetime(2026, 12, 1, 12, tzinfo=UTC)
    assert listing.falls(when, start, now, "Europe/Ljubljana") is falls


# The event page


async def test_the_page_tells_when_and_where_in_the_events_own_time(browser):
    start = datetime(2027, 1, 15, 18, 30, tzinfo=UTC)
    event = await make_event(
        start_date=start,
        end_date=start + timedelta(hours=1),
        timezone="Europe/Ljubljana",
        location="Palm House",
        address="Main street 1",
    )
    text = (await browser.get(f"/events/{event.slug}")).text
    assert "Friday 15 January 2027" in text
    assert "Starts 19:30, ends 20:30" in text
    assert ">CET<" in text
    assert 'datetime="2027-01-15T19:30:00+01:00"' in text
    assert "Palm House" in text


@pytest.mark.parametrize("slug", ["no-such-event", "UPPER", "..%2f..%2fetc", "x" * 3000, "%00"])
async def test_an_unknown_event_is_a_friendly_404(browser, slug):
    answer = await browser.get(f"/events/{slug}")
    assert answer.status_code == 404
    assert "We can’t find" in answer.text


async def test_a_draft_is_a_404_on_every_address(browser):
    event = await make_event(status="DRAFT")
    for address in ("", "/availability", "/live", "/calendar.ics", "/cover.png"):
        assert (await browser.get(f"/events/{event.slug}{address}")).status_code == 404
    assert (await ask(browser, event, {"General": "1"})).status_code == 404


async def test_an_event_that_is_over_says_so_and_sells_nothing(browser):
    event = await make_event(start_date=NOW - timedelta(days=1))
    page = await browser.get(f"/events/{event.slug}")
    assert "This event has ended" in page.text
    assert "hx-sse:connect" not in page.text
    answer = await ask(browser, event, {"General": "1"})
    assert answer.status_code == 410
    assert "This event has ended" in answer.text


async def test_a_description_is_markdown_and_can_do_no_harm(browser):
    description = "**Bold**\n\n# Big\n\n<script>alert(1)</script> [x](javascript:alert(1)) <img src=x onerror=alert(1)>"
    event = await make_event(description=description, title='"><script>alert(2)</script>', summary="</script>")
    body = (await browser.get(f"/events/{event.slug}")).text
    assert "<strong>Bold</strong>" in body
    assert "<h3>Big</h3>" in body
    assert "<script>alert" not in body
    assert "<img src=x" not in body
    assert 'href="javascript' not in body


async def test_machines_can_read_the_event(browser):
    event = await make_event(
        ticket_type(price=2400, allocation=2),
        ticket_type("Later", sales_start=NOW + timedelta(days=1)),
        summary="</script>",
    )
    await hold(event, General=2)
    body = (await browser.get(f"/events/{event.slug}")).text
    data = json.loads(re.search(r'<script type="application/ld\+json">(.*?)</script>', body)[1])
    assert data["@type"] == "Event"
    offers = {o["name"]: o for o in data["offers"]}
    assert offers["General"]["price"] == "24.00"
    assert offers["General"]["availability"].endswith("LimitedAvailability"), "held is not sold"
    assert offers["Later"]["availability"].endswith("PreOrder")
    image = re.search(r'property="og:image" content="([^"]+)"', body)[1]
    assert image == f"http://shop.localhost/events/{event.slug}/cover.png"
    assert (await browser.get(image)).content.startswith(b"\x89PNG")


async def test_the_calendar_file_is_the_event(browser):
    event = await make_event(
        title="Winter Light", location="Palm House", start_date=datetime(2027, 1, 15, 18, 30, tzinfo=UTC)
    )
    answer = await browser.get(f"/events/{event.slug}/calendar.ics")
    assert answer.headers["content-type"].startswith("text/calendar")
    assert "DTSTART:20270115T183000Z" in answer.text
    assert "SUMMARY:Winter Light" in answer.text


async def test_a_cover_is_always_the_same_picture(browser):
    first, again = [await browser.get("/events/winter-light/cover.svg") for _ in range(2)]
    assert first.content == again.content
    assert first.headers["content-type"].startswith("image/svg+xml")
    assert first.content != (await browser.get("/events/summer-light/cover.svg")).content


# What is left, in words


async def test_each_state_has_its_own_honest_words(browser):
    opens = datetime(2026, 11, 30, 9, tzinfo=UTC).replace(year=NOW.year + 1)
    event = await make_event(
        ticket_type("Plenty"),
        ticket_type("Few", allocation=4),
        ticket_type("Held", allocation=1),
        ticket_type("Out", allocation=0),
        ticket_type("Later", sales_start=opens),
        ticket_type("Ended", sales_end=NOW - timedelta(days=1)),
        ticket_type("Off", is_enabled=False),
        capacity=100,
        start_date=opens + timedelta(days=9),
        timezone="Europe/Ljubljana",
    )
    checkout_id = await hold(event, Held=1)
    ends = await db.fetchval("SELECT expires_at FROM checkout WHERE id = $1", checkout_id)
    page = await browser.get(f"/events/{event.slug}")
    assert pill_of(page, event, "Plenty") == "Available"
    assert pill_of(page, event, "Few") == "4 left"
    assert pill_of(page, event, "Held") == (
        f"All held right now. The next may return at {words.clock(ends, 'Europe/Ljubljana')} CET."
    )
    assert pill_of(page, event, "Out") == "Sold out"
    assert pill_of(page, event, "Later") == f"On sale from {words.when_in_words(opens, 'Europe/Ljubljana')}"
    assert pill_of(page, event, "Ended") == "Sales ended"
    assert "Off" not in re.findall(r"<h3 [^>]*>([^<]*)<", page.text)
    assert pill_of(page, event) == "99 of 100 tickets left"


async def test_the_event_has_no_more_left_than_its_allocations_allow(browser):
    event = await make_event(ticket_type("A", allocation=3), ticket_type("B", allocation=2), capacity=50)
    assert pill_of(await browser.get(f"/events/{event.slug}"), event) == "5 of 50 tickets left"


async def test_a_type_that_waits_for_another_types_hold_says_when(browser):
    event = await make_event(ticket_type("A"), ticket_type("B"), capacity=2)
    await hold(event, B=2)
    assert "The next may return at" in pill_of(await browser.get(f"/events/{event.slug}"), event, "A")


async def test_fewer_left_than_an_order_takes_are_not_offered(browser):
    event = await make_event(ticket_type("Pair", min_per_order=2), capacity=3, title="For two")
    await sell(event, 2, "Pair")
    page = await browser.get(f"/events/{event.slug}")
    assert pill_of(page, event, "Pair") == "1 left, and it is sold from 2 on"
    assert pill_of(page, event) == "Too few left"
    assert "What is left is less than one order takes." in page.text
    assert "Every ticket is sold." not in page.text
    assert (await ask(browser, event, {"Pair": "2"})).status_code == 409
    assert "Too few left" in (await browser.get("/")).text
    assert "For two" not in (await browser.get("/", params={"available": "1"})).text


async def test_fewer_free_than_an_order_takes_may_become_enough_when_a_hold_ends(browser):
    event = await make_event(ticket_type("Pair", min_per_order=2), capacity=3)
    await hold(event, Pair=2)
    page = await browser.get(f"/events/{event.slug}")
    assert pill_of(page, event, "Pair").startswith("1 left, and it is sold from 2 on. The next may return at ")
    assert pill_of(page, event).startswith("All held right now. The next may return at ")
    assert "Too few tickets are free right now" in page.text
    assert "Every ticket that is left is held" not in page.text


async def test_what_is_too_little_for_an_order_is_not_counted_as_left(browser):
    event = await make_event(
        ticket_type("Pair", min_per_order=2, allocation=3), ticket_type("General", allocation=4), capacity=20
    )
    await sell(event, 2, "Pair")
    assert pill_of(await browser.get(f"/events/{event.slug}"), event) == "4 of 20 tickets left"


async def test_what_opens_later_is_not_called_sold_out_when_the_first_tickets_are_gone(browser):
    opens = NOW + timedelta(days=3)
    event = await make_event(ticket_type("Early", allocation=1), ticket_type("Late", sales_start=opens), capacity=5)
    await sell(event, 1, "Early")
    page = await browser.get(f"/events/{event.slug}")
    assert pill_of(page, event, "Early") == "Sold out"
    assert pill_of(page, event) == f"On sale from {words.when_in_words(opens, 'UTC')}"
    assert "Every ticket is sold." not in page.text


async def test_what_nobody_ever_bought_is_not_called_sold_out(browser):
    event = await make_event(capacity=0)
    page = await browser.get(f"/events/{event.slug}")
    assert pill_of(page, event) == "Not on sale"
    assert "not on sale right now" in page.text
    assert "Every ticket is sold." not in page.text


async def test_an_overdue_hold_is_shown_as_free_before_any_sweep(browser):
    event = await make_event(capacity=2)
    await let_time_run_out(await hold(event, General=2))
    assert pill_of(await browser.get(f"/events/{event.slug}"), event, "General") == "2 left"


@pytest.mark.parametrize(
    ("currency", "price", "said"),
    [
        ("EUR", 240000, "€2,400.00"),
        ("GBP", 1250, "£12.50"),
        ("USD", 5, "$0.05"),
        ("CHF", 2400, "CHF\N{NO-BREAK SPACE}24.00"),
        ("JPY", 2400, "¥2,400"),
        ("EUR", 0, "Free"),
    ],
)
async def test_prices_are_said_in_the_events_currency(browser, currency, price, said):
    event = await make_event(ticket_type(price=price), currency=currency)
    assert f'<p class="price">{said}</p>' in (await browser.get(f"/events/{event.slug}")).text


# Holding


async def test_a_hold_leads_to_its_checkout_and_is_remembered(browser):
    event = await make_event()
    answer = await ask(browser, event, {"General": "2"})
    assert answer.status_code == 303
    checkout_id = links.checkout_behind(answer.headers["location"].removeprefix("/checkouts/"))
    assert await db.fetchval("SELECT quantity FROM reservation WHERE checkout_id = $1", checkout_id) == 2
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("hold=")
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


async def test_htmx_is_told_to_go_there(browser, script):
    event = await make_event()
    answer = await ask(browser, event, {"General": "2"}, script)
    assert answer.status_code == 204
    assert answer.headers["hx-redirect"].startswith("/checkouts/")


async def test_pressing_three_times_holds_once(browser, script):
    event = await make_event()
    form = {"General": "2", "request_key": key()}
    answers = [await ask(browser, event, form, script) for _ in range(3)]
    assert len({a.headers["hx-redirect"] for a in answers}) == 1
    assert await db.fetchval("SELECT held FROM event WHERE id = $1", event.id) == 2


async def test_an_old_pages_key_with_another_wish_is_no_dead_end(browser):
    event = await make_event()
    old = key()
    first = await ask(browser, event, {"General": "1", "request_key": old})
    other = [await ask(browser, event, {"General": "3", "request_key": old}) for _ in range(2)]
    assert [a.status_code for a in other] == [303, 303]
    assert other[0].headers["location"] == other[1].headers["location"] != first.headers["location"]
    assert await db.fetchval("SELECT held FROM event WHERE id = $1", event.id) == 4


async def test_the_visitors_own_hold_is_shown_to_them_and_to_nobody_else(browser):
    event = await make_event(capacity=3)
    answer = await ask(browser, event, {"General": "3"})
    page = await browser.get(f"/events/{event.slug}", headers={"Cookie": f"hold={answer.cookies['hold']}"})
    assert "You’re holding 3 tickets" in page.text
    assert answer.headers["location"] in page.text
    assert page.headers["cache-control"] == "no-store"
    assert "Sold out" not in page.text, "what the visitor holds must not read as sold out"
    browser.cookies.clear()
    assert "You’re holding" not in (await browser.get(f"/events/{event.slug}")).text


@pytest.mark.parametrize("token", ["", "x", "é", "A" * 64, "A" * 5000])
async def test_a_cookie_that_is_not_ours_says_nothing(browser, token):
    event = await make_event()
    page = await browser.get(f"/events/{event.slug}", headers={"Cookie": f"hold={token}".encode()})
    assert page.status_code == 200
    assert "You’re holding" not in page.text


# Refusals, in place


async def test_too_few_left_is_said_at_the_row_with_choices_that_fit(browser, script):
    event = await make_event(ticket_type("Front row", allocation=3), ticket_type("General"))
    answer = await ask(browser, event, {"Front row": "5", "General": "1"}, script)
    assert answer.status_code == 409
    assert "Only 3 Front row left" in answer.text
    assert "You asked for 5." in answer.text
    assert value_of(answer, event, "Front row") == "5"
    assert value_of(answer, event, "General") == "1"
    assert await holds_nothing()
    takes = re.findall(r'name="take" value="([^"]+)">([^<]+)<', answer.text)
    assert takes[0][1] == "Take 3 Front row + 1 General"
    for value, _ in takes:
        assert (await ask(browser, event, {"take": value, "Front row": "5"}, script)).status_code == 204
        await db.execute("UPDATE reservation SET expires_at = clock_timestamp()")


async def test_what_is_left_of_one_type_can_be_taken_with_one_press(browser):
    event = await make_event(capacity=2)
    answer = await ask(browser, event, {"General": "4"})
    assert answer.status_code == 409
    assert ">Take the 2 left<" in answer.text
    assert "<!doctype html>" in answer.text, "without JavaScript the whole page comes back"
    assert value_of(answer, event) == "4"
    assert "<title>Error: " in answer.text


async def test_all_held_is_not_called_sold_out(browser):
    event = await make_event(capacity=2)
    await hold(event, General=2)
    answer = await ask(browser, event, {"General": "1"})
    assert answer.status_code == 409
    assert "No General free right now" in answer.text
    assert "The next may return at" in answer.text
    assert "Sold out" not in answer.text


async def test_nothing_chosen_asks_to_choose(browser):
    event = await make_event()
    for form in ({}, {"General": "0"}, {"General": ""}):
        answer = await ask(browser, event, form)
        assert answer.status_code == 422
        assert "Choose at least one ticket." in answer.text


@pytest.mark.parametrize(
    ("typed", "kept", "words_said"),
    [
        ("-5", "-5", "Use a whole number"),
        ("１０", "１０", "Use a whole number"),
        ("NaN", "NaN", "Use a whole number"),
        ("1e3", "1e3", "Use a whole number"),
        ("2.5", "2.5", "Use a whole number"),
        ("9" * 400, "9" * forms.ECHO, "Use a whole number"),
        ("2147483648", "2147483648", "Up to 10 General per order."),
        ("11", "11", "Up to 10 General per order."),
    ],
)
async def test_a_number_that_is_none_is_answered_kindly_and_kept(browser, typed, kept, words_said):
    event = await make_event(capacity=100)
    answer = await ask(browser, event, {"General": typed})
    assert answer.status_code == 422
    assert words_said in answer.text
    assert value_of(answer, event) == kept
    assert await holds_nothing()


async def test_two_numbers_for_one_ticket_are_not_guessed_between(browser):
    event = await make_event()
    field = f"qty-{event.types['General']}"
    answer = await browser.post(
        f"/events/{event.slug}/checkouts",
        content=f"{field}=1&{field}=9",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 422
    assert "two numbers" in answer.text
    assert await holds_nothing()


@pytest.mark.parametrize("take", ["x", "x:1", f"{NOBODYS}:-1", f"{NOBODYS}:0", ",,,", "a:b," * 999])
async def test_a_made_up_suggestion_takes_nothing(browser, take):
    event = await make_event()
    answer = await ask(browser, event, {"take": take})
    assert answer.status_code in (409, 422)
    assert await holds_nothing()


async def test_a_ticket_type_of_another_event_is_not_sold_here(browser):
    event, other = await make_event(), await make_event()
    answer = await browser.post(
        f"/events/{event.slug}/checkouts", data={f"qty-{other.types['General']}": "1", "request_key": key()}
    )
    assert answer.status_code == 409
    assert "no longer offered" in answer.text
    assert await holds_nothing()


async def test_a_type_not_yet_on_sale_says_from_when(browser):
    event = await make_event(ticket_type(sales_start=NOW + timedelta(days=2)))
    answer = await ask(browser, event, {"General": "1"})
    assert answer.status_code == 409
    assert "General is not on sale yet" in answer.text


async def test_a_full_queue_is_answered_in_place_and_nothing_is_lost(browser, script, monkeypatch):
    event = await make_event()
    monkeypatch.setattr(reservations, "_turnstile", Turnstile(reservations._serve, bound=0))
    answer = await ask(browser, event, {"General": "2"}, script)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "Very busy right now" in answer.text
    assert value_of(answer, event) == "2"


async def test_a_poll_brings_the_same_markup_as_the_page(browser, script):
    event = await make_event()
    page = (await browser.get(f"/events/{event.slug}")).text
    poll = (await browser.get(f"/events/{event.slug}/availability", headers=script)).text
    start = page.index('<div id="availability"')
    list_of_page = page[start : page.index("</ul>", start)]
    assert list_of_page in poll


def test_a_suggestion_survives_its_way_through_the_form():
    wish = {UUID(int=1): 2, UUID(int=2): 3}
    assert forms.read_take(forms.write_take(wish)) == wish


def test_the_spare_key_is_the_same_for_the_same_form_only():
    def form(quantity: int) -> forms.WishForm:
        return forms.WishForm("k" * 20, {UUID(int=1): quantity})

    assert form(1).spare_key() == form(1).spare_key() != form(2).spare_key()
    assert forms.REQUEST_KEY.fullmatch(form(1).spare_key())


def test_an_unknown_zone_is_said_to_be_utc():
    moment = datetime(2026, 12, 11, 18, 30, tzinfo=UTC)
    assert words.clock(moment, "Nowhere/Land") == "18:30"
    assert words.zone_name(moment, "Nowhere/Land") == "UTC"
    assert words.zone_name(moment, "Asia/Dubai") == "UTC+04"


def test_an_end_on_another_day_is_said_with_its_day():
    start = datetime(2026, 12, 11, 20, tzinfo=UTC)
    assert words.span(start, start + SOON, "UTC") == "Starts 20:00, ends Sat 12 Dec, 02:00"


@pytest.mark.parametrize("asked", ["Łódź", "ŁÓDŹ", "lodz", "süsses", "SÜSSES lodz", "sußes"])
async def test_2_1_a_search_finds_a_word_however_it_is_typed(browser, asked):
    await make_event(title="Süßes am Morgen", city="Łódź")
    await make_event(title="Something else", city="Graz")
    text = (await browser.get("/", params={"q": asked})).text
    assert "Süßes am Morgen" in text
    assert "Something else" not in text
