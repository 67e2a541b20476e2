"""Every verb of an admin writes down who did it, from what to what, in the transaction that does it.

The verbs are found by their `actor` or `session`; one that is new fails here until it is told how to be done.
"""

import importlib
import inspect
import json
import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

import services
from domain.access import Role
from domain.desk_sales import DeskSale, Method
from models import database as db
from services import (
    admin_sessions,
    admins,
    covers,
    desk_sales,
    events,
    order_exports,
    orders,
    refunds,
    second_factor,
    sign_in,
    ticket_types,
)
from services import audit as audits
from services.audit import Actor
from services.sign_in import Visitor
from tests import mutants
from tests.admins import PASSWORD, MadeAdmin, make_admin, open_session
from tests.conftest import TABLES
from tests.makers import Made, buy, key, make_event, ticket_type
from tests.services import refunding
from tests.services.test_covers import photo

MIRA = Actor(uuid4(), "Mira")
VISITOR = Visitor("192.0.2.7", "Firefox on Linux")
NEW_PASSWORD = "eleven quiet harbours"

# Verbs whose entry is proved where their story is told: they speak to the provider, or leave the writing to another.
ELSEWHERE = {
    "attention.ask_again": "tests/services/test_attention.py",
    "attention.try_again": "tests/services/test_attention.py",
    "attention.see": "tests/services/test_attention.py",
    "attention.ask_for_comparison": "tests/services/test_attention.py",
    "outbox.try_again": "tests/services/test_outbox.py",
    "notices.try_again": "tests/services/test_notices.py",
    "seats.take_back": "tests/services/test_seats_taken_back.py",
    "disputes.make_tickets_invalid": "tests/services/test_disputes.py",
    "sign_in.check_password": "tests/services/test_admins.py",
}
# What must be as before when the entry cannot be written, where it is not simply everything.
STAYS = {"desk_sales.sell": ("orders", "order_item", "payment", "ticket")}  # the hold waits for the same request


@dataclass
class World:
    """An event with two types of ticket, a draft, and somebody at the desk."""

    stripe: Any
    event: Made
    draft: Made
    admin: MadeAdmin

    async def order(self) -> UUID:
        return await buy(self.event, self.stripe)

    async def session(self, *, halfway: bool = False) -> admin_sessions.Session:
        found = await admin_sessions.find(await open_session(self.admin, halfway=halfway))
        assert found
        return found

    @property
    def general(self) -> UUID:
        return self.event.types["General"]


Deed = Callable[[], Awaitable[Any]]
DEEDS: dict[str, Callable[[World], Awaitable[Deed]]] = {}


def deed(name: str) -> Callable:
    """What comes before the verb is done at once; the verb itself is returned."""

    def keep(prepare: Callable[[World], Awaitable[Deed]]) -> Callable:
        DEEDS[name] = prepare
        return prepare

    return keep


@pytest.fixture
async def world(database, stripe) -> World:
    return World(
        stripe,
        await make_event(ticket_type(), ticket_type("Front row", price=3600)),
        await make_event(status="DRAFT"),
        await make_admin("manager", protected=True),
    )


def verbs() -> set[str]:
    found = set()
    for module in pkgutil.iter_modules(services.__path__):
        for name, verb in vars(importlib.import_module(f"services.{module.name}")).items():
            if not inspect.iscoroutinefunction(verb) or name.startswith("_") or name == "write":
                continue
            if verb.__module__ == f"services.{module.name}" and {"actor", "session"} & set(
                inspect.signature(verb).parameters
            ):
                found.add(f"{module.name}.{name}")
    return found


def test_every_verb_of_an_admin_is_told_how_to_be_done():
    assert verbs() - ELSEWHERE.keys() == DEEDS.keys()


async def books(tables: tuple[str, ...] = ()) -> dict[str, Any]:
    """All that is stored but what is counted to slow down guessing, as hashes."""
    found = {}
    for table in tables or (each for each in TABLES.split(", ") if each != "sign_in_attempt"):
        found[table] = await db.fetchval(f"SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {table} AS t")
    return found


