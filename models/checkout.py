"""Checkout (one buyer's visit to the till) and the reservations it groups."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID as UUIDType

from piccolo.columns import UUID, ForeignKey, Integer, Text, Timestamptz
from piccolo.columns.base import OnDelete
from piccolo.table import Table

from domain.reservations import HoldState, hold_state
from models import database
from models.event import Event, TicketType
from models.ids import new_id

VISIT = """
    SELECT c.*, clock.now, o.id AS order_id, p.status AS payment_status, p.last_error AS payment_problem,
           p.provider AS payment_provider, p.hold_ended_at IS NOT NULL AS payment_was_agreed
    FROM checkout AS c
    CROSS JOIN (SELECT clock_timestamp() AS now) AS clock
    LEFT JOIN orders AS o ON o.checkout_id = c.id
    LEFT JOIN LATERAL (
        SELECT * FROM payment WHERE checkout_id = c.id
        ORDER BY status IN ('VOIDED', 'REFUNDED'), created_at DESC LIMIT 1
    ) AS p ON true
    WHERE c.id = $1
"""

# Money that was taken where nothing could be given for it, whatever else was tried before or after.
MONEY_BACK = """
    SELECT sum(p.captured)::bigint AS amount, min(p.currency) AS currency, max(p.reference) AS reference,
           coalesce(sum(r.gone), 0) < sum(p.captured) AS failed, coalesce(sum(r.arrived), 0) >= sum(p.captured) AS sent
    FROM payment AS p CROSS JOIN LATERAL (
        SELECT sum(amount) FILTER (WHERE status <> 'FAILED') AS gone,
               sum(amount) FILTER (WHERE status = 'SUCCEEDED') AS arrived
        FROM refund WHERE payment_id = p.id
    ) AS r
    WHERE p.checkout_id = $1 AND p.status = 'REFUNDED' HAVING count(*) > 0
"""

# What was chosen, in order of display, whatever has become of it; a replaced hold is shown once.
LINES = """
    SELECT r.ticket_type_id, r.quantity, r.unit_price, r.quantity::bigint * r.unit_price AS line_total, r.status, t.name
    FROM reservation AS r JOIN ticket_type AS t ON t.id = r.ticket_type_id
    WHERE r.checkout_id = $1 AND NOT EXISTS (SELECT 1 FROM reservation AS n WHERE n.replaces = r.id)
    ORDER BY t.position, t.id
"""


class Checkout(Table, tablename="checkout"):
    id = UUID(primary_key=True, default=new_id)
    event_id = ForeignKey(Event, default=None, on_delete=OnDelete.restrict, null=False)
    request_key = Text(default=None)
    buyer_name = Text(default="")
    buyer_email = Text(default="")
    expires_at = Timestamptz(default=None)
    given_back_at = Timestamptz(default=None, null=True)
    created_at = Timestamptz()
    updated_at = Timestamptz()


class Reservation(Table, tablename="reservation"):
    id = UUID(primary_key=True, default=new_id)
    checkout_id = ForeignKey(Checkout, default=None, on_delete=OnDelete.restrict, null=False)
    event_id = ForeignKey(Event, default=None, on_delete=OnDelete.restrict, null=False)
    ticket_type_id = ForeignKey(TicketType, default=None, on_delete=OnDelete.restrict, null=False)
    quantity = Integer(default=None)
    unit_price = Integer(default=None)
    status = Text(default="ACTIVE")
    expires_at = Timestamptz(default=None)
    replaces: Any = ForeignKey("self", default=None, null=True, on_delete=OnDelete.restrict)
    created_at = Timestamptz()
    updated_at = Timestamptz()


@dataclass(frozen=True, slots=True)
class Visit:
    """A checkout with all that its page shows. Times are the database's."""

    checkout: Any
    event: Any
    lines: list[Any]
    state: HoldState
    now: datetime

    @property
    def seconds_left(self) -> float:
        return max(0.0, (self.checkout["expires_at"] - self.now).total_seconds())

    @property
    def quantity(self) -> int:
        return sum(line["quantity"] for line in self.lines)

    @property
    def amount(self) -> int:
        return sum(line["line_total"] for line in self.lines)


async def money_back(checkout_id: UUIDType) -> Any | None:
    """What was taken for this checkout and goes back in full: amount, currency, reference, sent, failed."""
    return await database.fetchrow(MONEY_BACK, checkout_id)


async def visit(checkout_id: UUIDType) -> Visit | None:
    checkout = await database.fetchrow(VISIT, checkout_id)
    if checkout is None:
        return None
    lines = list(await database.fetch(LINES, checkout_id))
    state = hold_state(
        paid=checkout["order_id"] is not None,
        payment_status=checkout["payment_status"],
        given_back=checkout["given_back_at"] is not None,
        holding=all(line["status"] == "ACTIVE" for line in lines),
        expires_at=checkout["expires_at"],
        now=checkout["now"],
    )
    event = await database.fetchrow("SELECT * FROM event WHERE id = $1", checkout["event_id"])
    return Visit(checkout, event, lines, state, checkout["now"])
