"""Organisers who change capacity, types and publication while buyers hold, each story ending in its promise.

Told of the house as it stands in test_desk_races.py, and without a guard in test_desk_mutants.py.
"""

import asyncio

from domain.errors import EventNotFound, LastTypeOnSale, Overtaken, TicketTypeNotOnSale
from domain.offer import OfferChanged, fingerprint
from models import database as db
from models import stock
from models.ids import new_id
from services import covers, events, ticket_types
from services.audit import Actor
from tests.faults.interleaving import after_statement, hold_at_another_till, in_this_order, rendezvous
from tests.makers import make_event, ticket_type
from tests.services.test_covers import photo

ANA, BOR = Actor(new_id(), "Ana"), Actor(new_id(), "Bor")


def both_have_looked():
    """Each has read the numbers before either writes, unless a lock keeps one of them away."""
    return after_statement(stock.TYPES_AND_CLOCK, rendezvous(2))


def refusals(outcomes):
    return [type(outcome) for outcome in outcomes if isinstance(outcome, Exception)]


async def capacity_falls_while_an_allocation_rises():
    event = await make_event(ticket_type(allocation=10), capacity=30)
    with both_have_looked():
        outcomes = await asyncio.gather(
            events.set_capacity(event.id, was=30, to=12, actor=ANA),
            ticket_types.change(event.id, event.types["General"], {"allocation": (10, 25)}, actor=BOR),
            return_exceptions=True,
        )
    capacity, allocated = await db.fetchrow(
        "SELECT total_capacity, (SELECT sum(allocation) FROM ticket_type WHERE event_id = e.id) FROM event AS e"
    )
    assert allocated <= capacity, "allocations exceed the capacity"
    assert len(refusals(outcomes)) == 1, "one of them is told"
    return outcomes


async def capacity_falls_while_a_buyer_holds():
    event = await make_event(ticket_type(max_per_order=20), capacity=30)
    with both_have_looked():
        outcomes = await asyncio.gather(
            events.set_capacity(event.id, was=30, to=10, actor=ANA),
            hold_at_another_till(event, General=15),
            return_exceptions=True,
        )
    held, capacity = await db.fetchrow("SELECT held, total_capacity FROM event")
    assert held <= capacity, "oversold"
    assert len(refusals(outcomes)) == 1, "one of them is told"


async def two_admins_set_the_same_capacity():
    event = await make_event(capacity=30)
    with both_have_looked():
        outcomes = await asyncio.gather(
            events.set_capacity(event.id, was=30, to=40, actor=ANA),
            events.set_capacity(event.id, was=30, to=50, actor=BOR),
            return_exceptions=True,
        )
    assert refusals(outcomes) == [Overtaken], "somebody's number was replaced unread"


async def two_admins_upload_a_cover():
    event = await make_event()
    with after_statement("SELECT id, cover, cover_seed FROM event", rendezvous(2)):
        outcomes = await asyncio.gather(
            covers.upload(event.id, photo((400, 300)), actor=ANA),
            covers.upload(event.id, photo((400, 300), colour=(0, 90, 200)), actor=BOR),
            return_exceptions=True,
        )
    assert refusals(outcomes) == [Overtaken], "somebody's picture was replaced unseen"


async def changed_just_before_it_is_published():
    event = await make_event(status="DRAFT", capacity=60)
    shelf = (await stock.look([event.id]))[event.id]
    read = fingerprint(shelf.stock, shelf.currency)
    _, published = await in_this_order(
        event.id,
        lambda: events.set_capacity(event.id, was=60, to=600, actor=ANA),
        lambda: events.publish(event.id, read=read, actor=BOR),
    )
    assert isinstance(published, OfferChanged), "published unread"


async def two_admins_switch_off_the_last_two_types():
    event = await make_event(ticket_type("A"), ticket_type("B"))
    with both_have_looked():
        outcomes = await asyncio.gather(
            *(
                ticket_types.change(event.id, type_id, {"is_enabled": (True, False)}, actor=ANA)
                for type_id in event.types.values()
            ),
            return_exceptions=True,
        )
    assert await db.fetchval("SELECT count(*) FROM ticket_type WHERE is_enabled") == 1, "published with nothing on sale"
    assert refusals(outcomes) == [LastTypeOnSale]


async def taken_off_sale_just_before_a_hold():
    event = await make_event()
    _, held = await in_this_order(
        event.id, lambda: events.unpublish(event.id, actor=ANA), lambda: hold_at_another_till(event)
    )
    assert isinstance(held, EventNotFound), "held after it was taken off sale"


async def switched_off_just_before_a_hold():
    event = await make_event(ticket_type("A"), ticket_type("B"))
    _, held = await in_this_order(
        event.id,
        lambda: ticket_types.change(event.id, event.types["A"], {"is_enabled": (True, False)}, actor=ANA),
        lambda: hold_at_another_till(event, A=1),
    )
    assert isinstance(held, TicketTypeNotOnSale), "held after it was switched off"
