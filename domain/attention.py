"""Attention: when something about money is unknown, late or odd for so long that a person should know.

What takes its ordinary time is left alone: the house finishes it by itself, and a list that cries wolf is not read.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from domain.errors import Refusal


class Subject(StrEnum):
    """What an item is about. Its value stands in addresses and in the audit."""

    PAYMENT = "payment"
    REFUND = "refund"
    DISPUTE = "dispute"
    ORDER = "order"
    NOTE = "outbox"  # what the house has noted to do
    NOTICE = "notice"  # what the provider has told
    DISCREPANCY = "discrepancy"
    COMPARISON = "comparison"


class NotOnTheList(Refusal):
    """No such item, or nothing of the kind can be done about it. It may have been settled meanwhile."""


# How long each may take by itself.
CREATING = timedelta(minutes=1)
CAPTURING = timedelta(seconds=15)
HOLD_GONE = timedelta(seconds=15)
REQUESTED = timedelta(minutes=1)
PENDING = timedelta(days=10)
TICKETS = timedelta(minutes=1)
OVERDUE = timedelta(minutes=5)
COMPARISON = timedelta(hours=26)
# A comparison that has not ended by then was cut off, and is taken up again.
RUN = timedelta(hours=1)
# An open payment is asked about less and less often; this often means that its hold ended long ago.
ASKED_OFTEN = 7

# Nothing more comes of these: a dispute that is over.
CLOSED_DISPUTE = ("won", "lost", "warning_closed", "prevented")


class Book(StrEnum):
    """How the daily comparison stands."""

    RUNNING = "running"
    BROKE_OFF = "broke off"
    LATE = "late"
    FRESH = "fresh"
    NONE_YET = "none yet"


def book(
    *,
    now: datetime,
    started_at: datetime | None,
    ended: bool,
    failed: bool,
    finished_at: datetime | None,
    first_payment_at: datetime | None,
) -> Book:
    """`started_at`, `ended`, `failed`: the latest run; `finished_at`: the latest that came to its end."""
    if started_at and not ended and not failed and now - started_at < RUN:
        return Book.RUNNING
    if started_at and not ended:
        return Book.BROKE_OFF
    if finished_at:
        return Book.LATE if now - finished_at > COMPARISON else Book.FRESH
    return Book.LATE if first_payment_at and now - first_payment_at > COMPARISON else Book.NONE_YET


def seen_name(subject: Subject, subject_id: object, status: str) -> str:
    """Under what a person's “seen” is kept. A refund that fails after it was seen is news again."""
    return f"{subject}:{subject_id}" + (":failed" if status == "FAILED" else "")
