"""Checkout: the buyer's visit to the till between holding tickets and having paid for them."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog

from domain.errors import (
    AlreadyPaid,
    AmountNotPayable,
    CheckoutNotFound,
    HoldEnded,
    InLine,
    PaymentUnderWay,
    TooBusy,
)
from domain.payments import PaymentStatus
from domain.reservations import HOLD
from models import database, stock
from models.ids import new_id
from services import live, pace, settlement
from services.gateway import Intent, IntentStatus, NotAsked, OutcomeUnknown, RequestRefused, current
from services.reconciliation import LAST_QUESTION_SECONDS
from services.transaction import transaction

log = structlog.get_logger()

# The hold must go back on sale within two seconds of its end, whether the provider answers or not.
ASK_SECONDS = 1.0
ASK_AT_ONCE = 4
# A line as short as this is waited for; a longer one is told to the buyer, and their hold waits with them.
SHORT_LINE_SECONDS = 1.0
LONGEST_LINE_SECONDS = 600.0
_asking: set[asyncio.Task[None]] = set()  # those that take longer go on in the background

VISIT = """
    SELECT c.*, e.currency, o.id AS order_id,
           (SELECT count(*) FROM reservation AS r WHERE r.checkout_id = c.id AND r.status = 'ACTIVE'
              AND r.expires_at > clock_timestamp()) AS live_holds,
           (SELECT coalesce(sum(quantity::bigint * unit_price), 0)::bigint FROM reservation AS r
             WHERE r.checkout_id = c.id AND r.status = 'ACTIVE') AS amount
    FROM checkout AS c JOIN event AS e ON e.id = c.event_id LEFT JOIN orders AS o ON o.checkout_id = c.id
    WHERE c.id = $1
"""

TAKE_OVER_BUYER = """
    UPDATE checkout AS c SET buyer_name = before.buyer_name, buyer_email = before.buyer_email
    FROM checkout AS before
    WHERE c.id = $1 AND before.id = $2 AND before.event_id = c.event_id AND c.buyer_name = '' AND c.buyer_email = ''
"""

LIVE_PAYMENT = "SELECT * FROM payment WHERE checkout_id = $1 AND status NOT IN ('VOIDED', 'REFUNDED')"

STAND_IN_LINE = "UPDATE payment SET turn_at = $2 WHERE id = $1 RETURNING *"
# A turn that nobody came for is over; whoever comes back takes a new one.
HAS_TURN = "SELECT turn_at > clock_timestamp() - interval '1 minute' FROM payment WHERE id = $1"
TURN_USED = "UPDATE payment SET turn_at = NULL WHERE id = $1"
# Whoever pays in the time that was added is asked about before the end too.
ASKED_BEFORE = """
    UPDATE payment SET next_check_at = least(next_check_at, c.expires_at - make_interval(secs => $2))
    FROM checkout AS c WHERE payment.id = $1 AND c.id = checkout_id
"""

LONGER_HOLD = "UPDATE reservation SET expires_at = expires_at + $2 WHERE checkout_id = $1 AND status = 'ACTIVE'"
LONGER_CHECKOUT = "UPDATE checkout SET expires_at = expires_at + $2 WHERE id = $1"

WRITE_PAYMENT = """
    INSERT INTO payment (id, checkout_id, provider, amount, currency) VALUES ($1, $2, $3, $4, $5) RETURNING *
"""

OPENED = """
    UPDATE payment SET status = 'OPEN', reference = $2, turn_at = NULL,
        next_check_at = clock_timestamp() + interval '15 seconds'
    WHERE id = $1 AND status = 'CREATING'
"""

OPEN_REFERENCE = "SELECT reference FROM payment WHERE id = $1 AND status = 'OPEN'"

NEXT_ATTEMPT = "UPDATE payment SET attempts = $2 + 1 WHERE id = $1 AND attempts = $2"

UNSETTLED = "SELECT reference FROM payment WHERE checkout_id = $1 AND status IN ('OPEN', 'CAPTURING', 'VOIDING')"

OVERDUE_WITH_PAYMENT = """
    SELECT DISTINCT p.reference FROM reservation AS r JOIN payment AS p ON p.checkout_id = r.checkout_id
    WHERE r.event_id = $1 AND r.status = 'ACTIVE' AND r.expires_at <= clock_timestamp()
      AND p.status IN ('OPEN', 'CAPTURING')
