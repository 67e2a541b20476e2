"""Settlement: from authorised money to an order, exactly once, or to nobody being charged.

Authorise → pin the hold → capture → finalise (order PAID) → issue tickets (COMPLETED). Money is taken only after the
seats are nailed down, and an order exists only after the money was taken. `settle` asks the provider how the intent
stands and moves our side; webhook, browser, sweeper and reconciler all only call it, so notices that are late,
doubled, reordered or lost do no harm.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

import structlog

from domain import inventory
from domain.errors import Refusal
from domain.orders import new_number
from domain.payments import AT_REST, Authorisation, OurProblem, PaymentStatus, Verdict, verdict
from domain.refunds import RefundReason
from domain.reservations import PIN, ReservationStatus, is_live
from models import database, stock
from models.ids import new_id
from models.stock import NewReservation, Shelf
from services import live, outbox, tickets
from services.gateway import AuthorisationGone, Intent, IntentStatus, current
from services.transaction import transaction

MAX_STEPS = 6
log = structlog.get_logger()

FIND = """
    SELECT p.id, c.event_id FROM payment AS p JOIN checkout AS c ON c.id = p.checkout_id
    WHERE p.reference = $1 OR (p.id = $2 AND p.reference IS NULL)
"""

STATUS = "SELECT status FROM payment WHERE reference = $1"

LOCK_PAYMENT = """
    SELECT p.*, c.event_id, c.given_back_at, c.buyer_name, c.buyer_email, c.expires_at AS hold_expires_at
    FROM payment AS p JOIN checkout AS c ON c.id = p.checkout_id WHERE p.id = $1 FOR UPDATE OF p
"""

# The lines of the purchase as they stand: a replaced reservation has had its say.
LINES = """
    SELECT r.id, r.ticket_type_id, r.quantity, r.unit_price, r.status, r.expires_at FROM reservation AS r
    WHERE r.checkout_id = $1 AND NOT EXISTS (SELECT 1 FROM reservation AS n WHERE n.replaces = r.id)
"""

PIN_HOLDS = "UPDATE reservation SET expires_at = $2 WHERE checkout_id = $1 AND status = 'ACTIVE'"

# The bank has agreed: from then on this is when the hold ends, or has ended.
HOLD_ENDED_AT = "UPDATE payment SET hold_ended_at = $2 WHERE id = $1"

WRITE_ORDER = """
    INSERT INTO orders (id, number, event_id, checkout_id, payment_id, total_quantity, total_amount, currency,
                        payment_provider, payment_reference, buyer_name, buyer_email)
    SELECT $1, $2, c.event_id, c.id, p.id, $4, p.amount, p.currency, p.provider, p.reference,
           c.buyer_name, c.buyer_email
    FROM payment AS p JOIN checkout AS c ON c.id = p.checkout_id WHERE p.id = $3
"""

WRITE_REFUND = """
    INSERT INTO refund (id, payment_id, amount, currency, reason) VALUES ($1, $2, $3, $4, $5)
"""

WRITE_ITEMS = """
    INSERT INTO order_item (id, order_id, ticket_type_id, quantity, unit_price, line_total)
    SELECT gen_random_uuid(), $1, ticket_type_id, quantity, unit_price, quantity::bigint * unit_price
    FROM reservation WHERE checkout_id = $2 AND status = 'CONSUMED'
"""


class Step(StrEnum):
    """What the provider must be asked to do next."""

    CAPTURE = "CAPTURE"
    CANCEL = "CANCEL"
    LOOK_AGAIN = "LOOK_AGAIN"
    NONE = "NONE"


@dataclass(slots=True)
class Case:
    """One payment under the event's lock."""

    payment: Any
    lines: list[Any]
    shelf: Shelf

    @property
    def wish(self) -> dict[UUID, int]:
        return {line["ticket_type_id"]: line["quantity"] for line in self.lines}


async def settle(reference: str, *, known: Intent | None = None) -> None:
    """Bring one payment as far as it can go. Safe to call any number of times, at once. Raises OutcomeUnknown.

    `known`: what the provider has just answered, so that it need not be asked again.
    """
    if await database.fetchval(STATUS, reference) in AT_REST:
        return
    intent = known or await current().retrieve(reference)
    for _ in range(MAX_STEPS):
        step, order_id, event_id = await _advance(intent)
        if event_id:
            live.announce(event_id)
        if order_id:
            await tickets.issue(order_id)
        if step == Step.NONE:
            return
        if step == Step.CAPTURE:
            intent = await _capture(reference)
        elif step == Step.CANCEL:
            intent = await current().cancel(reference)
    log.error("payment does not come to rest", reference=reference)


