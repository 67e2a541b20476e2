"""Orders after they were paid: a name or an address that was mistyped is put right, and the tickets are sent again.

What was bought and what was paid does not change here, nor do the codes of the tickets: only whose name stands on them
and where mail goes. An old address is told nothing: mostly it was mistyped, and belongs to a stranger.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from domain.errors import OrderNotComplete, OrderNotFound, Overtaken, RequestKeyReused
from domain.orders import MAIL_PAUSE, JustSent, NothingToSend, OrderStatus
from models import database
from models.ids import new_id
from services import audit, outbox
from services.audit import Actor
from services.transaction import transaction

BUYER_CORRECTED, HOLDER_CORRECTED, SENT_AGAIN = "buyer corrected", "holder corrected", "tickets sent again"
FIELDS = ("buyer_name", "buyer_email")

LOCK = "SELECT * FROM orders WHERE id = $1 FOR NO KEY UPDATE"

CORRECT = "UPDATE orders SET buyer_name = $2, buyer_email = $3 WHERE id = $1"

RENAME_HOLDERS = """
    UPDATE ticket SET holder_name = $3 WHERE order_id = $1 AND holder_name = $2 RETURNING number
"""

TICKET = "SELECT number, holder_name FROM ticket WHERE order_id = $1 AND id = $2"

ADMITS = "SELECT EXISTS (SELECT 1 FROM ticket WHERE order_id = $1 AND refund_id IS NULL)"

LATELY = """
    SELECT id, request_key, extract(epoch FROM clock_timestamp() - created_at)::float AS ago FROM mail_request
    WHERE order_id = $1 AND (request_key = $2 OR created_at > clock_timestamp() - $3::interval)
    ORDER BY request_key = $2 DESC, created_at DESC LIMIT 1
"""


async def correct_buyer(
    order_id: UUID, fields: Mapping[str, tuple[str, str]], *, holders_too: bool, actor: Actor
) -> None:
    """Set buyer_name and buyer_email: name → (as it was read, as it shall be), checked by the caller. All or none.

    `holders_too`: tickets that carry the old name carry the new one. Raises OrderNotFound, Overtaken.
    """
    async with transaction():
        order = await _lock(order_id)
        changed = {name: to for name, (was, to) in fields.items() if _may_become(order[name], was, to)}
        if not changed:
            return
        became = {name: changed.get(name, order[name]) for name in FIELDS}
        await database.execute(CORRECT, order_id, *became.values())
        before, after = {name: order[name] for name in changed}, dict(changed)
        if holders_too and "buyer_name" in changed:
            renamed = await database.fetch(RENAME_HOLDERS, order_id, order["buyer_name"], changed["buyer_name"])
            after["tickets"] = ", ".join(sorted(row["number"] for row in renamed))
        await audit.write(actor, BUYER_CORRECTED, "order", order_id, before, after)


async def correct_holder(order_id: UUID, ticket_id: UUID, *, was: str, to: str, actor: Actor) -> None:
    """Whose name stands on a ticket; its number and code stay. Raises OrderNotFound, Overtaken."""
    async with transaction():
        await _lock(order_id)
        ticket = await database.fetchrow(TICKET, order_id, ticket_id)
        if ticket is None:
            raise OrderNotFound
        if not _may_become(ticket["holder_name"], was, to):
            return
        await database.execute("UPDATE ticket SET holder_name = $2 WHERE id = $1", ticket_id, to)
        before = {"ticket": ticket["number"], "holder_name": ticket["holder_name"]}
        after = {"ticket": ticket["number"], "holder_name": to}
        await audit.write(actor, HOLDER_CORRECTED, "order", order_id, before, after)


async def send_again(order_id: UUID, *, request_key: str, actor: Actor) -> UUID:
    """Have the confirmation sent once more, to the address that the order has when it goes out. Returns the request.

    The same key is the same mail. Raises OrderNotFound, OrderNotComplete, NothingToSend, RequestKeyReused,
    JustSent.
    """
    async with transaction():
        order = await _lock(order_id)
        if order["status"] != OrderStatus.COMPLETED:
            raise OrderNotComplete  # its first mail comes with the tickets
        if not await database.fetchval(ADMITS, order_id):
            raise NothingToSend
        lately = await database.fetchrow(LATELY, order_id, request_key, MAIL_PAUSE)
        if lately and lately["request_key"] == request_key:
            return lately["id"]
        if lately:
            raise JustSent(max(1.0, MAIL_PAUSE.total_seconds() - lately["ago"]))
        request_id = await _write_request(order_id, request_key)
        await outbox.write("confirmation_again_mail", request_id)
        await audit.write(actor, SENT_AGAIN, "order", order_id, after={"to": order["buyer_email"]})
    return request_id


async def _write_request(order_id: UUID, request_key: str) -> UUID:
    request_id = new_id()
    written = await database.fetchval(
        """INSERT INTO mail_request (id, order_id, request_key) VALUES ($1, $2, $3)
           ON CONFLICT (request_key) DO NOTHING RETURNING id""",
        request_id,
        order_id,
        request_key,
    )
    if written is None:
        raise RequestKeyReused  # it names a mail about another order
    return request_id


async def _lock(order_id: UUID) -> Any:
    order = await database.fetchrow(LOCK, order_id)
    if order is None:
        raise OrderNotFound
    return order


def _may_become(now: str, was: str, to: str) -> bool:
    """Whether there is anything to do. Raises Overtaken when it is no longer what the caller had read."""
    if now == to:
        return False
    if now != was:
        raise Overtaken(now)
    return True
