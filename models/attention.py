"""What about money needs a person: unknown, late, given up, mismatched. Facts only, newest first.

Every question is `FROM … WHERE …` once, asked twice: how many there are, and the first of them to show.
"""

import json
import re
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import attention as patience
from domain.attention import CLOSED_DISPUTE, Book, Subject
from domain.refunds import seats_to_take_back
from models import database, stock

SHOWN = 50  # of each kind; more are counted
# What a person did in the last minutes is shown as done, with what came of it.
RECENTLY = "interval '15 minutes'"
OF_LATE = 2000  # entries of the audit: beyond them nothing is recent

BUYER = "c.buyer_name, c.buyer_email, e.title, e.slug, e.timezone"
PURCHASE = "JOIN checkout AS c ON c.id = p.checkout_id JOIN event AS e ON e.id = c.event_id"
ITS_ORDER = "LEFT JOIN orders AS o ON o.payment_id = p.id"
WAITS = "CASE WHEN run_at < 'infinity' THEN run_at END"

# A status that lasts: right after a change `attempts` is 0, and the reconciler counts from 15 s on.
PAYMENTS = f"""
    FROM payment AS p {PURCHASE}
    WHERE ((p.last_error = 'amount_differs' AND p.status = 'VOIDED'
            AND NOT EXISTS (SELECT 1 FROM seen AS s WHERE s.id = 'payment:' || p.id))
       OR p.status IN ('CREATING', 'OPEN', 'CAPTURING', 'VOIDING') AND CASE p.status
        WHEN 'CREATING' THEN greatest(p.updated_at, p.turn_at) < clock_timestamp() - $1::interval
        WHEN 'OPEN' THEN p.attempts >= $4 OR (
            least(c.expires_at, c.given_back_at) < clock_timestamp() - $3::interval
            AND NOT EXISTS (SELECT 1 FROM reservation AS r WHERE r.checkout_id = c.id AND r.status = 'ACTIVE'
                              AND r.expires_at > clock_timestamp() - $3::interval))
        ELSE p.attempts > 0 OR p.updated_at < clock_timestamp() - $2::interval
    END)
"""
OF_PAYMENTS = (patience.CREATING, patience.CAPTURING, patience.HOLD_GONE, patience.ASKED_OFTEN)

REFUNDS = f"""
    FROM refund AS r JOIN payment AS p ON p.id = r.payment_id {PURCHASE} {ITS_ORDER}
    LEFT JOIN outbox AS n ON (n.kind, n.subject) = ('refund', r.id) AND n.done_at IS NULL
    WHERE (r.status = 'REQUESTED' AND (r.reason = 'NO_SEATS' OR r.created_at < clock_timestamp() - $1::interval))
       OR (r.status = 'PENDING' AND (r.reason = 'NO_SEATS' OR r.created_at < clock_timestamp() - $2::interval))
       OR (r.status = 'FAILED' AND (r.amount > 0 OR EXISTS (SELECT 1 FROM ticket AS k WHERE k.refund_id = r.id))
           AND NOT EXISTS (SELECT 1 FROM seen AS s WHERE s.id = 'refund:' || r.id || ':failed'))
       OR (r.status <> 'FAILED' AND r.reason = 'OUTSIDE'
           AND NOT EXISTS (SELECT 1 FROM seen AS s WHERE s.id = 'refund:' || r.id))
"""
OF_REFUNDS = (patience.REQUESTED, patience.PENDING)

DISPUTES = f"""
    FROM dispute AS d JOIN payment AS p ON p.id = d.payment_id {PURCHASE} {ITS_ORDER}
    WHERE d.status <> ALL($1) OR NOT EXISTS (SELECT 1 FROM seen AS s WHERE s.id = 'dispute:' || d.id)
"""
OF_DISPUTES = (list(CLOSED_DISPUTE),)

ORDERS = f"""
    FROM orders AS o JOIN payment AS p ON p.id = o.payment_id {PURCHASE}
    LEFT JOIN outbox AS n ON (n.kind, n.subject) = ('complete', o.id) AND n.done_at IS NULL
    WHERE o.status = 'PAID' AND o.created_at < clock_timestamp() - $1::interval
"""
OF_ORDERS = (patience.TICKETS,)

