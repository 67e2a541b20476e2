"""The list of orders: all of them, found in any spelling, narrowed, page by page; and what comes meanwhile."""

import re
from datetime import datetime
from uuid import UUID, uuid4

import pytest

from domain.refunds import Everything, Money, RefundReason
from models import database as db
from models import order_desk
from services import audit, orders, refunds, tickets
from services.audit import Actor
from services.transaction import transaction
from tests.admins import make_admin
from tests.makers import buy, make_event, ticket_type
from tests.orders import make_orders
from web.admin import order_list

LIST = "/admin/orders"


def numbers(page: str) -> list[str]:
    return re.findall(r"<code>(FY-[^<]+)</code>", page)


async def number_of(order_id: UUID) -> str:
    return await db.fetchval("SELECT number FROM orders WHERE id = $1", order_id)


async def test_2_2_an_admin_sees_all_orders_and_their_statuses(signed_in, stripe):
    event = await make_event(title="Winter Light")
    other = await make_event(title="Story Slam")
    completed = await buy(event, stripe, General=2)
    paid = (await make_orders(other, 1, status="PAID"))[0]
    page = (await (await signed_in("manager")).get(LIST)).text
    assert numbers(page) == [await number_of(paid), await number_of(completed)], "newest first"
    assert f'href="/admin/orders/{completed}"' in page
    rows = dict(zip(numbers(page), re.findall(r'<tr id="order-.*?</tr>', page, re.DOTALL), strict=True))
    first, second = rows[await number_of(paid)], rows[await number_of(completed)]
    assert "Paid" in first
    assert "Story Slam" in first
    for words in ("Completed", "Ana Kovač", "ana@example.org", "Winter Light", "€48.00"):
        assert words in second
    assert "2 orders" in page


@pytest.mark.parametrize("role", ["owner", "manager", "door", "readonly"])
async def test_whoever_may_see_orders_sees_them_and_only_some_may_take_them_away(signed_in, role):
    await make_orders(await make_event(), 1)
    desk = await signed_in(role)
    page = (await desk.get(LIST)).text
    assert "Ana Kovač" in page
    assert ("Export orders" in page) == (role in ("owner", "manager"))
    assert (await desk.post(f"{LIST}/exports")).status_code == (200 if role in ("owner", "manager") else 403)


async def test_where_nothing_was_sold_it_says_when_something_appears(signed_in):
    assert "They appear here the moment somebody has paid" in (await (await signed_in("door")).get(LIST)).text


# ---------------------------------------------------------------- searching


@pytest.mark.parametrize("search", ["number", "loose", "ana@EXAMPLE", "@example.org", "kovač", "Kov an", "reference"])
async def test_an_order_is_found_by_what_people_have_at_hand(signed_in, stripe, search):
    order_id = await buy(await make_event(), stripe, General=2)
    await make_orders(await make_event(), 2, buyer_name="Jonas Weber", buyer_email="jw@elsewhere.net")
    order = await db.fetchrow("SELECT * FROM orders WHERE id = $1", order_id)
    known = {
        "number": order["number"].lower(),
        "loose": order["number"][3:].replace("-", ""),
        "reference": order["payment_reference"],
    }
    page = (await (await signed_in("manager")).get(LIST, params={"q": known.get(search, search)})).text
    assert numbers(page) == [order["number"]]
    assert "1 order found" in page


@pytest.mark.parametrize("typed", ["{0}-2", "{0}-2 ", "{1}-2"])
async def test_an_order_is_found_by_the_number_on_a_ticket(signed_in, stripe, typed):
    number = await number_of(await buy(await make_event(), stripe, General=2))
    await make_orders(await make_event(), 1)
    desk = await signed_in("door")
    page = (await desk.get(LIST, params={"q": typed.format(number, number.lower().replace("-", ""))})).text
    assert numbers(page) == [number]
    assert numbers((await desk.get(LIST, params={"q": f"{number}-3"})).text) == [], "there is no third ticket"


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("Ana Kovač", "kovac"),
        ("Ana Kovac", "KOVAČ"),
        ("Łukasz Wójcik", "lukasz wojcik"),
        ("Søren Åkesson", "SOREN AKE"),
        ("Jürgen Groß", "gross jurg"),
        ("Đorđe Ćirić", "dorde ciric"),
        ("Sinéad O’Brien", "o'brien"),
        ("Sinéad O’Brien", "obrien"),
        ("Anne-Marie Dubois", "annemarie"),
        ("Anne-Marie Dubois", "marie"),
        ("Ελένη Παπαδόπουλος", "παπαδοπουλος"),
        ("ЕЛЕНА Иванова", "елена иванова"),
        ("Ana\u0301 Nova\u0301k", "aná novák"),
        ("ＡＮＡ Novak", "ana"),
        ("田中 健二", "田中"),
    ],
)
async def test_a_name_is_found_in_any_spelling(database, name, typed):
    event = await make_event()
    (wanted,) = await make_orders(event, 1, buyer_name=name, buyer_email="x@example.org")
    await make_orders(event, 3, buyer_name="Priya Sharma", buyer_email="y@example.org")
    found = await order_desk.page(order_desk.Wanted(text=typed))
    assert [row["id"] for row in found.rows] == [wanted]


