"""Reservations: hold tickets for a buyer, all or nothing (AC 2, AC 3, AC 4)."""

import copy
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from domain import inventory
from domain.errors import EventNotFound, InsufficientInventory, Refusal, RequestKeyReused, TooBusy
from domain.inventory import EventStock, Terms, Wish
from domain.reservations import HOLD
from models import database, stock
from models.ids import new_id
from models.stock import KnownWish, NewReservation, Shelf
from services import live
from services.transaction import transaction
from services.turnstile import Turnstile

OVERDUE_EVENTS = """
    SELECT DISTINCT event_id FROM reservation
    WHERE status = 'ACTIVE' AND expires_at <= clock_timestamp() LIMIT $1
"""


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """`request_key` is made by the client: the same key always means the same hold (16 to 64 characters)."""

    request_key: str
    wish: Wish
    terms: Terms = Terms.SHOP


async def hold_tickets(event_id: UUID, *, wish: Wish, request_key: str, terms: Terms = Terms.SHOP) -> UUID:
    """Hold the whole wish for 15 minutes and return the checkout, or raise the refusal and hold nothing.

    Buyers and the desk stand in the same line. Raises EventNotFound, EventEnded, NothingChosen, TicketTypeNotOnSale,
    QuantityOutOfBounds, InsufficientInventory, RequestKeyReused, TooBusy.
    """
    try:
        return await _turnstile.enter(event_id, HoldRequest(request_key, dict(wish), terms))
    except asyncpg.LockNotAvailableError as error:
        raise TooBusy from error


async def events_with_overdue_holds(limit: int = 200) -> list[UUID]:
    return [row["event_id"] for row in await database.fetch(OVERDUE_EVENTS, limit)]


async def _serve(event_id: UUID, requests: list[HoldRequest]) -> list[UUID | Exception]:
    """One transaction for a batch: lock, look, decide in order of arrival, write what was granted."""
    async with transaction():
        shelf = await stock.lock(event_id)
        if shelf is None:
            return [EventNotFound() for _ in requests]
        known = await stock.known_wishes(r.request_key for r in requests)
        outcomes, granted = _decide(shelf, requests, known)
        if any(isinstance(o, InsufficientInventory) for o in outcomes):
            # Whoever needs the seat expires it first; then everybody is asked again, still in order of arrival.
            released = await stock.release_overdue(event_id, shelf.now)
            if released:
                shelf.stock.give_back(released)
                outcomes, granted = _decide(shelf, requests, known)
        if granted:
            await _write(event_id, shelf, granted)
    if granted:
        live.announce(event_id)
    return outcomes


def _decide(
    shelf: Shelf, requests: list[HoldRequest], known: dict[str, KnownWish]
) -> tuple[list[UUID | Exception], dict[UUID, HoldRequest]]:
    """An outcome per request, and the checkouts to write. `shelf` is left as it was."""
    event = copy.deepcopy(shelf.stock)
    keys = dict(known)
    granted: dict[UUID, HoldRequest] = {}
    outcomes: list[UUID | Exception] = []
    for request in requests:
        try:
            outcomes.append(_decide_one(event, request, shelf, keys, granted))
        except Refusal as refusal:
            outcomes.append(refusal)
    return outcomes, granted


def _decide_one(
    event: EventStock,
    request: HoldRequest,
    shelf: Shelf,
    keys: dict[str, KnownWish],
    granted: dict[UUID, HoldRequest],
) -> UUID:
    before = keys.get(request.request_key)
    if before is not None:
        if (before.event_id, before.wish) != (event.id, request.wish):
            raise RequestKeyReused
        return before.checkout_id
    inventory.grant(event, request.wish, now=shelf.now, terms=request.terms)
    checkout_id = new_id()
    keys[request.request_key] = KnownWish(checkout_id, event.id, dict(request.wish))
    granted[checkout_id] = request
    return checkout_id


async def _write(event_id: UUID, shelf: Shelf, granted: dict[UUID, HoldRequest]) -> None:
    expires_at = shelf.now + HOLD
    await stock.write_checkouts(event_id, expires_at, {i: r.request_key for i, r in granted.items()})
    new = [
        NewReservation(
            new_id(),
            checkout_id,
            type_id,
            quantity,
            inventory.unit_price(shelf.stock.types[type_id], request.terms),
        )
        for checkout_id, request in granted.items()
        for type_id, quantity in request.wish.items()
    ]
    await stock.write_reservations(event_id, expires_at, new)


_turnstile: Turnstile[HoldRequest, UUID] = Turnstile(_serve)