@pytest.mark.parametrize("name", sorted(verbs() - ELSEWHERE.keys()))
async def test_the_deed_and_its_entry_stand_or_fall_together(world, monkeypatch, name):
    do = await DEEDS[name](world)
    before = await books(STAYS.get(name, ()))
    with (
        mutants.sql("INSERT INTO audit_entry", "INSERT INTO no_book_at_all"),
        pytest.raises(asyncpg.UndefinedTableError),
    ):
        await do()
    assert await books(STAYS.get(name, ())) == before, "the deed was done although nobody could write it down"
    newest = await db.fetchval("SELECT coalesce(max(id), 0) FROM audit_entry")
    honest = audits.write

    async def write(*args: Any, **sides: Any) -> None:
        assert db.in_transaction(), "written beside the transaction, not in it"
        await honest(*args, **sides)

    monkeypatch.setattr(audits, "write", write)
    await do()
    entries = await db.fetch("SELECT * FROM audit_entry WHERE id > $1", newest)
    assert [entry["actor_name"] for entry in entries] in (["Mira"], ["Mira Novak"]), "once, and by whom"
    assert entries[0]["action"]
    assert entries[0]["words"]
    assert isinstance(json.loads(entries[0]["before"]), dict)


# ---------------------------------------------------------------- the deeds: events and tickets


@deed("events.draft")
async def _(world):
    start = await db.fetchval("SELECT now()")
    return lambda: events.draft(
        title="New", start_date=start, end_date=None, timezone="UTC", currency="EUR", actor=MIRA
    )


@deed("events.change")
async def _(world):
    return lambda: events.change(world.event.id, {"title": ("Winter Light", "Summer Light")}, actor=MIRA)


@deed("events.move")
async def _(world):
    was = await db.fetchval("SELECT start_date FROM event WHERE id = $1", world.event.id)
    return lambda: events.move(world.event.id, was=was, to=was + timedelta(days=1), timezone="UTC", actor=MIRA)


@deed("events.set_timezone")
async def _(world):
    return lambda: events.set_timezone(world.event.id, was="UTC", to="Europe/Vienna", actor=MIRA)


@deed("events.set_capacity")
async def _(world):
    return lambda: events.set_capacity(world.event.id, was=30, to=40, actor=MIRA)


@deed("events.publish")
async def _(world):
    return lambda: events.publish(world.draft.id, actor=MIRA)


@deed("events.unpublish")
async def _(world):
    return lambda: events.unpublish(world.event.id, actor=MIRA)


@deed("events.duplicate")
async def _(world):
    return lambda: events.duplicate(world.event.id, actor=MIRA)


@deed("events.remove")
async def _(world):
    return lambda: events.remove(world.draft.id, after=0, actor=MIRA)


@deed("ticket_types.add")
async def _(world):
    return lambda: ticket_types.add(world.event.id, name="Balcony", price=1200, actor=MIRA)


@deed("ticket_types.change")
async def _(world):
    return lambda: ticket_types.change(world.event.id, world.general, {"name": ("General", "Standing")}, actor=MIRA)


@deed("ticket_types.move")
async def _(world):
    return lambda: ticket_types.move(world.event.id, world.general, by=1, actor=MIRA)


@deed("ticket_types.remove")
async def _(world):
    return lambda: ticket_types.remove(world.event.id, world.general, actor=MIRA)


@deed("covers.upload")
async def _(world):
    picture = photo((400, 300))
    return lambda: covers.upload(world.event.id, picture, actor=MIRA)


@deed("covers.remove")
async def _(world):
    await covers.upload(world.event.id, photo((400, 300)), actor=MIRA)
    was = await db.fetchval("SELECT cover FROM event WHERE id = $1", world.event.id)
    return lambda: covers.remove(world.event.id, was=was, actor=MIRA)


@deed("covers.draw_another")
async def _(world):
    return lambda: covers.draw_another(world.event.id, was=0, actor=MIRA)


# ---------------------------------------------------------------- orders and money