@pytest.mark.parametrize(
    "typed",
    [
        "'&|!():*\\",
        "'",
        "\\",
        "':*",
        "a & | b",
        "!ana",
        "(ana",
        "ana')",
        "\\'@",
        "%",
        "_",
        "<->",
        "kov:*A",
        "\u0301",
        " ",
    ],
)
async def test_what_is_typed_is_never_taken_for_an_operator(signed_in, typed):
    await make_orders(await make_event(), 1)
    answer = await (await signed_in("manager")).get(LIST, params={"q": typed})
    assert answer.status_code == 200
    if not any(letter.isalpha() for letter in typed) and typed.strip():
        assert "Nothing matches" in answer.text


@pytest.mark.parametrize("typed", ["nobody", "a\0zzz", "x" * 5000, "ﷺ" * 100])
async def test_what_nobody_is_called_finds_nobody(signed_in, typed):
    await make_orders(await make_event(), 1)
    answer = await (await signed_in("manager")).get(LIST, params={"q": typed})
    assert "Nothing matches" in answer.text


async def test_a_corrected_name_is_found_at_once_and_the_old_one_no_longer(database):
    (order_id,) = await make_orders(await make_event(), 1, buyer_name="Anna Kovatch", buyer_email="anna@example.org")
    await db.execute(
        "UPDATE orders SET buyer_name = 'Ana Kovač', buyer_email = 'ana@example.org' WHERE id = $1", order_id
    )
    assert (await order_desk.page(order_desk.Wanted(text="kovac"))).count == 1
    assert (await order_desk.page(order_desk.Wanted(text="ana@example.org"))).count == 1
    assert (await order_desk.page(order_desk.Wanted(text="kovatch"))).count == 0
    assert (await order_desk.page(order_desk.Wanted(text="anna@"))).count == 0


async def test_a_dump_is_restored_without_a_search_path(database):
    """pg_restore computes the stored words with an empty one."""
    await db.execute("SELECT 1")
    async with transaction():
        await db.execute("SET LOCAL search_path = ''")
        words = await db.fetchval(
            "SELECT public.order_words('FY-7K3M-Q2VX', 'Ana Kovač', 'ana@example.org', 'pi_3N')::text"
        )
    assert "'kovac'" in words


async def test_no_name_is_too_odd_to_be_sold_to(database):
    for name in ("x" * 5000, "'\\:*&", "\u0301", "ﷺ" * 500, " ".join("abcdefghij" * 100)):
        await make_orders(await make_event(), 1, buyer_name=name, buyer_email="@")


# ---------------------------------------------------------------- narrowing


async def test_filters_narrow_and_add_up(signed_in, stripe):
    event, other = await make_event(), await make_event()
    whole, part, kept = [await buy(event, stripe, General=2) for _ in range(3)]
    paid = (await make_orders(other, 1, status="PAID"))[0]
    await give_back(whole, None)
    await give_back(part, 1000)
    payment = await db.fetchval("SELECT payment_id FROM orders WHERE id = $1", kept)
    await db.execute(
        "INSERT INTO dispute (id, payment_id, amount, currency, reason, status)"
        " VALUES ('dp_1', $1, 1, 'EUR', 'x', 'lost')",
        payment,
    )
    desk = await signed_in("manager")

    async def found(**asked):
        page = (await desk.get(LIST, params=asked)).text
        return set(numbers(page))

    named = {name: await number_of(id) for name, id in dict(whole=whole, part=part, kept=kept, paid=paid).items()}
    assert await found(money="whole") == {named["whole"]}
    assert await found(money="part") == {named["part"]}
    assert await found(money="none") == {named["kept"], named["paid"]}
    assert await found(money="disputed") == {named["kept"]}
    assert await found(status="PAID") == {named["paid"]}
    assert await found(status="COMPLETED", money="none") == {named["kept"]}
    assert await found(event=str(other.id)) == {named["paid"]}
    assert await found(event=str(uuid4())) == set()
    assert await found(provider="manual") == set()
    assert await found(provider="stripe", q="ana", event=str(event.id)) == {
        named["whole"],
        named["part"],
        named["kept"],
    }
    assert await found(status="nonsense", money="'; --", provider="x", event="x", older="x") == set(named.values())
    page = (await desk.get(LIST)).text
    for words in ("Refunded", "Partly refunded", "Disputed", "Paid"):
        assert words in page


