"""Orders as a file: what the list shows, whole or visibly not, and nothing that a spreadsheet would calculate."""

import csv
import io
import json
import re

import pytest

from models import database as db
from models import order_desk
from tests.makers import buy, make_event, ticket_type
from tests.orders import make_orders
from tests.web.admin.test_orders import give_back
from web.admin import export

EXPORTS = "/admin/orders/exports"


def read_back(body: bytes) -> list[dict[str, str]]:
    """As a spreadsheet does."""
    assert body.startswith(b"\xef\xbb\xbf"), "Excel would take it for something else than UTF-8"
    return list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline="")))


async def test_an_order_is_a_line_with_all_that_an_accountant_asks_for(signed_in, stripe):
    event = await make_event(
        ticket_type("General"), ticket_type("Front row", price=3600), title="Zimska luč", timezone="Europe/Ljubljana"
    )
    order_id = await buy(event, stripe, General=2, Front_row=1)
    await give_back(order_id, 1000)
    answer = await (await signed_in("manager")).post(EXPORTS)
    order = await db.fetchrow("SELECT * FROM orders WHERE id = $1", order_id)
    (line,) = read_back(answer.content)
    assert (
        line
        | {
            "Order": order["number"],
            "Time zone": "Europe/Ljubljana",
            "Status": "Completed",
            "Refunded": "in part",
            "Buyer": "Ana Kovač",
            "Email": "ana@example.org",
            "Event": "Zimska luč",
            "Tickets": "3",
            "Ticket types": "2 × General; 1 × Front row",
            "Total": "84.00",
            "Refunded amount": "10.00",
            "Currency": "EUR",
            "Payment reference": order["payment_reference"],
        }
        == line
    )
    assert line["Ordered at (UTC)"] == order["created_at"].isoformat(timespec="seconds")
    assert re.fullmatch(r".*\+0[12]:00", line["Ordered at (local)"])


async def test_a_ticket_is_a_line_in_the_other_file(signed_in, stripe):
    order_id = await buy(await make_event(), stripe, General=3)
    await make_orders(await make_event(), 1, status="PAID")
    lines = read_back((await (await signed_in("owner")).post(EXPORTS, data={"rows": "tickets"})).content)
    number = await db.fetchval("SELECT number FROM orders WHERE id = $1", order_id)
    assert [line["Ticket"] for line in lines] == [f"{number}-{n}" for n in (1, 2, 3)]
    assert {line["Price"] for line in lines} == {"24.00"}
    assert {line["Admits"] for line in lines} == {"yes"}
    await give_back(order_id, None)
    lines = read_back((await (await signed_in("owner")).post(EXPORTS, data={"rows": "tickets"})).content)
    assert {line["Admits"] for line in lines} == {"no"}


async def test_it_holds_what_the_list_shows_and_is_called_after_its_event_and_day(signed_in):
    event, other = await make_event(slug="winter-light"), await make_event()
    await make_orders(event, 2)
    await make_orders(event, 1, buyer_name="Priya Sharma", buyer_email="p@x.org")
    await make_orders(other, 4)
    desk = await signed_in("manager")
    answer = await desk.post(EXPORTS, data={"event": str(event.id), "q": "ana", "status": "COMPLETED"})
    assert len(read_back(answer.content)) == 2
    today = await db.fetchval("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date::text")
    assert answer.headers["content-disposition"] == f'attachment; filename="orders-winter-light-{today}.csv"'
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    everything = await desk.post(EXPORTS, data={"rows": "tickets"})
    assert everything.headers["content-disposition"] == f'attachment; filename="tickets-{today}.csv"'
    assert len(read_back(everything.content)) == 7


async def test_who_took_what_is_written_down_before_the_first_line(signed_in):
    event = await make_event()
    await make_orders(event, 3)
    desk = await signed_in("manager")
    await desk.post(EXPORTS, data={"event": str(event.id), "q": "kovač", "rows": "tickets"})
    entry = await db.fetchrow("SELECT * FROM audit_entry")
    assert (entry["action"], entry["actor_id"]) == ("orders exported", desk.admin.id)
    assert json.loads(entry["after"]) == {
        "rows": "tickets",
        "count": 3,
        "filters": {"q": "kovač", "event": str(event.id)},
    }