"""


@dataclass(frozen=True, slots=True)
class FreeOfCharge:
    """Nothing to pay: the purchase is done."""


async def remember_buyer(checkout_id: UUID, *, name: str, email: str) -> None:
    """Keep who is buying; the caller has checked the form. Raises CheckoutNotFound, AlreadyPaid."""
    async with transaction():
        visit = await _visit(checkout_id)
        if visit["order_id"]:
            raise AlreadyPaid(visit["order_id"])
        await database.execute(
            "UPDATE checkout SET buyer_name = $2, buyer_email = $3 WHERE id = $1", checkout_id, name, email
        )


async def take_over_buyer(checkout_id: UUID, *, from_checkout: UUID) -> None:
    """Whoever starts again after an ended hold of the same event does not type name and e-mail again."""
    await database.execute(TAKE_OVER_BUYER, checkout_id, from_checkout)


async def start_payment(checkout_id: UUID) -> Intent | FreeOfCharge:
    """The one live intent of this checkout, made now or found again: tabs and reloads share it.

    The buyer's name and e-mail are known. Raises CheckoutNotFound, HoldEnded, AlreadyPaid, PaymentUnderWay,
    AmountNotPayable, InLine, TooBusy, OutcomeUnknown.
    """
    payment = await _live_payment(checkout_id)
    if payment["provider"] == "free":
        await settlement.settle_free(payment["id"])
        if (await _visit(checkout_id))["order_id"] is None:
            raise HoldEnded(checkout_id)
        return FreeOfCharge()
    if payment["status"] == PaymentStatus.CREATING:
        await _wait_in_line(payment)
        intent = await _create_intent(payment)
        # Two statements: one alone would look with the eyes of before it had waited for another tab's.
        await database.execute(OPENED, payment["id"], intent.reference)
        if intent.reference == await database.fetchval(OPEN_REFERENCE, payment["id"]):
            return intent
        # Meanwhile the payment was given up, or a notice brought an intent whose making we had not heard about.
        await _let_go(intent.reference)
        return await start_payment(checkout_id)
    intent = await _ask_in_turn(payment)
    if intent.status == IntentStatus.AWAITING_BUYER:
        return intent
    await settlement.settle(intent.reference)
    # Either it is an order now, which says so, or that intent is dead and a new one may be made.
    return await start_payment(checkout_id)


async def ask_about_payment(checkout_id: UUID) -> None:
    """Bring the payment of this checkout, if there is one, as far as it can go: its buyer waits for no notice.

    Raises OutcomeUnknown; NotAsked, one of them, when the line at the provider is too long to wait for.
    """
    reference = await database.fetchval(UNSETTLED, checkout_id)
    if not reference:
        return
    if await pace.line_ahead() > SHORT_LINE_SECONDS:
        raise NotAsked("the line is long")
    await settlement.settle(reference)


async def give_back(checkout_id: UUID) -> None:
    """The buyer lets the tickets go. Harmless when the hold has already ended.

    Raises CheckoutNotFound, AlreadyPaid, PaymentUnderWay.
    """
    visit = await _visit(checkout_id)
    async with transaction():
        await stock.lock(visit["event_id"])
        visit = await _visit(checkout_id)
        payment = await database.fetchrow(LIVE_PAYMENT, checkout_id)
        _refuse_if_paid(visit, payment)
        await stock.end_holds(visit["event_id"], checkout_id)
        await database.execute(
            "UPDATE checkout SET given_back_at = coalesce(given_back_at, clock_timestamp()) WHERE id = $1", checkout_id
        )
    live.announce(visit["event_id"])
    if payment and payment["status"] == PaymentStatus.CREATING and payment["turn_at"]:
        await pace.leave_line()
    if payment and payment["reference"]:
        await _let_go(payment["reference"])


async def expire_holds(event_id: UUID) -> int:
    """Let every overdue hold of an event go: ask, cancel, then expire (AC 7). Returns the tickets that came back.

    A buyer whose money was authorised in time, but whose notice is late, is served first. If the provider does not
    answer, the hold is released all the same; a payment that turns up later is settled as a late one.
    """
    references = [row["reference"] for row in await database.fetch(OVERDUE_WITH_PAYMENT, event_id)]
    if references:
        few_at_once = asyncio.Semaphore(ASK_AT_ONCE)
        asking = [asyncio.create_task(_let_go_in_turn(reference, few_at_once)) for reference in references]
        for task in asking:
            _asking.add(task)
            task.add_done_callback(_asking.discard)
        await asyncio.wait(asking, timeout=ASK_SECONDS)
    async with transaction():
        shelf = await stock.lock(event_id)
        released = await stock.release_overdue(event_id, shelf.now) if shelf else {}
    if released:
        live.announce(event_id)
    return sum(released.values())


async def _live_payment(checkout_id: UUID) -> Any:
    """The live payment's row, a new one when there is none, with its place in line if it needs one.

    The event's lock makes it the only one, and its hold one that has not ended. Raises HoldEnded, AlreadyPaid,
    PaymentUnderWay, TooBusy.
    """
    event_id = (await _visit(checkout_id))["event_id"]
    line, line_to_ask = await pace.line_to_start(), await pace.line_ahead()
    async with transaction():
        await stock.lock(event_id)
        visit = await _visit(checkout_id)
        payment = await database.fetchrow(LIVE_PAYMENT, checkout_id)
        _refuse_if_paid(visit, payment)
        if not visit["live_holds"]:
            raise HoldEnded(checkout_id)
        if payment is None:
            provider = "stripe" if visit["amount"] else "free"
            payment = await database.fetchrow(
                WRITE_PAYMENT, new_id(), checkout_id, provider, visit["amount"], visit["currency"]
            )
            assert payment is not None
        if payment["provider"] == "free" or await _needs_no_place(payment, line_to_ask):
            return payment
        added = (visit["expires_at"] - visit["created_at"] - HOLD).total_seconds()
        if max(line, added) > LONGEST_LINE_SECONDS:
            raise TooBusy  # whoever has a place is served first; a hold is not prolonged for ever
        return await _take_place(payment, line_to_ask)


async def _needs_no_place(payment: Any, line_to_ask: float) -> bool:
    """To start a payment everybody takes one, once. To come back to it, by a reload or on another device, only while
    the calls themselves queue."""
    if payment["status"] == PaymentStatus.CREATING:
        return payment["turn_at"] is not None
    return line_to_ask <= SHORT_LINE_SECONDS or await database.fetchval(HAS_TURN, payment["id"])


async def _take_place(payment: Any, line_to_ask: float) -> Any:
    """Inside the running transaction. Standing in line costs the buyer nothing: the hold lasts longer by as much, and
    by what the call itself will wait."""
    turn = await pace.place_in_line()
    if turn is None:
        return payment
    wait = turn.wait + line_to_ask
    if wait > SHORT_LINE_SECONDS:
        longer = timedelta(seconds=wait)
        await database.execute(LONGER_HOLD, payment["checkout_id"], longer)
        await database.execute(LONGER_CHECKOUT, payment["checkout_id"], longer)
        await database.execute(ASKED_BEFORE, payment["id"], LAST_QUESTION_SECONDS)
    return await database.fetchrow(STAND_IN_LINE, payment["id"], turn.at)


async def _wait_in_line(payment: Any) -> None:
    """A payment keeps the place that it was given first. Raises InLine while its turn is more than a moment away."""
    if payment["turn_at"] is None:
        return
    wait = await database.fetchval("SELECT extract(epoch FROM $1 - clock_timestamp())::float", payment["turn_at"])
    if wait > SHORT_LINE_SECONDS:
        raise InLine(wait)
    await asyncio.sleep(max(0.0, wait))


async def _ask_in_turn(payment: Any) -> Intent:
    """How a payment stands that was started before: a page that was reloaded, another tab or device. Raises InLine."""
    if not await database.fetchval(HAS_TURN, payment["id"]):
        return await current().retrieve(payment["reference"])
    await _wait_in_line(payment)
    await database.execute(TURN_USED, payment["id"])
    return await current().retrieve(payment["reference"])


async def _create_intent(payment: Any) -> Intent:
    try:
        return await current().create(
            payment_id=payment["id"],
            attempt=payment["attempts"],
            amount=payment["amount"],
            currency=payment["currency"],
        )
    except RequestRefused as refusal:
        if refusal.code in ("amount_too_small", "amount_too_large") or refusal.param == "amount":
            raise AmountNotPayable from refusal
        raise
    except OutcomeUnknown as error:
        if error.answered:
            # A 5xx would be replayed for this key. Whatever that call may have made, nobody holds its secret.
            await database.execute(NEXT_ATTEMPT, payment["id"], payment["attempts"])
        raise


async def _let_go_in_turn(reference: str, few_at_once: asyncio.Semaphore) -> None:
    async with few_at_once:
        await _let_go(reference)


async def _let_go(reference: str) -> None:
    """Never fails: it is asked again."""
    try:
        await settlement.let_go(reference)
    except Exception as error:
        log.warning("could not ask about a payment; it will be asked again", reference=reference, error=repr(error))


async def _visit(checkout_id: UUID) -> Any:
    visit = await database.fetchrow(VISIT, checkout_id)
    if visit is None:
        raise CheckoutNotFound
    return visit


def _refuse_if_paid(visit: Any, payment: Any) -> None:
    if visit["order_id"]:
        raise AlreadyPaid(visit["order_id"])
    if payment and payment["status"] in (PaymentStatus.CAPTURING, PaymentStatus.VOIDING):
        raise PaymentUnderWay
