"""What can be put right about an order: whose it is, and where its mail goes. What was bought never changes."""

import asyncio
import json
from uuid import UUID, uuid4

import pytest

from domain.errors import OrderNotComplete, OrderNotFound, Overtaken
from domain.orders import JustSent, NothingToSend
from models import database as db
from services import orders, ticket_codes
from services.audit import Actor
from tests.makers import buy, key, make_event
from tests.services.refunding import refund_and_run

pytestmark = pytest.mark.usefixtures("database")

MIRA = Actor(UUID("00000000-0000-0000-0000-000000000001"), "Mira Novak")


async def an_order(stripe, number=2):
    return await buy(await make_event(), stripe, General=number)


async def correct(order_id, *, name=("Ana Kovač", "Ana Kovač"), email=("ana@example.org",) * 2, holders_too=False):
    fields = {"buyer_name": name, "buyer_email": email}
    await orders.correct_buyer(order_id, fields, holders_too=holders_too, actor=MIRA)


async def buyer(order_id):
    return tuple(await db.fetchrow("SELECT buyer_name, buyer_email FROM orders WHERE id = $1", order_id))


async def holders(order_id):
    rows = await db.fetch("SELECT holder_name FROM ticket WHERE order_id = $1 ORDER BY position", order_id)
    return [row["holder_name"] for row in rows]


async def deeds():
    rows = await db.fetch("SELECT * FROM audit_entry WHERE actor_id IS NOT NULL ORDER BY id")
    return [(row["action"], json.loads(row["before"]), json.loads(row["after"])) for row in rows]


# ---------------------------------------------------------------- the buyer


async def test_a_mistyped_address_is_put_right_and_written_down_from_and_to(stripe):
    order_id = await an_order(stripe)
    await correct(order_id, email=("ana@example.org", "ana@example.com"))
    assert await buyer(order_id) == ("Ana Kovač", "ana@example.com")
    assert await deeds() == [
        ("buyer corrected", {"buyer_email": "ana@example.org"}, {"buyer_email": "ana@example.com"})
    ]


async def test_a_name_is_put_right_on_the_tickets_that_carry_it_if_one_likes(stripe):
    order_id = await an_order(stripe, 3)
    await db.execute("UPDATE ticket SET holder_name = 'Eva' WHERE position = 3")
    await correct(order_id, name=("Ana Kovač", "Ana Kovačič"), holders_too=True)
    assert await buyer(order_id) == ("Ana Kovačič", "ana@example.org")
    assert await holders(order_id) == ["Ana Kovačič", "Ana Kovačič", "Eva"]
    ((_, before, after),) = await deeds()
    assert before == {"buyer_name": "Ana Kovač"}
    assert after["tickets"].count("FY-") == 2
    await correct(order_id, name=("Ana Kovačič", "Ana"))
    assert await holders(order_id) == ["Ana Kovačič", "Ana Kovačič", "Eva"], "only if one likes"


async def test_two_admins_at_once_are_told_and_lose_nothing(stripe):
    order_id = await an_order(stripe)
    await correct(order_id, email=("ana@example.org", "first@example.org"))
    with pytest.raises(Overtaken) as overtaken:
        await correct(order_id, name=("Ana Kovač", "Second"), email=("ana@example.org", "second@example.org"))
    assert overtaken.value.theirs == "first@example.org"
    assert await buyer(order_id) == ("Ana Kovač", "first@example.org"), "all or none"


async def test_what_is_right_already_is_no_change(stripe):
    order_id = await an_order(stripe)
    await correct(order_id)
    await correct(order_id, email=("an older page", "ana@example.org"))
    assert await deeds() == []


async def test_a_holders_name_is_put_right_and_the_code_stays_good(stripe):
    order_id = await an_order(stripe)
    ticket = await db.fetchrow("SELECT * FROM ticket WHERE position = 2")
    before = ticket_codes.sign(ticket["id"])
    await orders.correct_holder(order_id, ticket["id"], was="Ana Kovač", to="Eva Zupan", actor=MIRA)
    assert await holders(order_id) == ["Ana Kovač", "Eva Zupan"]
    assert ticket_codes.sign(ticket["id"]) == before
    number = ticket["number"]
    assert await deeds() == [
        (
            "holder corrected",
            {"ticket": number, "holder_name": "Ana Kovač"},
            {"ticket": number, "holder_name": "Eva Zupan"},
        )
    ]
    with pytest.raises(Overtaken):
        await orders.correct_holder(order_id, ticket["id"], was="Ana Kovač", to="Third", actor=MIRA)


async def test_what_is_not_there_cannot_be_corrected(stripe):
    order_id, other_id = await an_order(stripe), await an_order(stripe)
    other = await db.fetchval("SELECT id FROM ticket WHERE order_id = $1", other_id)
    for order, ticket in ((order_id, uuid4()), (order_id, other), (uuid4(), other)):
        with pytest.raises(OrderNotFound):
            await orders.correct_holder(order, ticket, was="Ana Kovač", to="Eva", actor=MIRA)
    with pytest.raises(OrderNotFound):
        await correct(uuid4())


# ---------------------------------------------------------------- sent again


async def notes():
    rows = await db.fetch("SELECT subject FROM outbox WHERE kind = 'confirmation_again_mail'")
    return [row["subject"] for row in rows]


async def test_one_press_is_one_mail_however_often_it_arrives(stripe):
    order_id, request_key = await an_order(stripe), key()
    presses = [orders.send_again(order_id, request_key=request_key, actor=MIRA) for _ in range(3)]
    made = set(await asyncio.gather(*presses))
    assert list(made) == await notes()
    assert await deeds() == [("tickets sent again", {}, {"to": "ana@example.org"})]


async def test_hammering_sends_one_mail_a_minute(stripe):
    order_id = await an_order(stripe)
    await orders.send_again(order_id, request_key=key(), actor=MIRA)
    with pytest.raises(JustSent) as refused:
        await orders.send_again(order_id, request_key=key(), actor=MIRA)
    assert 0 < refused.value.wait <= 60
    await db.execute("UPDATE mail_request SET created_at = created_at - interval '1 minute'")
    await orders.send_again(order_id, request_key=key(), actor=MIRA)
    assert len(await notes()) == 2


async def test_two_presses_at_once_from_two_desks_send_one_mail(stripe):
    order_id = await an_order(stripe)
    outcomes = await asyncio.gather(
        *(orders.send_again(order_id, request_key=key(), actor=MIRA) for _ in range(2)), return_exceptions=True
    )
    assert sorted(type(o) for o in outcomes if isinstance(o, Exception)) == [JustSent]
    assert len(await notes()) == 1


async def test_an_order_none_of_whose_tickets_admits_anybody_has_nothing_to_send(stripe):
    order_id = await an_order(stripe)
    await refund_and_run(order_id)
    with pytest.raises(NothingToSend):
        await orders.send_again(order_id, request_key=key(), actor=MIRA)


async def test_an_order_whose_tickets_are_being_made_has_nothing_to_send_yet(stripe):
    order_id = await an_order(stripe)
    async with db.engine().transaction():
        await db.execute("SET LOCAL session_replication_role = replica")
        await db.execute("DELETE FROM ticket")
        await db.execute("UPDATE orders SET status = 'PAID', completed_at = NULL")
    with pytest.raises(OrderNotComplete):
        await orders.send_again(order_id, request_key=key(), actor=MIRA)
