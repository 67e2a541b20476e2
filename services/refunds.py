"""Refunds: money goes back exactly once, its tickets admit nobody, and a seat is sold again only if somebody says so.

Ours is written first, with everything it does to the tickets; the provider is told later, from the outbox. The row's
id travels as metadata and is looked for before anything is made, so a crash, a lost answer or a second worker pays
nobody twice. What was given back in the provider's dashboard is found by the same look.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from domain.errors import NothingToRefund, OrderNotComplete, OrderNotFound, RequestKeyReused
from domain.orders import OrderStatus
from domain.payments import Provider
from domain.refunds import (
    NEXT,
    PaidTicket,
    RefundPlan,
    RefundReason,
    RefundStatus,
    RefundWish,
    Seat,
    is_same_wish,
    plan,
)
from models import database, stock
from models.ids import new_id
from services import audit, lanes, live, outbox, seats, settlement, tickets
from services.audit import Actor
from services.gateway import OutcomeUnknown, ProviderRefund, RequestRefused, current
from services.transaction import transaction

NEVER_MORE_THAN_TAKEN = "refund_never_more_than_taken"
GIVEN_BACK_ELSEWHERE = "given_back_elsewhere"
# What the provider will never do, however often it is asked: the bank has the money, or wants to hear no more of it.
NEVER = frozenset({"charge_disputed", "charge_not_refundable", "refund_disputed_payment"})
log = structlog.get_logger()

ORDER = "SELECT id, event_id, payment_id, payment_provider, number, currency FROM orders WHERE id = $1"

# Under the lock: it may have been completed while we waited for it.
STATUS = "SELECT status FROM orders WHERE id = $1"

MONEY = """
    SELECT p.captured, (SELECT coalesce(sum(amount), 0)::bigint FROM refund AS r
                         WHERE r.payment_id = p.id AND r.status <> 'FAILED') AS gone_back
    FROM payment AS p WHERE p.id = $1
"""

LOCK_PAYMENT = "SELECT id FROM payment WHERE id = $1 FOR UPDATE"

KNOWN = """
    SELECT id, order_id, amount, status,
           ARRAY(SELECT k.id FROM ticket AS k WHERE k.refund_id = refund.id) AS tickets,
           EXISTS (SELECT 1 FROM ticket AS k WHERE k.order_id = refund.order_id AND k.refund_id IS NULL)
           AS some_still_admit
    FROM refund WHERE request_key = $1
"""

VALID_TICKETS = """
    SELECT k.id, i.unit_price FROM ticket AS k JOIN order_item AS i ON i.id = k.order_item_id
    WHERE k.order_id = $1 AND k.refund_id IS NULL ORDER BY k.position
"""

WRITE = """
    INSERT INTO refund (id, payment_id, order_id, request_key, amount, currency, reason, note, seats_return, status,
                        by_hand)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""

WRITE_FOUND = """
    INSERT INTO refund (id, payment_id, order_id, amount, currency, reason, status, reference, last_error,
                        next_check_at)
    VALUES ($1, $2, $3, $4, $5, 'OUTSIDE', $6, $7, $8, clock_timestamp() + interval '1 hour')
"""

INVALIDATE = "UPDATE ticket SET refund_id = $1, swept = id = ANY($3) WHERE id = ANY($2) AND refund_id IS NULL"

# The money stayed with us, so the ticket is good again; one whose seat went back on sale needs another seat first. What
# went only with the last of the money comes back too, whichever refund it went with.
REINSTATE = """
    UPDATE ticket SET refund_id = NULL, swept = false
    WHERE NOT returned AND (refund_id = $1 OR (swept AND order_id = (SELECT order_id FROM refund WHERE id = $1)))
"""

FIND = """
    SELECT r.*, p.reference AS intent, p.captured, o.event_id FROM refund AS r JOIN payment AS p ON p.id = r.payment_id
    LEFT JOIN orders AS o ON o.id = r.order_id WHERE r.id = $1
"""

EVENT = "SELECT o.event_id FROM refund AS r JOIN orders AS o ON o.id = r.order_id WHERE r.id = $1"

# By its reference, else by our mark. One that was given up, or made under another reference, is not this one.
OURS = """
    SELECT id FROM refund WHERE payment_id = $1
        AND (reference = $3 OR (id = $2 AND reference IS NULL AND status = 'REQUESTED'
                                AND (amount, currency) = ($4, $5)))
"""

MOVE = """
    UPDATE refund SET status = $2, reference = coalesce(reference, $3), last_error = $4, attempts = 0,
        next_check_at = clock_timestamp() + interval '1 hour' WHERE id = $1
"""

# After a definite 5xx the same key would be answered with the same 5xx; what it may have done is looked for first.
# Whoever heard the same answer goes on to the same new key.
NEXT_ATTEMPT = "UPDATE refund SET attempts = $2 + 1, last_error = $3 WHERE id = $1 AND attempts = $2"