@pytest.mark.parametrize(
    "name",
    [
        '=HYPERLINK("http://evil.example";"Ana")',
        "+49 1",
        "-1+1",
        "@SUM(A1)",
        "\t=1+1",
        "\r=1+1",
        "  =1+1",
        "＝1+1",
        "Ana;=1+1",
        "Ana\n@x",
    ],
)
async def test_what_a_buyer_calls_themselves_is_never_calculated(signed_in, name):
    await make_orders(await make_event(), 1, buyer_name=name, buyer_email="=1@example.org")
    (line,) = read_back((await (await signed_in("owner")).post(EXPORTS)).content)
    for cell in (line["Buyer"], line["Email"]):
        for part in re.split(r"[;\n\r\t]", cell):
            assert part.strip()[:1] not in ("=", "+", "-", "@", "＝"), cell
    assert line["Buyer"].replace("'", "").split() == name.split(), "nothing else is changed"


@pytest.mark.parametrize("name", ["Ana-Marija Kovač", 'O\'Brien, "Sinéad"', "a@b", "1-2"])
async def test_an_honest_name_stays_as_it_is(signed_in, name):
    await make_orders(await make_event(), 1, buyer_name=name)
    (line,) = read_back((await (await signed_in("owner")).post(EXPORTS)).content)
    assert line["Buyer"] == name


async def test_an_amount_has_as_many_decimals_as_its_currency(signed_in):
    await make_orders(await make_event(ticket_type("General", price=2400), currency="JPY"), 1)
    (line,) = read_back((await (await signed_in("owner")).post(EXPORTS)).content)
    assert (line["Total"], line["Currency"]) == ("2400", "JPY")


async def test_many_orders_come_in_chunks_each_once_and_hold_no_connection_between(signed_in, monkeypatch):
    event = await make_event(capacity=500)
    made = await make_orders(event, 25)
    monkeypatch.setattr(order_desk, "CHUNK", 10)
    seen = []
    async for rows in order_desk.chunks(order_desk.Wanted()):
        assert db.engine().pool.get_idle_size() == db.engine().pool.get_size()
        seen.append(len(rows))
        if len(seen) == 1:
            await make_orders(event, 2)  # at the top, where the reading has been
    assert seen == [10, 10, 5]
    monkeypatch.setattr(order_desk, "MANY", 5)
    lines = read_back((await (await signed_in("owner")).post(EXPORTS, data={"q": "ana"})).content)
    assert len({line["Order"] for line in lines}) == len(lines) == len(made) + 2


async def test_a_file_that_cannot_be_finished_says_so_in_its_last_line(database, monkeypatch):
    await make_orders(await make_event(capacity=500), 25)
    monkeypatch.setattr(order_desk, "CHUNK", 10)
    honest, calls = order_desk._rows, []

    async def broken(ids):
        calls.append(ids)
        if len(calls) == 3:
            raise OSError("the database is away")
        return await honest(ids)

    monkeypatch.setattr(order_desk, "_rows", broken)
    sent = []

    async def send():
        async for part in export.file(order_desk.Wanted(), export.ORDER_COLUMNS, export.order_lines):
            sent.append(part)

    # And the connection is cut: a browser does not take it for whole either.
    with pytest.raises(OSError, match="the database is away"):
        await send()
    lines = list(csv.reader(io.StringIO(b"".join(sent).decode("utf-8-sig"), newline="")))
    assert len(lines) == 1 + 20 + 1
    assert lines[-1] == [export.STOPPED]


async def test_a_day_that_is_none_exports_nothing(signed_in):
    await make_orders(await make_event(), 1)
    answer = await (await signed_in("owner")).post(EXPORTS, data={"from": "2026-02-30"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/orders?from=2026-02-30")
    assert await db.fetchval("SELECT count(*) FROM audit_entry") == 0


async def test_only_a_form_of_the_desk_exports(signed_in, browser):
    desk = await signed_in("owner")
    assert (await desk.get(EXPORTS)).status_code == 405
    desk.headers.pop("X-CSRF-Token")
    assert (await desk.post(EXPORTS)).status_code == 403
    assert (await browser.post(EXPORTS)).status_code == 303
