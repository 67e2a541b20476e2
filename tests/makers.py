"""Makers: events, holds and payments with every default filled in, so that a test names only what it is about."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from domain.inventory import EventStock, TypeStock, available_to_customer
from models import database, stock
from models.event import Event, TicketType
from services import checkout, reservations, settlement
from services.gateway import Intent
from services.transaction import transaction


def key() -> str:
    return uuid.uuid4().hex


@dataclass
class Made:
    """An event and its ticket types by name."""

    id: UUID
    slug: str
    types: dict[str, UUID] = field(default_factory=dict)

    def wish(self, **quantities: int) -> dict[UUID, int]:
        """`event.wish(Early_Bird=2)`: underscores stand for spaces."""
        return {self.types[name.replace("_", " ")]: quantity for name, quantity in quantities.items()}


def ticket_type(name: str = "General", **values: Any) -> dict[str, Any]:
    return {"name": name, "price": 2400, **values}


async def make_event(*types: dict[str, Any], capacity: int = 30, **values: Any) -> Made:
    """A published event in a month's time, with one ticket type “General” unless told otherwise."""
    slug = values.pop("slug", f"event-{uuid.uuid4().hex[:12]}")
    start = values.pop("start_date", datetime.now(UTC) + timedelta(days=30))
    event = Event(slug=slug, title="Winter Light", start_date=start, status="PUBLISHED", total_capacity=capacity)
    for name, value in values.items():
        setattr(event, name, value)
    async with transaction():
        await event.save()
        made = Made(event.id, slug)
        for position, given in enumerate(types or (ticket_type(),)):
            row = TicketType(event_id=event.id, position=position, **given)
            await row.save()
            made.types[row.name] = row.id
    return made


async def hold(event: Made, request_key: str | None = None, **quantities: int) -> UUID:
    """A buyer holds tickets; returns their checkout."""
    return await reservations.hold_tickets(
        event.id, wish=event.wish(**(quantities or {"General": 1})), request_key=request_key or key()
    )


async def hold_with_buyer(event: Made, **quantities: int) -> UUID:
    checkout_id = await hold(event, **quantities)
    await checkout.remember_buyer(checkout_id, name="Ana Kovač", email="ana@example.org")
    return checkout_id


async def start_paying(checkout_id: UUID) -> Intent:
    intent = await checkout.start_payment(checkout_id)
    assert isinstance(intent, Intent)
    return intent


async def buy(event: Made, stripe: Any, **quantities: int) -> UUID:
    """A whole purchase; returns the order."""
    checkout_id = await hold_with_buyer(event, **quantities)
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await settlement.settle(intent.reference)
    return await database.fetchval("SELECT id FROM orders WHERE checkout_id = $1", checkout_id)


async def let_time_run_out(checkout_id: UUID, *, seconds_ago: float = 1) -> None:
    """As if the 15 minutes of this hold had ended a moment ago."""
    end = "clock_timestamp() - make_interval(secs => $2)"
    await database.execute(
        f"UPDATE reservation SET expires_at = {end} WHERE checkout_id = $1 AND status = 'ACTIVE'",
        checkout_id,
        seconds_ago,
    )
    await database.execute(f"UPDATE checkout SET expires_at = {end} WHERE id = $1", checkout_id, seconds_ago)


async def left(event: Made, name: str = "General") -> int:
    """What a customer is told is available."""
    shelf = (await stock.look([event.id]))[event.id]
    return available_to_customer(shelf.stock, shelf.stock.types[event.types[name]])


async def statuses(checkout_id: UUID) -> list[str]:
    rows = await database.fetch(
        "SELECT status FROM reservation WHERE checkout_id = $1 ORDER BY created_at", checkout_id
    )
    return [row["status"] for row in rows]


NOW = datetime(2026, 12, 1, 20, 0, tzinfo=UTC)


def shelf_event(*types: TypeStock, capacity: int = 30, **values: Any) -> EventStock:
    """An event in memory, for rules that need no database."""
    start = values.pop("start_date", NOW + timedelta(days=10))
    event = EventStock(id=uuid.uuid4(), capacity=capacity, start_date=start, **values)
    event.types = {t.id: t for t in types or (shelf_type(),)}
    return event


def shelf_type(name: str = "General", **values: Any) -> TypeStock:
    return TypeStock(id=uuid.uuid4(), name=name, price=values.pop("price", 2400), **values)


async def let_time_pass(**duration: float) -> None:
    """Everything stored is as if written that much earlier: `let_time_pass(minutes=16)`."""
    async with transaction():
        # Guards would refuse, or stamp the rows with the present: for once the past is really changed.
        await database.execute("SET LOCAL session_replication_role = replica")
        for table, columns in TIMES.items():
            earlier = ", ".join(f"{column} = {column} - $1::interval" for column in columns)
            await database.execute(f"UPDATE {table} SET {earlier}", timedelta(**duration))


TIMES = {
    "reservation": ("expires_at", "created_at", "updated_at"),
    "checkout": ("expires_at", "given_back_at", "created_at", "updated_at"),
    "payment": ("next_check_at", "hold_ended_at", "turn_at", "created_at", "updated_at"),
    "payment_notice": ("run_at", "created_at"),
    "outbox": ("run_at", "created_at"),
    "admin_session": ("second_factor_at", "created_at", "last_seen_at", "ended_at"),
    "admin_link": ("expires_at", "used_at", "created_at"),
    "sign_in_attempt": ("created_at",),
    "refund": ("next_check_at", "created_at", "updated_at"),
    "comparison": ("since", "started_at", "finished_at"),
}
