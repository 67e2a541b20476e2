"""Refunds: what goes back of what was taken, and which tickets it makes invalid.

An order stays COMPLETED (AC 6): a refund has its own life beside it. REQUESTED → PENDING → SUCCEEDED, or FAILED, which
a bank may still say of one that had succeeded.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from domain.errors import NothingToRefund, RefundTooLarge, TicketsNotRefundable
from domain.inventory import EventStock, available_to_customer


class RefundStatus(StrEnum):
    REQUESTED = "REQUESTED"  # ours is written; whether the provider has it is unknown
    PENDING = "PENDING"  # the provider has it, the bank takes its time
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"  # the money is still with us


_S = RefundStatus
NEXT: dict[RefundStatus, frozenset[RefundStatus]] = {
    _S.REQUESTED: frozenset({_S.PENDING, _S.SUCCEEDED, _S.FAILED}),
    _S.PENDING: frozenset({_S.SUCCEEDED, _S.FAILED}),
    _S.SUCCEEDED: frozenset({_S.FAILED}),
}


class RefundReason(StrEnum):
    REQUESTED = "REQUESTED"
    EVENT_CHANGED = "EVENT_CHANGED"
    DUPLICATE = "DUPLICATE"
    FRAUDULENT = "FRAUDULENT"
    GOODWILL = "GOODWILL"
    NO_SEATS = "NO_SEATS"  # the house gives back what it could place nowhere
    OUTSIDE = "OUTSIDE"  # made in the provider's dashboard
    DISPUTED = "DISPUTED"  # of nothing: the bank has moved the money, its tickets become invalid


# What an admin may choose from.
DESK_REASONS = (
    RefundReason.REQUESTED,
    RefundReason.EVENT_CHANGED,
    RefundReason.DUPLICATE,
    RefundReason.FRAUDULENT,
    RefundReason.GOODWILL,
)


@dataclass(frozen=True)
class Everything:
    """All that is left, and every ticket."""


@dataclass(frozen=True)
class TheseTickets:
    """By item: these tickets, at what was paid for them, or at less."""

    ids: frozenset[UUID]
    amount: int | None = None


@dataclass(frozen=True)
class Money:
    """An amount, with no ticket made invalid."""

    amount: int


RefundWish = Everything | TheseTickets | Money


@dataclass(frozen=True)
class PaidTicket:
    """A ticket that still admits, and what was paid for it in minor units."""

    id: UUID
    price: int


@dataclass(frozen=True)
class Seat:
    """A ticket that is paid for and admits nobody, because its seat went back on sale."""

    ticket: UUID
    ticket_type: UUID
    number: str


@dataclass(frozen=True)
class RefundPlan:
    """`swept`: tickets that nobody asked for, which go with the last of the money."""

    amount: int
    tickets: frozenset[UUID]
    swept: frozenset[UUID] = frozenset()


def plan(wish: RefundWish, *, taken: int, gone_back: int, valid: Collection[PaidTicket]) -> RefundPlan:
    """Decide about a refund, under the payment's lock. All amounts in minor units.

    `taken` of the buyer, `gone_back` by refunds that have not failed. When nothing is left with us, no ticket that
    cost something admits any more, whatever was wished. Raises NothingToRefund, RefundTooLarge, TicketsNotRefundable.
    """
    left = taken - gone_back
    prices = {ticket.id: ticket.price for ticket in valid}
    match wish:
        case Everything():
            amount, tickets = left, frozenset(prices)
        case TheseTickets(ids, wished):
            if not ids <= prices.keys():
                raise TicketsNotRefundable
            worth = sum(prices[id] for id in ids)
            amount, tickets = worth if wished is None else wished, ids
            if amount > worth:
                raise RefundTooLarge(min(worth, left))
        case Money(amount):
            tickets = frozenset()
    if amount > left:
        raise RefundTooLarge(left)
    if amount < 0 or (amount == 0 and not tickets):
        raise NothingToRefund
    swept: frozenset[UUID] = frozenset()
    if amount and amount == left:
        swept = frozenset(ticket.id for ticket in valid if ticket.price) - tickets
    return RefundPlan(amount, tickets | swept, swept)


def is_same_wish(wish: RefundWish, *, amount: int, tickets: Collection[UUID], some_still_admit: bool) -> bool:
    """Whether a refund of this amount and these tickets is what was wished: a request key names one refund for ever.

    `some_still_admit`: the order has tickets beside these.
    """
    match wish:
        case TheseTickets(ids, wished):
            return wished in (None, amount) and ids <= frozenset(tickets)
        case Money(wished):
            return wished == amount
        case Everything():
            return not some_still_admit


def seats_to_take_back(event: EventStock, seats: Iterable[Seat], *, left: int) -> list[Seat]:
    """Those that fit, in their order: a seat is free of the event and of the ticket's own type.

    The stock is counted on, so that two do not get the same seat. `left`: of the order's money with us, in minor units;
    without any nobody comes in.
    """
    taken = []
    for seat in seats if left else ():
        ticket_type = event.types[seat.ticket_type]
        if available_to_customer(event, ticket_type):
            event.sold += 1
            ticket_type.sold += 1
            taken.append(seat)
    return taken