async def let_go(reference: str) -> None:
    """Cancel an intent unless it has been paid, and settle whatever it is then. Raises OutcomeUnknown."""
    intent = await current().retrieve(reference)
    if intent.status == IntentStatus.AWAITING_BUYER:
        intent = await current().cancel(reference)
    await settle(reference, known=intent)


async def settle_free(payment_id: UUID) -> None:
    """A purchase that costs nothing takes the same way, without a provider."""
    event_id = await _payment_event(payment_id)
    async with transaction():
        order_id = await settle_without_provider(event_id, payment_id)
    if order_id:
        live.announce(event_id)
        await tickets.issue(order_id)


async def settle_without_provider(event_id: UUID, payment_id: UUID) -> UUID | None:
    """Inside the running transaction: a payment that no provider knows, while its hold lives, becomes an order.

    None when the hold has ended: nobody was charged by us.
    """
    case = await _open_case(event_id, payment_id)
    if case is None or case.payment["status"] != PaymentStatus.CREATING:
        return None
    await _set_status(payment_id, PaymentStatus.OPEN, reference=str(payment_id))
    if not _hold_lives(case):
        await _set_status(payment_id, PaymentStatus.VOIDED)
        return None
    await _set_status(payment_id, PaymentStatus.CAPTURING)
    return await _finalise(case)


async def _capture(reference: str) -> Intent:
    """Take the money. When its time is over, the seats are not kept for it any longer, and the intent is let go."""
    try:
        return await current().capture(reference)
    except AuthorisationGone as gone:
        found = await database.fetchrow(FIND, reference, None)
        assert found is not None
        async with transaction():
            case = await _open_case(found["event_id"], found["id"])
            if case and case.payment["status"] == PaymentStatus.CAPTURING:
                await _give_up(case, gone.code)
        return await current().cancel(reference)


async def _advance(intent: Intent) -> tuple[Step, UUID | None, UUID | None]:
    """One transaction: what the intent says meets what we know. Returns the next step, a new order, a changed event."""
    found = await database.fetchrow(FIND, intent.reference, intent.payment_id)
    if found is None:
        return Step.NONE, None, None  # not ours: another system may share the account
    async with transaction():
        case = await _open_case(found["event_id"], found["id"])
        if case is None:
            return Step.NONE, None, None
        if case.payment["status"] == PaymentStatus.CREATING:
            await _set_status(found["id"], PaymentStatus.OPEN, reference=intent.reference)
            case.payment = await database.fetchrow(LOCK_PAYMENT, found["id"])
        return await _move(case, intent)


async def _move(case: Case, intent: Intent) -> tuple[Step, UUID | None, UUID | None]:
    status, event_id = PaymentStatus(case.payment["status"]), case.payment["event_id"]
    if intent.status == IntentStatus.CANCELLED:
        return Step.NONE, None, event_id if await _void(case, status, was_agreed=intent.was_agreed) else None
    if intent.status == IntentStatus.AWAITING_BUYER:
        if status not in (PaymentStatus.CAPTURING, PaymentStatus.VOIDING) or not _is_no_old_answer(case):
            await _remember_problem(case, intent)
            return Step.NONE, None, None
        if status == PaymentStatus.CAPTURING:
            await _give_up(case, intent.problem)
        return Step.CANCEL, None, event_id
    if status == PaymentStatus.OPEN:
        return await _decide(case, intent), None, event_id
    if status in (PaymentStatus.CAPTURED, PaymentStatus.REFUNDED):
        return Step.NONE, None, None  # an older answer, overtaken by somebody quicker
    if intent.status == IntentStatus.AUTHORISED:
        return await _capture_or_cancel(case, status), None, event_id
    if status == PaymentStatus.CAPTURING and intent.amount == case.payment["amount"] and await _seats_are_kept(case):
        return Step.NONE, await _finalise(case), event_id
    # Taken by hand, in the provider's dashboard, after we had let it go or only in part.
    await _send_back(case, intent)
    return Step.NONE, None, event_id


