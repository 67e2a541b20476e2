"""What the page of one order reads beside its lines, tickets and refunds: how it was paid, and what is still open."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.attention import CLOSED_DISPUTE, Subject
from models import database, desk, timeline
from models.desk import Refundable
from models.order_desk import IS_DISPUTED, REFUNDED
from models.timeline import Traces

PAYMENT = f"""
    SELECT o.status, o.total_amount, p.id, p.provider, p.reference, p.method, p.note, p.captured,
           {REFUNDED} AS refunded, {IS_DISPUTED} AS disputed
    FROM orders AS o JOIN payment AS p ON p.id = o.payment_id WHERE o.id = $1
"""

# What asking the provider, or trying once more, could bring further.
OPEN = """
    SELECT 'order' AS subject, o.id::text AS id FROM orders AS o WHERE o.id = $1 AND o.status = 'PAID'
    UNION ALL
    SELECT 'refund', r.id::text FROM refund AS r WHERE r.order_id = $1 AND r.status IN ('REQUESTED', 'PENDING')
    UNION ALL
    SELECT 'dispute', d.id FROM orders AS o JOIN dispute AS d ON d.payment_id = o.payment_id
    WHERE o.id = $1 AND d.status <> ALL($2)
"""


@dataclass(frozen=True, slots=True)
class OrderPage:
    """`unsettled`: what of it has no end yet."""

    found: Refundable
    payment: Any
    unsettled: list[tuple[Subject, str]]
    traces: Traces

    @property
    def order(self) -> Any:
        return self.found.order


async def order_page(order_id: UUID) -> OrderPage | None:
    found = await desk.refundable(order_id)
    if found is None:
        return None
    rows = await database.fetch(OPEN, order_id, list(CLOSED_DISPUTE))
    return OrderPage(
        found,
        await database.fetchrow(PAYMENT, order_id),
        [(Subject(row["subject"]), row["id"]) for row in rows],
        await timeline.traces(order_id),
    )