async def test_a_free_order_is_cancelled_when_none_of_its_tickets_is_valid(signed_in, stripe):
    event = await make_event(ticket_type("General", price=0))
    (order_id,) = await make_orders(event, 1, status="COMPLETED")
    await give_back(order_id, None)
    desk = await signed_in("manager")
    assert "Cancelled" in (await desk.get(LIST)).text
    assert numbers((await desk.get(LIST, params={"money": "whole"})).text) == [await number_of(order_id)]


async def test_days_are_those_of_the_event_and_both_ends_are_included(signed_in):
    event = await make_event(timezone="Pacific/Auckland")  # 13 hours ahead in summer
    at = await at_moment("2026-01-31T11:30:00+00:00", event)  # 1 February, 00:30 there
    desk = await signed_in("manager")
    address = f"/admin/events/{event.id}/orders"
    assert numbers((await desk.get(address, params={"from": "2026-02-01", "to": "2026-02-01"})).text) == [at]
    assert numbers((await desk.get(address, params={"to": "2026-01-31"})).text) == []
    assert numbers((await desk.get(LIST, params={"event": str(event.id), "to": "2026-01-31"})).text) == []
    page = (await desk.get(LIST, params={"from": "2026-02-01"})).text
    assert numbers(page) == [at]
    assert "those of Pacific/Auckland" in page, "where most events are"


async def test_whoever_chooses_an_event_is_told_whose_days_and_times_these_are_now(signed_in, script):
    for _ in range(2):
        await make_event(timezone="Europe/Vienna")
    event = await make_event(timezone="America/New_York")
    desk = await signed_in("manager")
    assert "those of Europe/Vienna" in (await desk.get(LIST)).text
    answer = await desk.get(f"{LIST}/list", params={"event": str(event.id)}, headers=script)
    assert 'hx-target="#its-zone"' in answer.text
    assert "those of America/New_York" in answer.text
    own = await desk.get(f"/admin/events/{event.id}/orders/list", headers=script)
    assert "#its-zone" not in own.text, "where only one zone is possible, none is named"


async def test_every_event_of_a_large_house_can_be_chosen_and_a_larger_one_is_told(signed_in, monkeypatch):
    for number in range(3):
        await make_event(title=f"Evening {number}")
    desk = await signed_in("manager")
    page = (await desk.get(LIST)).text
    assert page.count(">Evening ") == 3
    assert "Others are not in this list" not in page
    monkeypatch.setattr(order_desk, "MOST_EVENTS", 3)
    assert "Others are not in this list" in (await desk.get(LIST)).text


@pytest.mark.parametrize(
    ("first", "last", "field", "words"),
    [
        ("2026-02-30", "", "from", "There is no such day"),
        ("yesterday", "", "from", "There is no such day"),
        ("", "0001-01-01", "to", "Choose a day between 2000 and 2100"),
        ("2026-02-02", "2026-02-01", "to", "This is before the first day"),
    ],
)
async def test_a_day_that_is_none_is_said_beside_it_and_the_list_stays(signed_in, script, first, last, field, words):
    await make_orders(await make_event(), 1)
    desk = await signed_in("manager")
    answer = await desk.get(LIST, params={"from": first, "to": last})
    assert answer.status_code == 422
    assert numbers(answer.text), "the list stays"
    assert re.search(rf'id="{field}-error".*{words}', answer.text, re.DOTALL)
    assert f'value="{first or last}"' in answer.text, "what was typed is kept"
    part = await desk.get(f"{LIST}/list", params={"from": first, "to": last}, headers=script)
    assert (part.status_code, words in part.text, 'id="rows"' in part.text) == (422, True, False)
    mended = await desk.get(f"{LIST}/list", params={"from": "2026-01-01", "mend": "1"}, headers=script)
    assert 'id="days"' in mended.text
    assert "error" not in mended.text


# ---------------------------------------------------------------- pages


