"""Payments: the state machine, and the one decision about money that wants seats."""

from dataclasses import dataclass
from enum import StrEnum


class Provider(StrEnum):
    """Who has taken the money."""

    STRIPE = "stripe"
    FREE = "free"  # nothing to take
    MANUAL = "manual"  # an admin says that it was paid elsewhere
    COMPLIMENTARY = "complimentary"  # an admin gives it away


class PaymentStatus(StrEnum):
    CREATING = "CREATING"  # our row is committed; whether the provider has an intent is unknown
    OPEN = "OPEN"  # the buyer may pay
    CAPTURING = "CAPTURING"  # authorised, seats pinned, the money is being taken
    CAPTURED = "CAPTURED"  # there is an order
    VOIDING = "VOIDING"  # authorised, but there are no seats: being let go
    VOIDED = "VOIDED"  # nobody was charged
    REFUNDED = "REFUNDED"  # taken by hand where nothing could be given for it: on its way back in full


_S = PaymentStatus
NEXT: dict[PaymentStatus, frozenset[PaymentStatus]] = {
    _S.CREATING: frozenset({_S.OPEN, _S.VOIDED}),
    _S.OPEN: frozenset({_S.CAPTURING, _S.VOIDING, _S.VOIDED, _S.REFUNDED}),
    _S.CAPTURING: frozenset({_S.CAPTURED, _S.VOIDING, _S.VOIDED, _S.REFUNDED}),
    _S.VOIDING: frozenset({_S.VOIDED, _S.REFUNDED}),
    _S.VOIDED: frozenset({_S.REFUNDED}),
}

# Nothing more will become of these by asking the provider. (A voided intent is dead there too.)
AT_REST = frozenset({_S.CAPTURED, _S.VOIDED, _S.REFUNDED})

# A checkout has at most one of these at any time, whatever tabs and reloads do.
LIVE = frozenset({_S.CREATING, _S.OPEN, _S.CAPTURING, _S.CAPTURED, _S.VOIDING})


class OurProblem(StrEnum):
    """Why we did not take a payment, or could not place it. Everything else in `last_error` is the bank's own code."""

    LATE = "late"
    AMOUNT_DIFFERS = "amount_differs"
    CAPTURED_BY_HAND = "captured_by_hand"
    NEVER_OPENED = "never_opened"


class Verdict(StrEnum):
    PIN = "PIN"  # the hold lives: nail it down and capture
    REBOOK = "REBOOK"  # the hold has lapsed, but the same seats still fit: a replacement hold, pinned
    LET_GO = "LET_GO"  # no seats, or not the money we asked for: cancel, nobody is charged


@dataclass(frozen=True)
class Authorisation:
    """What the bank has granted, in minor units."""

    amount: int
    currency: str


def verdict(
    granted: Authorisation,
    *,
    asked: Authorisation,
    hold_lives: bool,
    still_fits: bool,
) -> Verdict:
    """Decide about authorised money, under the event's lock.

    `still_fits`: the event and types are on sale at the held price and enough is free for the whole purchase.
    """
    if granted != asked:
        return Verdict.LET_GO
    if hold_lives:
        return Verdict.PIN
    return Verdict.REBOOK if still_fits else Verdict.LET_GO
