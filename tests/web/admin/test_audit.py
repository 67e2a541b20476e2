"""The audit page: entries as sentences, found again, page by page."""

import ast
import html
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

import services
from domain.access import Role
from domain.deeds import PHRASES
from models import database as db
from services import admins, audit, covers, events, sign_in, ticket_types
from services.audit import SYSTEM, Actor
from services.sign_in import Visitor
from tests.admins import PASSWORD, make_admin, open_session
from tests.makers import buy, make_event, ticket_type
from web.admin import audit as page_of_audit

MIRA = Actor(uuid4(), "Mira")


def said(page: str) -> list[str]:
    """The sentences on a page, as they are read."""
    found = re.findall(r'<p class="audit__said">(.*?)</p>', page, re.DOTALL)
    return [" ".join(html.unescape(re.sub("<[^>]+>", "", each)).split()) for each in found]


def changes(page: str) -> list[str]:
    found = re.findall(r"<div><dt>(.*?)</dt><dd>(.*?)</dd></div>", page, re.DOTALL)
    return [" ".join(html.unescape(re.sub("<[^>]+>", " ", f"{name}: {value}")).split()) for name, value in found]


async def find(desk, **query: object) -> list[str]:
    return said((await desk.get("/admin/audit", params={k: str(v) for k, v in query.items()})).text)


# ---------------------------------------------------------------- sentences


async def test_a_change_is_a_sentence_from_what_to_what(signed_in):
    desk, event = await signed_in("owner"), await make_event(capacity=60)
    await events.set_capacity(event.id, was=60, to=80, actor=MIRA)
    page = (await desk.get("/admin/audit")).text
    assert said(page) == ["Mira set the capacity of Winter Light from 60 to 80"]
    assert f'href="/admin/events/{event.id}"' in page


async def test_a_change_deep_in_a_long_text_is_shown_where_it_is(signed_in):
    start = "word " * 200
    event = await make_event(status="DRAFT")
    await db.execute("UPDATE event SET description = $1", f"{start}ends at nine.")
    await events.change(event.id, {"description": (f"{start}ends at nine.", f"{start}ends at ten.")}, actor=MIRA)
    page = (await (await signed_in("owner")).get("/admin/audit")).text
    (change,) = changes(page)
    was, now = change.split("became")
    assert "ends at nine.”" in was
    assert "ends at ten.”" in now
    assert len(change) < 400
    assert "“…word" in was


async def test_days_and_times_are_those_of_where_the_house_is(signed_in):
    event = await make_event(status="DRAFT", timezone="Pacific/Auckland")
    await make_event(timezone="Europe/Vienna")
    await make_event(timezone="Europe/Vienna")
    await events.set_capacity(event.id, was=30, to=31, actor=MIRA)
    at = await db.fetchval("SELECT created_at FROM audit_entry")
    desk = await signed_in("owner")
    for about, zone in [({}, "Europe/Vienna"), ({"event": str(event.id)}, "Pacific/Auckland")]:
        day = at.astimezone(ZoneInfo(zone)).date()
        page = (await desk.get("/admin/audit", params=about)).text
        assert f'<small class="muted">{zone}</small>' in page
        assert f">{at.astimezone(ZoneInfo(zone)):%H:%M}</time>" in page
        assert await find(desk, since=day, until=day, **about)
        assert not await find(desk, since=day + timedelta(days=1), **about)
        assert not await find(desk, until=day - timedelta(days=1), **about)


async def test_a_move_by_a_year_says_the_year(signed_in):
    event = await make_event(status="DRAFT", timezone="UTC")
    start = datetime(2027, 12, 11, 19, 30, tzinfo=UTC)
    await db.execute("UPDATE event SET start_date = $1, end_date = NULL", start)
    await events.move(event.id, was=start, to=start.replace(year=2028), timezone="UTC", actor=MIRA)
    page = html.unescape((await (await signed_in("owner")).get("/admin/audit")).text)
    assert "Sat 11 Dec 2027, 19:30 UTC" in page
    assert "Mon 11 Dec 2028, 19:30 UTC" in page


async def test_money_times_and_texts_are_said_as_people_say_them(signed_in):
    desk = await signed_in("readonly")
    event = await make_event(ticket_type(price=2400), timezone="Europe/Vienna", currency="EUR")
    general = event.types["General"]
    start = await db.fetchval("SELECT start_date FROM event WHERE id = $1", event.id)
    await ticket_types.change(event.id, general, {"price": (2400, 2800)}, actor=MIRA)
    await ticket_types.change(event.id, general, {"allocation": (None, 20)}, actor=MIRA)
    await events.change(event.id, {"title": ("Winter Light", "Summer Light")}, actor=MIRA)
    await events.move(event.id, was=start, to=start + timedelta(days=1), timezone="Europe/Vienna", actor=MIRA)
    moved, renamed, limited, priced = said((await desk.get("/admin/audit")).text)
    assert priced == "Mira changed the price of General of Summer Light from €24.00 to €28.00"
    assert limited == "Mira changed the allocation of General of Summer Light from no limit to 20"
    assert renamed == "Mira changed the title of Summer Light from “Winter Light” to “Summer Light”"
    assert re.fullmatch(
        r"Mira changed the start of Summer Light from \w{3} \d+ \w{3} \d{4}, \d\d:\d\d CES?T to \w{3} \d+ .*T", moved
    )