async def _decide(case: Case, intent: Intent) -> Step:
    """Money that wants seats: pin the hold, take the seats again if they still fit, or let the money go."""
    payment = case.payment
    lives = _hold_lives(case)
    if not lives:
        released = await stock.release_overdue(payment["event_id"], case.shelf.now)
        case.shelf.stock.give_back(released)
    granted = Authorisation(intent.amount, intent.currency)
    asked = Authorisation(payment["amount"], payment["currency"])
    ruling = verdict(granted, asked=asked, hold_lives=lives, still_fits=not lives and _still_fits(case))
    if ruling == Verdict.LET_GO and intent.status == IntentStatus.CAPTURED:
        await _send_back(case, intent)
        return Step.NONE
    if ruling == Verdict.LET_GO:
        await _note(case, OurProblem.LATE if granted == asked else OurProblem.AMOUNT_DIFFERS)
        await _set_status(payment["id"], PaymentStatus.VOIDING)
        return Step.CANCEL
    await _pin(case, again=ruling == Verdict.REBOOK)
    return Step.CAPTURE if intent.status == IntentStatus.AUTHORISED else Step.LOOK_AGAIN


async def _capture_or_cancel(case: Case, status: PaymentStatus) -> Step:
    """Money is only ever taken for seats that are nailed down, also when the pin ran out before it was."""
    if status == PaymentStatus.CAPTURING and await _seats_are_kept(case):
        return Step.CAPTURE
    if status == PaymentStatus.CAPTURING:
        await _note(case, OurProblem.LATE)
        await _set_status(case.payment["id"], PaymentStatus.VOIDING)
    return Step.CANCEL


async def _seats_are_kept(case: Case) -> bool:
    """Pinned; or taken again, when the pin ran out while everything stood still."""
    if all(line["status"] == ReservationStatus.ACTIVE for line in case.lines):
        return True
    event_id, now = case.payment["event_id"], case.shelf.now
    case.shelf.stock.give_back(await stock.release_overdue(event_id, now))
    if not _still_fits(case):
        return False
    await stock.write_reservations(event_id, now + PIN, _replacements(case))
    return True


async def _pin(case: Case, *, again: bool) -> None:
    payment, now = case.payment, case.shelf.now
    if again:
        await stock.write_reservations(payment["event_id"], now + PIN, _replacements(case))
    else:
        await database.execute(PIN_HOLDS, payment["checkout_id"], now + PIN)
    ended_at = now if again else payment["hold_expires_at"]
    await database.execute(HOLD_ENDED_AT, payment["id"], ended_at)
    await _set_status(payment["id"], PaymentStatus.CAPTURING)


async def _finalise(case: Case) -> UUID:
    """The money is ours: reservations CONSUMED, the order PAID, its completion noted. All of it or nothing."""
    payment = case.payment
    sold = await stock.consume_holds(payment["event_id"], payment["checkout_id"])
    order_id = new_id()
    await database.execute(WRITE_ORDER, order_id, new_number(), payment["id"], sum(sold.values()))
    await database.execute(WRITE_ITEMS, order_id, payment["checkout_id"])
    await _set_status(payment["id"], PaymentStatus.CAPTURED, captured=payment["amount"])
    await outbox.write("complete", order_id)
    return order_id


async def _void(case: Case, status: PaymentStatus, *, was_agreed: bool) -> bool:
    """The intent is dead: nobody was charged. A pinned hold gets its old end back.

    Whoever has seen the bank agree is told by mail, once the hold cannot be paid for any more.
    """
    if status in AT_REST:
        return False
    if status == PaymentStatus.CAPTURING:
        await _unpin(case)
    if status == PaymentStatus.OPEN and was_agreed:
        await _write_down_agreement(case)
    if was_agreed or status in (PaymentStatus.CAPTURING, PaymentStatus.VOIDING):
        await outbox.write("not_charged_mail", case.payment["id"], not_before=case.payment["hold_ended_at"])
    await _set_status(case.payment["id"], PaymentStatus.VOIDED)
    return True