async def test_pages_lead_through_all_orders_both_ways_and_what_arrives_moves_none(database):
    event = await make_event(capacity=500)
    made = (await make_orders(event, 120))[::-1]
    first = await order_desk.page(order_desk.Wanted())
    assert ([row["id"] for row in first.rows], first.newer, first.older) == (made[:50], False, True)
    arrived = (await make_orders(event, 3))[::-1]
    second = await order_desk.page(order_desk.Wanted(), older=made[49])
    assert [row["id"] for row in second.rows] == made[50:100]
    third = await order_desk.page(order_desk.Wanted(), older=made[99])
    assert ([row["id"] for row in third.rows], third.newer, third.older) == (made[100:], True, False)
    back = await order_desk.page(order_desk.Wanted(), newer=made[100])
    assert ([row["id"] for row in back.rows], back.newer, back.older) == (made[50:100], True, True)
    above = await order_desk.page(order_desk.Wanted(), newer=made[50])
    assert ([row["id"] for row in above.rows], above.newer) == (made[:50], True)
    top = await order_desk.page(order_desk.Wanted(), newer=made[0])
    assert ([row["id"] for row in top.rows], top.newer) == ([*arrived, *made[:47]], False), "a first page is a full one"


async def test_orders_of_the_same_moment_are_each_shown_once(database):
    event = await make_event(capacity=500)
    made = await make_orders(event, 60)
    async with transaction():
        await db.execute("SET LOCAL session_replication_role = replica")
        await db.execute("UPDATE orders SET created_at = '2026-01-01T00:00Z'")
    first = await order_desk.page(order_desk.Wanted(text="ana"))
    second = await order_desk.page(order_desk.Wanted(text="ana"), older=first.rows[-1]["id"])
    assert sorted(row["id"] for row in (*first.rows, *second.rows)) == sorted(made)


@pytest.mark.parametrize("many", [1_000, 20], ids=["gathered", "walked"])
@pytest.mark.parametrize("asked", [{"text": "ana"}, {"status": "COMPLETED"}, {"money": "none"}, {"provider": "free"}])
async def test_what_is_many_is_walked_and_what_is_few_is_gathered_with_the_same_answer(
    database, monkeypatch, many, asked
):
    event = await make_event(ticket_type("General", price=0), capacity=500)
    made = (await make_orders(event, 70))[::-1]
    await make_orders(await make_event(capacity=500), 5, status="PAID", buyer_name="Priya", buyer_email="p@x.org")
    monkeypatch.setattr(order_desk, "MANY", many)
    wanted = order_desk.Wanted(**asked, event_id=event.id)
    first = await order_desk.page(wanted)
    assert ([row["id"] for row in first.rows], first.older) == (made[:50], True)
    assert first.count == min(70, many + 1)
    second = await order_desk.page(wanted, older=made[49])
    assert ([row["id"] for row in second.rows], second.older) == (made[50:], False)
    back = await order_desk.page(wanted, newer=made[51])
    assert [row["id"] for row in back.rows] == made[1:51]


async def test_above_a_thousand_nobody_counts(signed_in, monkeypatch):
    await make_orders(await make_event(capacity=500), 12)
    monkeypatch.setattr(order_desk, "MANY", 10)
    desk = await signed_in("door")
    assert "More than 10 orders" in (await desk.get(LIST)).text
    assert "More than 10 orders found" in (await desk.get(LIST, params={"q": "ana"})).text


async def test_a_page_has_an_address_of_its_own(signed_in, script):
    event = await make_event(capacity=500)
    await make_orders(event, 51)
    desk = await signed_in("door")
    page = (await desk.get(LIST, params={"q": "ana", "status": "COMPLETED"})).text
    older = re.search(r'id="older"[^>]* href="([^"]+)" hx-get="([^"]+)"', page)
    assert older
    assert older[1].startswith("/admin/orders?q=ana&amp;status=COMPLETED&amp;older=")
    assert len(numbers((await desk.get(older[1].replace("&amp;", "&"))).text)) == 1
    part = await desk.get(older[2].replace("&amp;", "&"), headers=script)
    assert part.headers["hx-push-url"] == older[1].replace("&amp;", "&")
    assert "data-autofocus" in part.text
    typed = await desk.get(f"{LIST}/list", params={"q": "ana", "event": ""}, headers=script)
    assert typed.headers["hx-replace-url"] == "/admin/orders?q=ana"


# ---------------------------------------------------------------- arriving


async def arrivals(desk, page: str, **more: str) -> str:
    fields = dict(
        re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.split('id="seen"')[1].split("</div>")[0])
    )
    return (await desk.get(f"{LIST}/arrivals", params=fields | more)).text


async def test_what_comes_joins_the_first_page_while_nobody_is_in_it(signed_in):
    event = await make_event()
    await make_orders(event, 2)
    desk = await signed_in("door")
    page = (await desk.get(LIST)).text
    (new,) = await make_orders(event, 1)
    answer = await arrivals(desk, page, still="1")
    assert f'<tr id="order-{new}" class="is-new">' in answer
    assert answer.count("is-new") == 1
    assert "1 new order at the top of the list" in answer


