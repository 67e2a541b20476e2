"""Reservations: a temporary hold on one ticket type's quantity. ACTIVE → EXPIRED | CONSUMED, once, never back."""

from datetime import datetime, timedelta
from enum import StrEnum

from domain.payments import PaymentStatus

# AC 7. The pin lets a hold outlive its 15 minutes while its authorised payment is being captured:
# an authorisation lives for 7 days, so nothing the bank can still grant finds the seats gone.
HOLD = timedelta(minutes=15)
PIN = timedelta(days=7)


class ReservationStatus(StrEnum):
    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    CONSUMED = "CONSUMED"


def is_live(*, status: str, expires_at: datetime, now: datetime) -> bool:
    """Whether the hold still counts for its buyer. One that is past its time blocks nobody (§1.5.3)."""
    return status == ReservationStatus.ACTIVE and now < expires_at


class HoldState(StrEnum):
    """How a buyer's hold stands, as their page says it."""

    HELD = "HELD"
    CONFIRMING = "CONFIRMING"  # the bank has agreed, the money is being taken: the clock no longer matters
    LETTING_GO = "LETTING_GO"  # the bank agreed too late: the authorisation is being cancelled
    PAID = "PAID"
    GIVEN_BACK = "GIVEN_BACK"
    ENDED = "ENDED"


def hold_state(
    *, paid: bool, payment_status: str | None, given_back: bool, holding: bool, expires_at: datetime, now: datetime
) -> HoldState:
    """`holding`: every reservation of the purchase is ACTIVE."""
    if paid:
        return HoldState.PAID
    if payment_status == PaymentStatus.CAPTURING:
        return HoldState.CONFIRMING
    if payment_status == PaymentStatus.VOIDING:
        return HoldState.LETTING_GO
    if given_back:
        return HoldState.GIVEN_BACK
    return HoldState.HELD if holding and now < expires_at else HoldState.ENDED