PAYMENT_BEHIND = """
    SELECT p.id, p.captured, c.event_id, o.id AS order_id FROM payment AS p JOIN checkout AS c ON c.id = p.checkout_id
    LEFT JOIN orders AS o ON o.payment_id = p.id WHERE p.reference = $1 AND p.provider = 'stripe'
"""

# Unless a bank has refused: then a person must find another way.
REST = """
    SELECT p.captured - coalesce(sum(r.amount) FILTER (WHERE r.status <> 'FAILED'), 0)::bigint AS amount, p.currency
    FROM payment AS p JOIN refund AS r ON r.payment_id = p.id WHERE p.id = $1 AND p.status = 'REFUNDED'
    GROUP BY p.id
    HAVING p.captured > coalesce(sum(r.amount) FILTER (WHERE r.status <> 'FAILED'), 0)
       AND NOT coalesce(bool_or(r.status = 'FAILED' AND r.last_error IS DISTINCT FROM 'given_back_elsewhere'), false)
"""

CLAIM_PENDING = """
    UPDATE refund SET attempts = attempts + 1,
        next_check_at = clock_timestamp() + make_interval(hours => least(24, power(2, least(attempts, 5))::int))
    WHERE id = (
        SELECT id FROM refund WHERE status = 'PENDING' AND next_check_at <= clock_timestamp()
        ORDER BY next_check_at LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING (SELECT reference FROM payment AS p WHERE p.id = payment_id) AS intent
"""


async def request(
    order_id: UUID,
    wish: RefundWish,
    *,
    reason: RefundReason,
    note: str,
    seats_return: bool,
    request_key: str,
    actor: Actor,
) -> UUID:
    """Write a refund and make its tickets invalid, now; the money follows from the outbox. Returns the refund.

    The same `request_key` gives the same refund: a form pressed twice pays once. `seats_return`: the seats go back on
    sale when the provider has agreed. Raises OrderNotFound, OrderNotComplete, NothingToRefund, RefundTooLarge,
    TicketsNotRefundable, RequestKeyReused.
    """
    order = await database.fetchrow(ORDER, order_id)
    if order is None:
        raise OrderNotFound
    async with transaction():
        await stock.lock(order["event_id"])
        await database.execute(LOCK_PAYMENT, order["payment_id"])
        known = await _known(request_key, order_id, wish)
        if known:
            return known
        decided = await _plan(order, wish)
        refund_id = new_id()
        await _write(refund_id, order, decided, reason, note, seats_return, request_key)
        await audit.write(
            actor,
            "refund requested",
            "order",
            order_id,
            after={
                "refund": refund_id,
                "amount": decided.amount,
                "currency": order["currency"],
                "tickets": len(decided.tickets),
                "reason": reason,
                "seats return": seats_return,
            },
        )
    if seats_return and _is_done_at_once(order, decided):
        live.announce(order["event_id"])
    return refund_id


async def run(refund_id: UUID) -> None:
    """Have the provider give the money back, once. Harmless when done twice or at once. Raises OutcomeUnknown."""
    refund = await database.fetchrow(FIND, refund_id)
    if refund is None:
        return
    if refund["status"] == RefundStatus.REQUESTED:
        try:
            made = await _look_for(refund) or await _make(refund)
        except RequestRefused as refusal:
            if refusal.code not in NEVER:
                raise
            await _move(refund_id, RefundStatus.FAILED, problem=refusal.code)
            return
        if made:
            await _record(refund_id, made)
            return
        await _move(refund_id, RefundStatus.FAILED, problem=GIVEN_BACK_ELSEWHERE)
    elif refund["last_error"] != GIVEN_BACK_ELSEWHERE:
        return
    await sync(refund["intent"])  # also for whoever died before it: what took the place of ours is not known yet


async def sync(intent: str) -> None:
    """Take over what the provider knows about refunds of an intent, whoever made them. Raises OutcomeUnknown."""
    if await database.fetchrow(PAYMENT_BEHIND, intent) is None:
        return
    await settlement.settle(intent)  # nothing can go back of money that we have not heard was taken
    payment = await database.fetchrow(PAYMENT_BEHIND, intent)
    if payment is None or not payment["captured"]:
        return
    if payment["order_id"]:
        await tickets.issue(payment["order_id"])  # what has no tickets yet could not lose them
    # What failed makes room for what was made instead.
    for theirs in sorted(await current().refunds_of(intent), key=lambda found: found.status != RefundStatus.FAILED):
        ours = await _find_ours(payment, theirs)
        if ours:
            await _record(ours, theirs)
        else:
            await _take_over(payment, theirs)
    if not payment["order_id"]:
        await _send_the_rest(payment)