# A refund, or an order without tickets, is listed as itself; its note would only say the same again.
NOTES = """
    FROM outbox AS n LEFT JOIN refund AS r ON r.id = n.subject
    LEFT JOIN orders AS o ON o.id = coalesce(r.order_id, n.subject)
    LEFT JOIN payment AS p ON p.id = coalesce(r.payment_id, o.payment_id, n.subject)
    LEFT JOIN checkout AS c ON c.id = p.checkout_id LEFT JOIN event AS e ON e.id = c.event_id
    WHERE n.done_at IS NULL AND (n.run_at = 'infinity' OR n.run_at < clock_timestamp() - $1::interval)
      AND NOT (n.kind = 'refund' AND coalesce(r.status = 'REQUESTED', false))
      AND NOT (n.kind = 'complete' AND coalesce(o.status = 'PAID', false))
"""
OF_NOTES = (patience.OVERDUE,)

NOTICES = """
    FROM payment_notice AS n LEFT JOIN payment AS p ON p.reference = n.reference
    LEFT JOIN checkout AS c ON c.id = p.checkout_id LEFT JOIN event AS e ON e.id = c.event_id
    WHERE n.handled_at IS NULL AND (n.run_at = 'infinity' OR n.run_at < clock_timestamp() - $1::interval)
"""
OF_NOTICES = (patience.OVERDUE,)

DISCREPANCIES = """
    FROM discrepancy AS d LEFT JOIN payment AS p ON p.id = d.payment_id
    LEFT JOIN checkout AS c ON c.id = p.checkout_id LEFT JOIN event AS e ON e.id = c.event_id
    LEFT JOIN orders AS o ON o.payment_id = p.id
    WHERE d.cleared_at IS NULL
"""

QUESTIONS: dict[Subject, tuple[str, str, str, tuple[Any, ...]]] = {
    Subject.PAYMENT: (
        f"p.*, c.expires_at AS hold_ends_at, c.given_back_at, {BUYER}",
        PAYMENTS,
        "p.created_at DESC",
        OF_PAYMENTS,
    ),
    Subject.REFUND: (
        f"""r.*, p.reference AS intent, p.status AS payment_status, o.number, {BUYER},
        n.id AS note_id, {WAITS.replace("run_at", "n.run_at")} AS note_run_at, coalesce(n.run_at = 'infinity', false)
        AS given_up, n.last_error AS note_error,
        (SELECT count(*) FROM ticket AS k WHERE k.refund_id = r.id) AS tickets,
        (SELECT count(*) FROM ticket AS k WHERE k.refund_id = r.id AND NOT k.returned) AS seats_kept,
        r.status = 'FAILED' AND EXISTS (SELECT 1 FROM ticket AS k WHERE k.order_id = r.order_id AND k.returned
                                          AND (k.refund_id = r.id OR k.swept)) AS shuts_out,
        e.id AS event_id, p.captured - (SELECT coalesce(sum(x.amount), 0)::bigint FROM refund AS x
                                         WHERE x.payment_id = p.id AND x.status <> 'FAILED') AS left_with_us""",
        REFUNDS,
        "r.created_at DESC",
        OF_REFUNDS,
    ),
    Subject.DISPUTE: (
        f"""d.*, p.reference AS intent, o.number, o.id AS order_id, {BUYER},
        (SELECT count(*) FROM ticket AS k WHERE k.order_id = o.id) AS tickets,
        (SELECT count(*) FROM ticket AS k WHERE k.order_id = o.id AND k.refund_id IS NULL) AS valid""",
        DISPUTES,
        f"d.status IN {CLOSED_DISPUTE}, d.respond_by NULLS LAST, d.created_at DESC",
        OF_DISPUTES,
    ),
    Subject.ORDER: (
        f"""o.id, o.number, o.total_quantity, o.total_amount AS amount, o.currency, o.payment_reference AS reference,
        o.created_at, {BUYER}, {WAITS.replace("run_at", "n.run_at")} AS note_run_at,
        coalesce(n.run_at = 'infinity', false) AS given_up, n.last_error AS note_error""",
        ORDERS,
        "o.created_at DESC",
        OF_ORDERS,
    ),
    Subject.NOTE: (
        f"""n.id, n.kind, n.attempts, n.last_error, n.created_at, {WAITS.replace("run_at", "n.run_at")} AS run_at,
        n.run_at = 'infinity' AS given_up, o.number, coalesce(r.amount, p.amount) AS amount, p.currency, p.reference,
        {BUYER}""",
        NOTES,
        "n.run_at DESC, n.id DESC",
        OF_NOTES,
    ),
    Subject.NOTICE: (
        f"""n.id, n.type, n.attempts, n.last_error, n.created_at, n.reference,
        {WAITS.replace("run_at", "n.run_at")} AS run_at, n.run_at = 'infinity' AS given_up, p.amount, p.currency,
        {BUYER}""",
        NOTICES,
        "n.run_at DESC, n.created_at DESC",
        OF_NOTICES,
    ),
    Subject.DISCREPANCY: (
        f"d.*, o.number, o.id AS order_id, p.amount, p.currency, {BUYER}",
        DISCREPANCIES,
        "d.found_at DESC",
        (),
    ),
}

