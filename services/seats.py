"""Seats taken back: a refund failed after its seats went on sale again, so its buyer has paid and needs a seat.

One that is free is taken at once, with the news itself. When none is, the ticket stays invalid, the desk says so, and a
person takes the seat back when one becomes free.
"""

from uuid import UUID

from domain.errors import NoSeatFree, NothingToTakeBack
from domain.refunds import Seat, seats_to_take_back
from models import database, stock
from models.stock import Shelf
from services import audit, live, outbox
from services.audit import Actor
from services.transaction import transaction

TAKEN_BACK = "seats taken back"

EVENT = "SELECT o.event_id FROM refund AS r JOIN orders AS o ON o.id = r.order_id WHERE r.id = $1"

LEFT = """
    SELECT p.captured - (SELECT coalesce(sum(amount), 0)::bigint FROM refund AS other
                          WHERE other.payment_id = p.id AND other.status <> 'FAILED')
    FROM refund AS r JOIN payment AS p ON p.id = r.payment_id WHERE r.id = $1
"""


async def take_back(refund_id: UUID, *, actor: Actor) -> int:
    """Take what is free for the tickets that a failed refund left without a seat. Returns how many admit again.

    Raises NothingToTakeBack, NoSeatFree.
    """
    event_id = await database.fetchval(EVENT, refund_id)
    if event_id is None:
        raise NothingToTakeBack
    async with transaction():
        shelf = await stock.lock(event_id)
        assert shelf is not None
        if not await stock.shut_out(refund_id) or not await database.fetchval(LEFT, refund_id):
            raise NothingToTakeBack
        taken = await take_what_is_free(shelf, refund_id)
        if not taken:
            raise NoSeatFree
        numbers = [seat.number for seat in taken]
        await audit.write(actor, TAKEN_BACK, "refund", refund_id, after={"tickets": len(taken), "numbers": numbers})
        await outbox.write_again("valid_again_mail", refund_id)
    live.announce(event_id)
    return len(taken)


async def take_what_is_free(shelf: Shelf, refund_id: UUID) -> list[Seat]:
    """Inside the running transaction, which holds the event's lock. A hold past its time is in nobody's way."""
    wanted = await stock.shut_out(refund_id)
    if not wanted:
        return []
    shelf.stock.give_back(await stock.release_overdue(shelf.stock.id, shelf.now))
    taken = seats_to_take_back(shelf.stock, wanted, left=await database.fetchval(LEFT, refund_id))
    await stock.take_seats_back(shelf.stock.id, taken)
    return taken