async def _write_down_agreement(case: Case) -> None:
    """The bank had agreed just before the intent was cancelled: by us at the end of the hold, or by hand within it."""
    if not _hold_lives(case):
        await _note(case, OurProblem.LATE)
        return
    await database.execute(HOLD_ENDED_AT, case.payment["id"], case.payment["hold_expires_at"])
    case.payment = await database.fetchrow(LOCK_PAYMENT, case.payment["id"])


async def _give_up(case: Case, problem: str | None) -> None:
    """Nobody can be charged any more: the hold gets its old end back."""
    await _unpin(case)
    await _note(case, problem)
    await _set_status(case.payment["id"], PaymentStatus.VOIDING)


def _is_no_old_answer(case: Case) -> bool:
    """Asked after the bank had agreed: this is the second question since, and no answer is under way for that long."""
    return case.payment["attempts"] > 1


async def _send_back(case: Case, intent: Intent) -> None:
    """Money was taken, and nothing can be given for it: all of it goes back, noted with the fact itself."""
    payment = case.payment
    if payment["status"] == PaymentStatus.CAPTURING:
        await _unpin(case)
    await _note(case, OurProblem.CAPTURED_BY_HAND)
    await _set_status(payment["id"], PaymentStatus.REFUNDED, reference=intent.reference, captured=intent.amount)
    await write_refund(new_id(), payment["id"], intent.amount, intent.currency)
    log.warning("captured by hand, without seats: sent back", payment_id=str(payment["id"]), amount=intent.amount)


async def write_refund(refund_id: UUID, payment_id: UUID, amount: int, currency: str) -> None:
    """Inside the running transaction: what could not be placed is on its way back."""
    await database.execute(WRITE_REFUND, refund_id, payment_id, amount, currency, RefundReason.NO_SEATS)
    await outbox.write("refund", refund_id)


async def _unpin(case: Case) -> None:
    await database.execute(PIN_HOLDS, case.payment["checkout_id"], case.payment["hold_ended_at"])


def _hold_lives(case: Case) -> bool:
    return bool(case.lines) and all(
        is_live(status=line["status"], expires_at=line["expires_at"], now=case.shelf.now) for line in case.lines
    )


def _still_fits(case: Case) -> bool:
    """As for any new buyer, at the price that was held. Someone who gave the tickets back does not get them again."""
    if case.payment["given_back_at"] or any(line["status"] == "CONSUMED" for line in case.lines):
        return False
    types = case.shelf.stock.types
    if any(types[line["ticket_type_id"]].price != line["unit_price"] for line in case.lines):
        return False
    try:
        inventory.check_on_sale(case.shelf.stock, case.wish, now=case.shelf.now)
    except Refusal:
        return False
    return not inventory.shortages(case.shelf.stock, case.wish)


def _replacements(case: Case) -> list[NewReservation]:
    return [
        NewReservation(
            new_id(),
            case.payment["checkout_id"],
            line["ticket_type_id"],
            line["quantity"],
            line["unit_price"],
            replaces=line["id"],
        )
        for line in case.lines
    ]


async def _open_case(event_id: UUID, payment_id: UUID) -> Case | None:
    """Locks in the order of the house: event → reservations (under it) → payment."""
    shelf = await stock.lock(event_id)
    payment = await database.fetchrow(LOCK_PAYMENT, payment_id)
    if shelf is None or payment is None:
        return None
    return Case(payment, list(await database.fetch(LINES, payment["checkout_id"])), shelf)


async def _payment_event(payment_id: UUID) -> UUID:
    return await database.fetchval(
        "SELECT c.event_id FROM payment AS p JOIN checkout AS c ON c.id = p.checkout_id WHERE p.id = $1", payment_id
    )


async def _set_status(
    payment_id: UUID, status: PaymentStatus, *, reference: str | None = None, captured: int | None = None
) -> None:
    await database.execute(
        """UPDATE payment SET status = $2, reference = coalesce(reference, $3), captured = coalesce($4, captured),
                  attempts = 0, next_check_at = clock_timestamp() + interval '15 seconds' WHERE id = $1""",
        payment_id,
        status,
        reference,
        captured,
    )


async def _remember_problem(case: Case, intent: Intent) -> None:
    if intent.problem != case.payment["last_error"]:
        await _note(case, intent.problem)


async def _note(case: Case, problem: str | None) -> None:
    await database.execute("UPDATE payment SET last_error = $2 WHERE id = $1", case.payment["id"], problem)