COMPARISON = """
    SELECT clock_timestamp() AS now, run.id, run.since, run.started_at, run.compared, run.last_error,
           run.finished_at IS NOT NULL AS ended, done.finished_at, done.compared AS compared_then,
           (SELECT created_at FROM payment ORDER BY id LIMIT 1) AS first_payment_at,
           (SELECT max(created_at) FROM audit_entry WHERE subject_kind = 'comparison') AS asked_for_at
    FROM (SELECT 1) AS always
    LEFT JOIN LATERAL (SELECT * FROM comparison ORDER BY started_at DESC LIMIT 1) AS run ON true
    LEFT JOIN LATERAL (
        SELECT * FROM comparison WHERE finished_at IS NOT NULL ORDER BY started_at DESC LIMIT 1) AS done ON true
"""

REFUSED = """
    SELECT * FROM refused_notice WHERE last_at > clock_timestamp() - interval '1 day' ORDER BY last_at DESC
"""

# Who did what of late, and to whose purchase: the latest deed of each subject.
DEEDS = f"""
    SELECT a.*, p.amount, p.currency, c.buyer_name, e.title FROM (SELECT * FROM (
        SELECT DISTINCT ON (subject_kind, subject_id)
               id, actor_name, action, subject_kind, subject_id, before, after, created_at
        FROM audit_entry
        WHERE id > (SELECT coalesce(max(id), 0) - {OF_LATE} FROM audit_entry) AND action = ANY($1)
          AND created_at > clock_timestamp() - {RECENTLY}
        ORDER BY subject_kind, subject_id, id DESC
    ) AS latest ORDER BY id DESC LIMIT {SHOWN}) AS a
    LEFT JOIN payment AS p ON p.id = CASE a.subject_kind
        WHEN 'payment' THEN a.subject_id::uuid
        WHEN 'refund' THEN (SELECT payment_id FROM refund WHERE id = a.subject_id::uuid)
        WHEN 'order' THEN (SELECT payment_id FROM orders WHERE id = a.subject_id::uuid)
        WHEN 'discrepancy' THEN (SELECT payment_id FROM discrepancy WHERE id = a.subject_id::uuid)
        WHEN 'dispute' THEN (SELECT payment_id FROM dispute WHERE id = a.subject_id)
        WHEN 'notice' THEN (SELECT p.id FROM payment_notice AS n JOIN payment AS p ON p.reference = n.reference
                             WHERE n.id = a.subject_id)
    END
    LEFT JOIN checkout AS c ON c.id = p.checkout_id LEFT JOIN event AS e ON e.id = c.event_id
    ORDER BY a.id DESC
"""


@dataclass(frozen=True, slots=True)
class Deed:
    """What a person did about a subject, and what it was afterwards."""

    actor: str
    action: str
    subject: str
    subject_id: str
    before: dict[str, Any]
    after: dict[str, Any]
    at: datetime
    about: Any


@dataclass(frozen=True, slots=True)
class WithoutSeat:
    """Tickets that a failed refund left without a seat, and for how many of them one is free now."""

    numbers: list[str]
    free: int