@pytest.mark.parametrize("asked", [{}, {"q": "ana"}, {"status": "COMPLETED"}])
async def test_elsewhere_it_waits_behind_a_link(signed_in, asked):
    event = await make_event(capacity=500)
    await make_orders(event, 2)
    desk = await signed_in("door")
    page = (await desk.get(LIST, params=asked)).text
    await make_orders(event, 3)
    await make_orders(event, 1, buyer_name="Priya Sharma", buyer_email="p@x.net", status="PAID")
    answer = await arrivals(desk, page, **({"still": "1"} if asked else {}))
    assert ("4 new orders" if not asked else "3 new orders") in answer
    assert 'id="rows"' not in answer
    assert "new order" not in await arrivals(desk, (await desk.get(LIST, params=asked)).text)


async def test_an_older_page_is_told_and_not_moved(signed_in):
    event = await make_event(capacity=500)
    made = await make_orders(event, 60)
    desk = await signed_in("door")
    page = (await desk.get(LIST, params={"older": str(made[10])})).text
    await make_orders(event, 1)
    answer = await arrivals(desk, page, still="1")
    assert "1 new order" in answer
    assert 'id="rows"' not in answer


async def test_the_bell_rings_for_an_order_for_its_tickets_and_for_a_refund_and_for_nothing_else(database, stripe):
    event = await make_event()
    ring = order_list.look()

    async def body():
        (seen,) = (await ring(None)).values()
        return seen.body

    heard = [await body()]
    (order_id,) = await make_orders(event, 1, status="PAID")
    heard.append(await body())
    await tickets.issue(order_id)
    heard.append(await body())
    await give_back(order_id, 100)
    heard.append(await body())
    assert len(set(heard)) == 4
    assert await body() == heard[-1]
    for word in ("<form", "csrf", "Ana"):
        assert word not in heard[-1], "everybody hears the same"


# ---------------------------------------------------------------- one event's


async def test_an_event_s_tab_shows_its_orders_and_no_others(signed_in, script):
    event, other = await make_event(title="Winter Light"), await make_event()
    mine, others = (await make_orders(event, 1))[0], (await make_orders(other, 1))[0]
    desk = await signed_in("readonly")
    address = f"/admin/events/{event.id}/orders"
    for asked in ({}, {"event": str(other.id)}, {"q": "ana"}, {"older": str(others)}):
        page = (await desk.get(address, params=asked)).text
        assert set(numbers(page)) <= {await number_of(mine)}
        assert "Winter Light" in page
        part = (await desk.get(f"{address}/list", params=asked, headers=script)).text
        assert await number_of(others) not in part
    assert numbers((await desk.get(address)).text) == [await number_of(mine)]
    assert (await desk.get(f"/admin/events/{uuid4()}/orders")).status_code == 404
    assert (await desk.get(f"/admin/events/{uuid4()}/orders/list")).status_code == 404


async def give_back(order_id: UUID, amount: int | None) -> None:
    admin = await make_admin()
    await refunds.request(
        order_id,
        Money(amount) if amount else Everything(),
        reason=RefundReason.GOODWILL,
        note="",
        seats_return=False,
        request_key=uuid4().hex,
        actor=Actor(admin.id, "Mira"),
    )


async def at_moment(moment: str, event) -> str:
    (order_id,) = await make_orders(event, 1)
    async with transaction():
        await db.execute("SET LOCAL session_replication_role = replica")
        await db.execute("UPDATE orders SET created_at = $1 WHERE id = $2", datetime.fromisoformat(moment), order_id)
    return await number_of(order_id)


async def test_a_corrected_name_rings_the_bell_of_the_list(stripe):
    order_id = await buy(await make_event(), stripe)
    before = (await order_desk.pulse(None))["pulse"]
    fields = {"buyer_name": ("Ana Kovač", "Eva Zupan")}
    await orders.correct_buyer(order_id, fields, holders_too=False, actor=audit.SYSTEM)
    assert (await order_desk.pulse(None))["pulse"] != before


@pytest.mark.parametrize("name", ["Əliyev", "Өмірбек", "Қайрат", "Үүрийнтуяа", "Ŋamo", "Արամ", "Ქეთევან"])
async def test_a_name_is_found_in_small_letters_in_any_script_that_has_them(database, name):
    for said in (name.lower(), name.upper()):
        found = "SELECT order_words('FY-7K3M-Q2VX', $1, 'a@example.org', 'x') @@ order_query($2)"
        assert await db.fetchval(found, name, said), said