async def sync_pending(in_lanes: int = lanes.LANES) -> int:
    """Ask again about refunds that the bank takes its time over. Returns how many were asked about."""
    return await lanes.work_off(_ask_about_pending, lanes=in_lanes)


async def _ask_about_pending() -> bool | None:
    row = await database.fetchrow(CLAIM_PENDING)
    if row is None:
        return None
    try:
        await lanes.do(sync(row["intent"]))
    except Exception as error:
        log.warning("refund unanswered; will ask again", intent=row["intent"], error=repr(error))
    return True


async def call_off(refund_id: UUID, *, problem: str) -> None:
    """What made its tickets invalid is no longer so: they are valid again, as when a refund fails."""
    await _move(refund_id, RefundStatus.FAILED, problem=problem)


async def return_seats(refund_id: UUID, *, actor: Actor) -> int:
    """Put the seats of refunded tickets back on sale. Returns how many came back now.

    Raises NothingToRefund when there is no such refund, or its money is still with us.
    """
    refund = await database.fetchrow(FIND, refund_id)
    if refund is None or refund["event_id"] is None:
        raise NothingToRefund
    async with transaction():
        await stock.lock(refund["event_id"])
        status = await database.fetchval("SELECT status FROM refund WHERE id = $1 FOR UPDATE", refund_id)
        if status not in (RefundStatus.PENDING, RefundStatus.SUCCEEDED):
            raise NothingToRefund
        count = sum((await stock.return_seats(refund["event_id"], refund_id)).values())
        if count:
            await audit.write(actor, "seats returned to sale", "refund", refund_id, after={"tickets": count})
    if count:
        live.announce(refund["event_id"])
    return count


async def _known(request_key: str, order_id: UUID, wish: RefundWish) -> UUID | None:
    """The refund that this key has made. Raises RequestKeyReused when it was made for another wish."""
    known = await database.fetchrow(KNOWN, request_key)
    if known is None:
        return None
    same = is_same_wish(
        wish, amount=known["amount"], tickets=known["tickets"], some_still_admit=known["some_still_admit"]
    )
    if known["order_id"] != order_id or not (same or known["status"] == RefundStatus.FAILED):
        raise RequestKeyReused
    return known["id"]


async def _plan(order: Any, wish: RefundWish) -> RefundPlan:
    if await database.fetchval(STATUS, order["id"]) != OrderStatus.COMPLETED:
        raise OrderNotComplete
    money = await database.fetchrow(MONEY, order["payment_id"])
    assert money is not None
    valid = [PaidTicket(row["id"], row["unit_price"]) for row in await database.fetch(VALID_TICKETS, order["id"])]
    return plan(wish, taken=money["captured"], gone_back=money["gone_back"], valid=valid)


async def _write(
    refund_id: UUID,
    order: Any,
    decided: RefundPlan,
    reason: RefundReason,
    note: str,
    seats_return: bool,
    request_key: str,
) -> None:
    done = _is_done_at_once(order, decided)
    await database.execute(
        WRITE,
        refund_id,
        order["payment_id"],
        order["id"],
        request_key,
        decided.amount,
        order["currency"],
        reason,
        note,
        seats_return,
        RefundStatus.SUCCEEDED if done else RefundStatus.REQUESTED,
        done and bool(decided.amount),
    )
    await database.execute(INVALIDATE, refund_id, list(decided.tickets), list(decided.swept))
    if not done:
        await outbox.write("refund", refund_id)
        return
    await outbox.write("refund_mail", refund_id)
    if seats_return:
        await stock.return_seats(order["event_id"], refund_id)


def _is_done_at_once(order: Any, decided: RefundPlan) -> bool:
    """Nothing to give back; or what was taken by hand, which whoever writes this down gives back by hand."""
    return not decided.amount or order["payment_provider"] == Provider.MANUAL


async def _look_for(refund: Any) -> ProviderRefund | None:
    """Ours among the provider's, if it was made before."""
    return _ours(refund, await current().refunds_of(refund["intent"]))


async def _make(refund: Any) -> ProviderRefund | None:
    """The provider's new refund; None when there is definitely nothing left for it to give back."""
    try:
        return await current().refund(
            refund_id=refund["id"],
            attempt=refund["attempts"],
            reference=refund["intent"],
            amount=refund["amount"],
            currency=refund["currency"],
            reason=RefundReason(refund["reason"]),
        )
    except RequestRefused as refusal:
        theirs = await current().refunds_of(refund["intent"])
        if made := _ours(refund, theirs):
            return made  # it was ours that left nothing for another
        if refund["amount"] > refund["captured"] - sum(r.amount for r in theirs if r.status != RefundStatus.FAILED):
            return None
        await _try_with_new_key(refund, refusal.code or str(refusal))
        raise
    except OutcomeUnknown as error:
        if error.answered:
            await _try_with_new_key(refund, str(error))
        raise