@dataclass(frozen=True, slots=True)
class Attention:
    """All that needs a person. `totals` counts what `rows` may cut short. Times are the database's."""

    now: datetime
    rows: dict[Subject, list[Any]]
    totals: dict[Subject, int]
    comparison: Any
    book: Book
    deeds: list[Deed]
    without_seat: dict[UUID, WithoutSeat]  # by refund
    refused: list[Any]  # notices that were turned away of late: reason, times, last_at

    @property
    def count(self) -> int:
        return sum(self.totals.values())


async def look(actions: list[str]) -> Attention:
    """`actions`: the deeds that answer an item."""
    rows = {subject: await _rows(subject) for subject in QUESTIONS}
    totals = {subject: found[0]["total"] if found else 0 for subject, found in rows.items()}
    comparison = await _comparison()
    state = _book(comparison)
    if state in (Book.LATE, Book.BROKE_OFF):
        totals[Subject.COMPARISON] = 1
    without_seat = await _without_seat(rows[Subject.REFUND])
    refused = list(await database.fetch(REFUSED))
    return Attention(comparison["now"], rows, totals, comparison, state, await _deeds(actions), without_seat, refused)


async def count() -> int:
    """How many things need a person: what the navigation says on every page of the desk."""
    counts: list[str] = []
    arguments: list[Any] = []
    for _, body, _, own in QUESTIONS.values():
        counts.append(f"(SELECT count(*) {_shifted(body, by=len(arguments))})")
        arguments += own
    items = await database.fetchval(f"SELECT {' + '.join(counts)}", *arguments)
    return items + (_book(await _comparison()) in (Book.LATE, Book.BROKE_OFF))


async def count_of(event_id: UUID) -> int:
    """How many of them are about one event. The comparison of the books is about none."""
    counts: list[str] = []
    arguments: list[Any] = [event_id]
    for _, body, _, own in QUESTIONS.values():
        its_event = f"SELECT c.event_id {_shifted(body, by=len(arguments))}"
        counts.append(f"(SELECT count(*) FROM ({its_event}) AS found WHERE found.event_id = $1)")
        arguments += own
    return await database.fetchval(f"SELECT {' + '.join(counts)}", *arguments)


async def _without_seat(refunds: list[Any]) -> dict[UUID, WithoutSeat]:
    """Advisory, as every number that is shown: the button's verb looks again under the event's lock."""
    waiting = [row for row in refunds if row["shuts_out"]]
    shelves = await stock.look({row["event_id"] for row in waiting}) if waiting else {}
    found = {}
    for row in waiting:
        seats = await stock.shut_out(row["id"])
        free = seats_to_take_back(deepcopy(shelves[row["event_id"]].stock), seats, left=row["left_with_us"])
        found[row["id"]] = WithoutSeat([seat.number for seat in seats], len(free))
    return found


async def _rows(subject: Subject) -> list[Any]:
    columns, body, order, arguments = QUESTIONS[subject]
    sql = f"SELECT {columns}, count(*) OVER () AS total {body} ORDER BY {order} LIMIT {SHOWN}"
    return list(await database.fetch(sql, *arguments))


def _shifted(body: str, *, by: int) -> str:
    """The same question with its parameters numbered after those of the questions before it."""
    return re.sub(r"\$(\d)", lambda mark: f"${int(mark[1]) + by}", body)


async def _comparison() -> Any:
    row = await database.fetchrow(COMPARISON)
    assert row is not None
    return row


def _book(row: Any) -> Book:
    return patience.book(
        now=row["now"],
        started_at=row["started_at"],
        ended=row["ended"],
        failed=row["last_error"] is not None,
        finished_at=row["finished_at"],
        first_payment_at=row["first_payment_at"],
    )


async def _deeds(actions: list[str]) -> list[Deed]:
    return [
        Deed(
            row["actor_name"],
            row["action"],
            row["subject_kind"],
            row["subject_id"],
            json.loads(row["before"] or "{}"),
            json.loads(row["after"]),
            row["created_at"],
            row,
        )
        for row in await database.fetch(DEEDS, actions)
    ]
