"""Refusals: named facts about why a wish cannot be granted. What they look like on a page is web's business."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


class Refusal(Exception):
    """A request that cannot be granted. Nothing was changed."""


class EventNotFound(Refusal):
    """No published event by that name."""


class EventEnded(Refusal):
    """The event is over; nothing can be bought any more."""


class NothingChosen(Refusal):
    """The wish contains no ticket at all."""


@dataclass(eq=False)
class TicketTypeNotOnSale(Refusal):
    """The ticket type is disabled, not yet on sale (`opens_at` is set), no longer on sale, or of another event."""

    ticket_type_id: UUID
    name: str | None = None
    opens_at: datetime | None = None


@dataclass(eq=False)
class QuantityOutOfBounds(Refusal):
    """Fewer than the type's minimum or more than its maximum per order."""

    ticket_type_id: UUID
    name: str
    requested: int
    minimum: int
    maximum: int


@dataclass(frozen=True)
class Shortage:
    """One ticket type of which more was asked than is left.

    `available` is what could be held of it, given what the same wish takes of the shared capacity before it.
    """

    ticket_type_id: UUID
    name: str
    requested: int
    available: int


@dataclass(eq=False)
class InsufficientInventory(Refusal):
    """AC 3: more was asked than is available. All or nothing: no part of the wish was held."""

    shortages: tuple[Shortage, ...]

    def __str__(self) -> str:
        return "Insufficient Inventory: " + ", ".join(
            f"{s.requested} × {s.name} asked, {s.available} left" for s in self.shortages
        )


class RequestKeyReused(Refusal):
    """The same idempotency key came with another wish; a key names one request for ever."""


class TooBusy(Refusal):
    """The queue for this event is full; the buyer may try again in a moment."""


class CheckoutNotFound(Refusal):
    """No checkout behind that link."""


class OrderNotFound(Refusal):
    """No order behind that link."""


@dataclass(eq=False)
class HoldEnded(Refusal):
    """AC 7: the hold has expired or was given back; a new one is needed before paying."""

    checkout_id: UUID


@dataclass(eq=False)
class AlreadyPaid(Refusal):
    """This checkout has become an order."""

    order_id: UUID


class PaymentUnderWay(Refusal):
    """The bank has agreed and the money is being taken, or let go: for a moment nothing else can be done."""


class AmountNotPayable(Refusal):
    """The payment provider does not take so little, or so much, in this currency."""


@dataclass(eq=False)
class InLine(Refusal):
    """More buyers than the provider may be asked for at once: this payment starts in `seconds`. The hold waits too."""

    seconds: float


class NothingToRefund(Refusal):
    """Nothing is left that could go back."""


@dataclass(eq=False)
class RefundTooLarge(Refusal):
    """More than was taken and has not yet gone back. `most`: the largest amount that would do, in minor units."""

    most: int


class TicketsNotRefundable(Refusal):
    """A ticket of another order, or one that has been refunded already."""


class NothingToTakeBack(Refusal):
    """No ticket of this refund waits for a seat, or its money has gone back since."""


class NoSeatFree(Refusal):
    """Every seat of the event, or of the ticket's type, is taken."""


class OrderNotComplete(Refusal):
    """Its tickets are still being made; in a moment it can be refunded."""


@dataclass(eq=False)
class Overtaken(Refusal):
    """Somebody else changed the same thing meanwhile. `theirs` is what it says now; what was typed is not lost."""

    theirs: object


class OtherTerms(Refusal):
    """The event's currency or time zone was changed meanwhile: a price or a time that was typed means another one."""


class EndBeforeStart(Refusal):
    """AC A2: an event ends no earlier than it starts."""


class CurrencyInUse(Refusal):
    """Tickets of this event have been held at prices in its currency."""


class PricesTyped(Refusal):
    """Ticket types have prices, and the other currency has more or fewer decimals: 24.00 euros would be 2,400 yen."""


class EventInUse(Refusal):
    """Only a draft of which nobody has held or bought a ticket can be removed: what was sold stays to be read."""


class TicketTypeInUse(Refusal):
    """Tickets of this type have been held or sold: it can be taken off sale, not removed."""


class LastTypeOnSale(Refusal):
    """A published event keeps at least one ticket type on sale (§1.4): unpublish it instead."""


@dataclass(eq=False)
class CapacityTooSmall(Refusal):
    """X, or an allocation, would fall below what is already promised. `smallest` is the lowest value that would do."""

    smallest: int


@dataclass(eq=False)
class AllocationsExceedCapacity(Refusal):
    """AC T4: the defined allocations add up to more than X."""

    total: int
    capacity: int


@dataclass(eq=False)
class NotPublishable(Refusal):
    """§1.4: an event needs a capacity and at least one enabled ticket type before it can be published."""

    reasons: tuple[str, ...]
