"""Comparison: where the provider's books and ours must agree, and how a difference is called."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from domain.payments import AT_REST, PaymentStatus
from domain.refunds import RefundStatus


class Kind(StrEnum):
    UNKNOWN_TO_US = "unknown_to_us"  # they have money for a payment that we never made
    UNKNOWN_TO_THEM = "unknown_to_them"  # we have a payment that they never heard of
    SECOND_INTENT = "second_intent"  # they have money for a payment that was paid by another intent
    OUTCOME = "outcome"  # taken there and not here, or the other way round
    AMOUNT = "amount"
    REFUNDS = "refunds"  # other money went back than we know of


class Outcome(StrEnum):
    """All that the two books can agree on."""

    NOTHING = "NOTHING"  # no money was moved, or could still be
    SET_ASIDE = "SET_ASIDE"  # the bank keeps it ready
    TAKEN = "TAKEN"


@dataclass(frozen=True, slots=True)
class Page:
    """One payment as a book has it. `gone_back`: Σ refunds that have not failed. Minor units."""

    outcome: Outcome
    amount: int
    currency: str
    gone_back: int = 0


def our_outcome(status: PaymentStatus) -> Outcome | None:
    """None while it is still on its way: the reconciler has it in hand."""
    if status not in AT_REST:
        return None
    return Outcome.NOTHING if status == PaymentStatus.VOIDED else Outcome.TAKEN


def differences(theirs: Page, ours: Page) -> list[Kind]:
    """How two pages about the same payment differ."""
    if theirs.outcome != ours.outcome:
        return [Kind.OUTCOME]
    if theirs.outcome != Outcome.TAKEN:
        return []
    found = []
    if (theirs.amount, theirs.currency) != (ours.amount, ours.currency):
        found.append(Kind.AMOUNT)
    if theirs.gone_back != ours.gone_back:
        found.append(Kind.REFUNDS)
    return found


def gone_back(refunds: Iterable[tuple[RefundStatus, int]]) -> int:
    """What is with the buyer or on its way there. One that was only asked for is not yet in their book."""
    return sum(amount for status, amount in refunds if status in (RefundStatus.PENDING, RefundStatus.SUCCEEDED))
