"""What is known of the payment provider without asking it: how it answered last, and what it owes us an answer to."""

from dataclasses import dataclass
from datetime import datetime

from domain import attention as patience
from domain.attention import Book
from models import database
from models.attention import OF_PAYMENTS, PAYMENTS

# A comparison goes through all of its lists: one that came to its end was answered throughout.
LAST_ASKED = """
    SELECT clock_timestamp() AS now, run.started_at, run.finished_at, run.last_error FROM (SELECT 1) AS always
    LEFT JOIN LATERAL (
        SELECT * FROM comparison WHERE finished_at IS NOT NULL OR last_error IS NOT NULL
        ORDER BY started_at DESC LIMIT 1
    ) AS run ON true
"""
UNANSWERED = f"SELECT count(*)::int {PAYMENTS} AND p.status <> 'VOIDED'"


@dataclass(frozen=True, slots=True)
class Heard:
    """`book`: how the last comparison with its list went, `at` when. `unanswered`: payments that it has not told of."""

    book: Book
    at: datetime | None
    unanswered: int


async def heard() -> Heard:
    row = await database.fetchrow(LAST_ASKED)
    assert row is not None
    book = patience.book(
        now=row["now"],
        started_at=row["started_at"],
        ended=row["finished_at"] is not None,
        failed=row["last_error"] is not None,
        finished_at=row["finished_at"],
        first_payment_at=None,
    )
    unanswered = await database.fetchval(UNANSWERED, *OF_PAYMENTS)
    return Heard(book, row["finished_at"] or row["started_at"], unanswered)