async def test_the_audit_says_prices_in_the_currency_that_they_had(signed_in):
    desk, event = await signed_in("owner"), await make_event(ticket_type(price=2400), status="DRAFT", currency="EUR")
    general = event.types["General"]
    await ticket_types.change(event.id, general, {"price": (2400, 3000)}, actor=MIRA)
    await ticket_types.add(event.id, name="Balcony", price=1200, actor=MIRA)
    await events.change(event.id, {"currency": ("EUR", "USD")}, actor=MIRA)
    page = (await desk.get("/admin/audit")).text
    assert said(page)[-1] == "Mira changed the price of General of Winter Light from €24.00 to €30.00"
    assert "Price: €12.00" in changes(page)
    assert not any("EUR" in each for each in changes(page))


async def test_several_fields_stand_below_one_another(signed_in):
    desk, event = await signed_in("owner"), await make_event(city="Graz")
    await events.change(event.id, {"city": ("Graz", "Wien"), "summary": ("", "<b>Ferns</b>")}, actor=MIRA)
    page = (await desk.get("/admin/audit")).text
    assert said(page) == ["Mira changed the details of Winter Light"]
    assert changes(page) == ["City: “Graz” → became “Wien”", "Summary: nothing → became “<b>Ferns</b>”"]
    assert "<b>Ferns" not in page


async def test_people_and_roles(signed_in):
    desk = await signed_in("owner")
    ana = await make_admin("manager", name="Ana Kovač")
    await admins.change_role(MIRA, ana.id, Role.DOOR)
    await admins.disable(SYSTEM, ana.id)
    assert (await find(desk))[:2] == [
        "Foyer disabled Ana Kovač",
        "Mira changed the role of Ana Kovač from Manager to Door",
    ]


async def test_a_ticket_type_that_is_gone_is_still_called_by_its_name(signed_in):
    desk, event = await signed_in("owner"), await make_event(ticket_type(), ticket_type("Balcony"))
    await ticket_types.remove(event.id, event.types["Balcony"], actor=MIRA)
    assert await find(desk, event=event.id) == ["Mira removed Balcony of Winter Light"]


async def test_pictures_and_keys_are_not_read_out(signed_in):
    from tests.services.test_covers import photo

    desk, event = await signed_in("owner"), await make_event()
    await covers.upload(event.id, photo((400, 300)), actor=MIRA)
    await events.duplicate(event.id, actor=MIRA)
    page = (await desk.get("/admin/audit")).text
    assert said(page)[1] == "Mira uploaded a cover for Winter Light"
    assert not re.search(r"<dd>[^<]*[0-9a-f]{8}-", page)


async def test_what_nobody_has_words_for_is_shown_all_the_same(signed_in):
    desk = await signed_in("owner")
    await audit.write(MIRA, "painted the walls", "foyer", "1", after={"colour": "red", "none": None})
    page = (await desk.get("/admin/audit")).text
    assert said(page) == ["Mira painted the walls: foyer"]
    assert changes(page)[0] == "Colour: red"


def test_every_deed_that_is_written_has_its_phrase():
    """What is handed to audit.write as the action, wherever services do it."""
    written = set()
    for file in Path(services.__path__[0]).glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        named = {
            target.id: node.value.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
                for target in node.targets:
                    if isinstance(target, ast.Tuple):
                        pairs = zip(target.elts, node.value.elts, strict=True)
                        named |= {n.id: v.value for n, v in pairs if isinstance(v, ast.Constant)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("audit.write", "_write", "_set", "_begin"):
                for argument in node.args:
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str) and " " in argument.value:
                        written.add(argument.value)
                    if isinstance(argument, ast.Name) and isinstance(named.get(argument.id), str):
                        written.add(named[argument.id])
    written = {each for each in written if re.fullmatch(r"[a-z][a-z ]+", each)} - {"admin", "event", "order", "refund"}
    assert len(written) > 30
    assert written - PHRASES.keys() == set(), "say it in domain/deeds.py"


# ---------------------------------------------------------------- finding again


@pytest.fixture
async def book(signed_in, stripe):
    """A desk, two events and an order that things were done to."""
    desk = await signed_in("owner")
    one, two = await make_event(), await make_event(title="Łódź by Night")
    ana = Actor((await make_admin("manager", name="Ana Žagar")).id, "Ana Žagar")
    order_id = await buy(one, stripe)
    await events.set_capacity(one.id, was=30, to=31, actor=MIRA)
    await events.set_capacity(two.id, was=30, to=32, actor=ana)
    await audit.write(MIRA, "made tickets", "order", order_id)
    await audit.write(SYSTEM, "refund found", "refund", uuid4(), after={"reference": "re_Canary7"})
    desk.one, desk.two, desk.ana = one, two, ana
    desk.number = await db.fetchval("SELECT number FROM orders WHERE id = $1", order_id)
    desk.order_id = order_id
    return desk


CAPACITY_ONE = "Mira set the capacity of Winter Light from 30 to 31"
CAPACITY_TWO = "Ana Žagar set the capacity of Łódź by Night from 30 to 32"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("zagar", [CAPACITY_TWO]),
        ("ZAGAR capac", [CAPACITY_TWO]),
        ("set the capacity of winter", [CAPACITY_ONE]),
        ("lodz", [CAPACITY_TWO]),
        ("re_canary7", ["Foyer found a refund that was made elsewhere, for a refund"]),
        ("nothing like it", []),
        ("' & | ! :* <->", None),
        ("zagar winter", []),
    ],
)
async def test_any_word_of_an_entry_finds_it(book, words, found):
    sentences = await find(book, q=words)
    assert found is None or [each for each in sentences if "was made elsewhere" in each or "capacity" in each] == found