@deed("desk_sales.sell")
async def _(world):
    sale = DeskSale(
        world.event.wish(General=1), buyer_name="Ana", buyer_email="ana@example.org", method=Method.CASH, note=""
    )
    its_key = key()
    return lambda: desk_sales.sell(world.event.id, sale, request_key=its_key, actor=MIRA)


@deed("orders.correct_buyer")
async def _(world):
    order_id = await world.order()
    was = await db.fetchval("SELECT buyer_name FROM orders WHERE id = $1", order_id)
    return lambda: orders.correct_buyer(order_id, {"buyer_name": (was, "Ana")}, holders_too=False, actor=MIRA)


@deed("orders.correct_holder")
async def _(world):
    order_id = await world.order()
    ticket = await db.fetchrow("SELECT id, holder_name FROM ticket WHERE order_id = $1", order_id)
    return lambda: orders.correct_holder(order_id, ticket["id"], was=ticket["holder_name"], to="Eva", actor=MIRA)


@deed("orders.send_again")
async def _(world):
    order_id, its_key = await world.order(), key()
    await db.execute("UPDATE outbox SET created_at = created_at - interval '1 day'")
    return lambda: orders.send_again(order_id, request_key=its_key, actor=MIRA)


@deed("order_exports.record")
async def _(world):
    return lambda: order_exports.record(actor=MIRA, rows="orders", filters={}, count=3)


@deed("refunds.request")
async def _(world):
    order_id, its_key = await world.order(), key()
    return lambda: refunding.refund(order_id, request_key=its_key)


@deed("refunds.return_seats")
async def _(world):
    refund_id = await refunding.refund_and_run(await world.order())
    return lambda: refunds.return_seats(refund_id, actor=MIRA)


# ---------------------------------------------------------------- people


@deed("admins.invite")
async def _(world):
    return lambda: admins.invite(MIRA, email="ana@example.org", role=Role.DOOR)


@deed("admins.invite_again")
async def _(world):
    return lambda: admins.invite_again(MIRA, world.admin.id)


@deed("admins.change_role")
async def _(world):
    return lambda: admins.change_role(MIRA, world.admin.id, Role.DOOR)


@deed("admins.disable")
async def _(world):
    return lambda: admins.disable(MIRA, world.admin.id)


@deed("admins.enable")
async def _(world):
    await admins.disable(MIRA, world.admin.id)
    return lambda: admins.enable(MIRA, world.admin.id)


@deed("admins.remove_second_factor")
async def _(world):
    return lambda: admins.remove_second_factor(MIRA, world.admin.id)


@deed("admins.change_password")
async def _(world):
    session = await world.session()
    return lambda: admins.change_password(session, current=PASSWORD, new=NEW_PASSWORD, host="x", visitor=VISITOR)


@deed("admins.enrol")
async def _(world):
    world.admin = await make_admin("manager")
    session = await world.session()
    offered = second_factor.offer(world.admin.id, world.admin.email)
    world.admin.secret = offered.secret
    code = await world.admin.code()
    return lambda: admins.enrol(session, offered, code)


@deed("admins.renew_recovery_codes")
async def _(world):
    session = await world.session()
    return lambda: admins.renew_recovery_codes(session, password=PASSWORD, visitor=VISITOR)


@deed("admins.give_up_second_factor")
async def _(world):
    session = await world.session()
    return lambda: admins.give_up_second_factor(session, password=PASSWORD, visitor=VISITOR)


@deed("admins.sign_out_everywhere")
async def _(world):
    session = await world.session()
    return lambda: admins.sign_out_everywhere(session)


@deed("admins.end_session")
async def _(world):
    session, other = await world.session(), await world.session()
    return lambda: admins.end_session(session, other.id)


@deed("sign_in.with_code")
async def _(world):
    session, code = await world.session(halfway=True), await world.admin.code()
    return lambda: sign_in.with_code(session, code, VISITOR)


@deed("sign_in.out")
async def _(world):
    session = await world.session()
    return lambda: sign_in.out(session)