async def _try_with_new_key(refund: Any, problem: str) -> None:
    await database.execute(NEXT_ATTEMPT, refund["id"], refund["attempts"], problem[:200])


def _ours(refund: Any, theirs: Iterable[ProviderRefund]) -> ProviderRefund | None:
    """Our mark alone could have been written by anybody in the dashboard."""
    mark = (refund["id"], refund["amount"], refund["currency"])
    return next((found for found in theirs if (found.refund_id, found.amount, found.currency) == mark), None)


async def _find_ours(payment: Any, theirs: ProviderRefund) -> UUID | None:
    return await database.fetchval(
        OURS, payment["id"], theirs.refund_id, theirs.reference, theirs.amount, theirs.currency
    )


async def _record(refund_id: UUID, theirs: ProviderRefund) -> None:
    """What the provider says of a refund that we know."""
    await _move(refund_id, theirs.status, reference=theirs.reference, problem=theirs.problem)


async def _move(
    refund_id: UUID, status: RefundStatus, *, reference: str | None = None, problem: str | None = None
) -> None:
    """It only ever moves forward, under the event's lock, with what that means for its tickets and seats."""
    event_id = await database.fetchval(EVENT, refund_id)
    came_back: dict[UUID, int] = {}
    taken: list[Seat] = []
    async with transaction():
        shelf = await stock.lock(event_id) if event_id else None
        refund = await database.fetchrow("SELECT * FROM refund WHERE id = $1 FOR UPDATE", refund_id)
        assert refund is not None
        before = RefundStatus(refund["status"])
        if status not in NEXT.get(before, ()):
            return
        await database.execute(MOVE, refund_id, status, reference, problem)
        if reference:
            await outbox.strike("refund", refund_id)
        if status == RefundStatus.FAILED:
            await database.execute(REINSTATE, refund_id)
            taken = await seats.take_what_is_free(shelf, refund_id) if shelf else []
            if before != RefundStatus.REQUESTED:
                await outbox.write("refund_failed_mail", refund_id)
        elif before == RefundStatus.REQUESTED:
            await outbox.write("refund_mail", refund_id)
            if refund["seats_return"] and event_id:
                came_back = await stock.return_seats(event_id, refund_id)
        await audit.write(
            audit.SYSTEM,
            f"refund {status.lower()}",
            "refund",
            refund_id,
            before={"status": before},
            after={
                "status": status,
                "problem": problem,
                "seats returned": sum(came_back.values()),
                "seats taken back": [seat.number for seat in taken],
            },
        )
    if event_id and (came_back or taken):
        live.announce(event_id)


async def _take_over(payment: Any, theirs: ProviderRefund) -> None:
    """A refund that was made in the provider's dashboard. After the last of the money no ticket admits any more."""
    refund_id = new_id()
    try:
        async with transaction():
            await stock.lock(payment["event_id"])
            await database.execute(LOCK_PAYMENT, payment["id"])
            if await _find_ours(payment, theirs):
                return  # another worker was first
            await database.execute(
                WRITE_FOUND,
                refund_id,
                payment["id"],
                payment["order_id"],
                theirs.amount,
                theirs.currency,
                theirs.status,
                theirs.reference,
                theirs.problem,
            )
            if theirs.status != RefundStatus.FAILED:
                await _invalidate_after_the_last(payment, refund_id)
                await outbox.write("refund_mail", refund_id)
            await audit.write(audit.SYSTEM, "refund found", "refund", refund_id, after={"reference": theirs.reference})
    except asyncpg.CheckViolationError as refusal:
        if refusal.constraint_name != NEVER_MORE_THAN_TAKEN:
            raise
        # One of ours, not yet with the provider, stands for the same money: it will be refused there, and looks again.
        log.warning("a refund made elsewhere has to wait for ours", reference=theirs.reference)


async def _send_the_rest(payment: Any) -> None:
    """Money that became no order goes back in full, also when somebody gave back a part in the dashboard."""
    async with transaction():
        await stock.lock(payment["event_id"])
        rest = await database.fetchrow(REST, payment["id"])
        if rest is None:
            return
        refund_id = new_id()
        await settlement.write_refund(refund_id, payment["id"], rest["amount"], rest["currency"])


async def _invalidate_after_the_last(payment: Any, refund_id: UUID) -> None:
    money = await database.fetchrow(MONEY, payment["id"])
    assert money is not None
    if payment["order_id"] and money["gone_back"] == money["captured"]:
        valid = await database.fetch(VALID_TICKETS, payment["order_id"])
        swept = [row["id"] for row in valid if row["unit_price"]]
        await database.execute(INVALIDATE, refund_id, swept, swept)