async def test_an_order_is_found_by_its_number_and_has_its_history(book):
    about = f"Mira had the tickets made of order {book.number} · Winter Light"
    assert await find(book, q=book.number) == [about]
    assert await find(book, q=book.number[:7].lower()) == [about]
    assert await find(book, order=book.order_id) == [about]


async def test_an_event_has_its_history_and_is_found_by_what_it_is_called_now(book):
    page = (await book.get("/admin/audit", params={"event": str(book.one.id)})).text
    assert "History" in page
    assert len(said(page)) == 2
    await events.change(book.one.id, {"title": ("Winter Light", "Spring Glow")}, actor=MIRA)
    assert len(await find(book, q="spring glow")) == 3
    assert len(await find(book, event=book.two.id)) == 1


async def test_person_kind_and_day_narrow_it_down_together(book):
    today = await db.fetchval("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date")
    assert await find(book, person=book.ana.id) == [CAPACITY_TWO]
    assert len(await find(book, person="foyer")) == 1
    assert set(await find(book, kind="events")) == {CAPACITY_ONE, CAPACITY_TWO}
    assert len(await find(book, kind="orders")) == 1
    assert len(await find(book, since=today, until=today)) == 4
    assert await find(book, until=today - timedelta(days=1)) == []
    assert await find(book, person=book.ana.id, kind="orders") == []


@pytest.mark.parametrize("query", ["person=x", "kind=x", "since=x", "until=9999-12-31", "event=x", "before=x", "q=%00"])
async def test_whatever_cannot_be_understood_was_not_asked_for(book, query):
    assert len(said((await book.get(f"/admin/audit?{query}")).text)) == 4


async def test_a_long_book_is_read_page_by_page(signed_in):
    desk = await signed_in("readonly")
    for number in range(page_of_audit.SHOWN + 3):
        await audit.write(MIRA, "changed", "foyer", str(number), {"n": number}, {"n": number + 1})
    first = (await desk.get("/admin/audit")).text
    assert len(said(first)) == page_of_audit.SHOWN
    older = re.search(r'href="(/admin/audit\?before=\d+)"', first)[1]
    await audit.write(MIRA, "changed", "foyer", "new")
    last = (await desk.get(older)).text
    assert len(said(last)) == 3, "what is written meanwhile moves nothing"
    assert 'href="/admin/audit"' in last


async def test_whoever_may_not_see_it_sees_nothing_of_it(signed_in):
    desk = await signed_in("door")
    assert (await desk.get("/admin/audit")).status_code == 403
    assert "/admin/audit" not in (await desk.get("/admin/account")).text


# ---------------------------------------------------------------- what never gets into the book


async def test_no_secret_of_a_door_is_ever_written_down(signed_in, browser):
    """Passwords, codes, tokens and links are looked for in all that is kept of a day at the door."""
    visitor = Visitor("192.0.2.7", "Firefox on Linux")
    owner = await make_admin("owner", protected=True)
    admitted = await sign_in.with_password(email=owner.email, password=PASSWORD, visitor=visitor)
    from services import admin_sessions

    halfway = await admin_sessions.find(admitted.session)
    code, recovery = await owner.code(), owner.recovery_codes[0]
    inside = await sign_in.with_code(halfway, code, visitor)
    second = await admin_sessions.find(await open_session(owner, halfway=True))
    await sign_in.with_code(second, recovery, visitor)
    link = await admins.invite(Actor(owner.id, "Mira"), email="ana@example.org", role=Role.DOOR)
    accepted = await admins.accept(link, name="Ana", password="nine slow ferries", host="x", visitor=visitor)
    with pytest.raises(Exception):  # noqa: B017, PT011
        await sign_in.with_password(email="my secret password", password="tried here", visitor=visitor)
    kept = await db.fetchval("SELECT string_agg(a::text, ' ') FROM audit_entry AS a")
    secrets = [PASSWORD, code, recovery, owner.secret, admitted.session, admitted.mark, inside.session, link]
    secrets += [accepted.session, accepted.mark, "nine slow ferries", "my secret password", "tried here"]
    secrets += [admin_sessions.hashed(token) for token in (admitted.session, inside.session, link, accepted.session)]
    assert [secret for secret in secrets if secret in kept] == []
