"""Promises that hold at every instant, each as a query that is empty on a correct database.

They recompute everything from the rows and never look at the clock, so a broken one is a fact, not a suspicion.
"""

from models import database

# The seat of a refunded ticket stays sold until somebody has returned it to sale.
SOLD = """
    SELECT o.event_id, i.ticket_type_id, sum(i.quantity - coalesce(k.n, 0))::int AS n
    FROM orders AS o JOIN order_item AS i ON i.order_id = o.id
    LEFT JOIN (SELECT order_item_id, count(*) AS n FROM ticket WHERE returned GROUP BY 1) AS k ON k.order_item_id = i.id
    GROUP BY 1, 2
"""
HELD = """
    SELECT event_id, ticket_type_id, sum(quantity)::int AS n FROM reservation WHERE status = 'ACTIVE' GROUP BY 1, 2
"""
TAKEN = f"SELECT event_id, ticket_type_id, n FROM ({SOLD}) AS s UNION ALL SELECT * FROM ({HELD}) AS h"

INVARIANTS = {
    "I1 sold and held never exceed the capacity": f"""
        SELECT e.slug, e.total_capacity, sum(t.n) FROM event AS e JOIN ({TAKEN}) AS t ON t.event_id = e.id
        GROUP BY e.id HAVING sum(t.n) > e.total_capacity
    """,
    "I2 sold and held never exceed an allocation": f"""
        SELECT y.name, y.allocation, sum(t.n) FROM ticket_type AS y JOIN ({TAKEN}) AS t ON t.ticket_type_id = y.id
        GROUP BY y.id HAVING sum(t.n) > y.allocation
    """,
    "I2 allocations never add up to more than the capacity": """
        SELECT e.slug, e.total_capacity, sum(t.allocation) FROM event AS e JOIN ticket_type AS t ON t.event_id = e.id
        GROUP BY e.id HAVING sum(t.allocation) > e.total_capacity
    """,
    "I3 a captured payment has exactly one order, any other has none": """
        SELECT p.id, p.status, count(o.id) FROM payment AS p LEFT JOIN orders AS o
          ON o.payment_id = p.id AND (o.payment_provider, o.payment_reference) = (p.provider, p.reference)
        GROUP BY p.id HAVING count(o.id) <> CASE p.status WHEN 'CAPTURED' THEN 1 ELSE 0 END
    """,
    "I3 an order is for what was paid": """
        SELECT o.number FROM orders AS o JOIN payment AS p ON p.id = o.payment_id
        WHERE (o.total_amount, o.currency, o.checkout_id) <> (p.amount, p.currency, p.checkout_id)
    """,
    "I4 money that became no order goes back, all of it": """
        SELECT p.id, p.captured, sum(r.amount) FROM payment AS p LEFT JOIN refund AS r ON r.payment_id = p.id
        WHERE p.status = 'REFUNDED' GROUP BY p.id
        HAVING coalesce(sum(r.amount) FILTER (WHERE r.status <> 'FAILED'), 0) <> p.captured
           AND NOT coalesce(bool_or(r.status = 'FAILED' AND (
               r.last_error IS DISTINCT FROM 'given_back_elsewhere'
               OR EXISTS (SELECT 1 FROM outbox AS o WHERE (o.kind, o.subject) = ('refund', r.id) AND o.done_at IS NULL)
           )), false)
    """,
    "I4 never more goes back than was taken": """
        SELECT p.id, p.captured, sum(r.amount) FROM payment AS p JOIN refund AS r ON r.payment_id = p.id
        WHERE r.status <> 'FAILED' GROUP BY p.id HAVING sum(r.amount) > coalesce(p.captured, 0)
    """,
    "I4 a refund that was asked for is on the worker's list": """
        SELECT r.id FROM refund AS r WHERE r.status = 'REQUESTED'
          AND NOT EXISTS (SELECT 1 FROM outbox AS o WHERE (o.kind, o.subject) = ('refund', r.id) AND o.done_at IS NULL)
    """,
    "I3 what no provider took has somebody who says so": """
        SELECT o.number, p.provider FROM orders AS o JOIN payment AS p ON p.id = o.payment_id
        WHERE p.provider IN ('manual', 'complimentary') AND NOT EXISTS (
            SELECT 1 FROM audit_entry AS a WHERE (a.subject_kind, a.subject_id) = ('order', o.id::text)
              AND a.action = 'sold at the desk' AND a.actor_id IS NOT NULL)
    """,
    "I4 by hand goes back what was taken by hand, and nothing else": """
        SELECT r.id, p.provider, r.by_hand FROM refund AS r JOIN payment AS p ON p.id = r.payment_id
        WHERE r.amount > 0 AND r.by_hand <> (p.provider = 'manual')
    """,
    "I13 an order whose money went back admits nobody": """
        SELECT o.number FROM orders AS o JOIN payment AS p ON p.id = o.payment_id
        WHERE p.captured > 0
          AND p.captured = (SELECT sum(amount) FROM refund AS r WHERE r.payment_id = p.id AND r.status <> 'FAILED')
          AND EXISTS (SELECT 1 FROM ticket AS k JOIN order_item AS i ON i.id = k.order_item_id
                      WHERE k.order_id = o.id AND k.refund_id IS NULL AND i.unit_price > 0)
    """,
    "I13 a ticket is invalid only while its money has gone, or goes, back": """
        SELECT k.number, r.status FROM ticket AS k JOIN refund AS r ON r.id = k.refund_id
        WHERE r.status = 'FAILED' AND NOT k.returned
    """,
    "I13 a ticket that went with the last of the money is invalid only while all of it has gone": """
        SELECT k.number FROM ticket AS k JOIN orders AS o ON o.id = k.order_id JOIN payment AS p ON p.id = o.payment_id
        WHERE k.swept AND NOT k.returned AND p.captured >
              (SELECT coalesce(sum(amount), 0) FROM refund AS r WHERE r.payment_id = p.id AND r.status <> 'FAILED')
    """,
    "I5 consumed reservations and order lines are the same tickets": """
        SELECT coalesce(r.checkout_id, i.checkout_id), r.n, i.n FROM
          (SELECT checkout_id, ticket_type_id, sum(quantity) AS n FROM reservation WHERE status = 'CONSUMED'
           GROUP BY 1, 2) AS r
          FULL JOIN (SELECT o.checkout_id, x.ticket_type_id, sum(x.quantity) AS n
           FROM orders AS o JOIN order_item AS x ON x.order_id = o.id GROUP BY 1, 2) AS i
          USING (checkout_id, ticket_type_id)
        WHERE r.n IS DISTINCT FROM i.n
    """,
    "I6 an order's totals are the sums of its lines": """
        SELECT o.number FROM orders AS o LEFT JOIN order_item AS i ON i.order_id = o.id
        GROUP BY o.id HAVING (o.total_quantity, o.total_amount) IS DISTINCT FROM (sum(i.quantity), sum(i.line_total))
    """,
    "I9 the counters equal the rows": f"""
        SELECT t.id, t.held, t.sold, h.n, s.n FROM ticket_type AS t
        LEFT JOIN ({HELD}) AS h ON h.ticket_type_id = t.id LEFT JOIN ({SOLD}) AS s ON s.ticket_type_id = t.id
        WHERE (t.held, t.sold) IS DISTINCT FROM (coalesce(h.n, 0), coalesce(s.n, 0))
        UNION ALL
        SELECT e.id, e.held, e.sold, sum(t.held), sum(t.sold) FROM event AS e
        LEFT JOIN ticket_type AS t ON t.event_id = e.id
        GROUP BY e.id HAVING (e.held, e.sold) IS DISTINCT FROM (coalesce(sum(t.held), 0), coalesce(sum(t.sold), 0))
    """,
    "I12 a completed order has its tickets, a paid one has none yet": """
        SELECT o.number, o.status, i.id, count(k.id) FROM orders AS o LEFT JOIN order_item AS i ON i.order_id = o.id
        LEFT JOIN ticket AS k ON k.order_item_id = i.id AND k.order_id = o.id
        GROUP BY o.id, i.id
        HAVING count(k.id) <> CASE o.status WHEN 'COMPLETED' THEN coalesce(i.quantity, 1) ELSE 0 END
    """,
    "I12 a published event has a ticket type on sale": """
        SELECT slug FROM event AS e WHERE status = 'PUBLISHED'
          AND NOT EXISTS (SELECT 1 FROM ticket_type WHERE event_id = e.id AND is_enabled)
    """,
}


async def broken() -> dict[str, list[tuple]]:
    """The invariants that do not hold, each with the rows that break it."""
    found = {name: await database.fetch(sql) for name, sql in INVARIANTS.items()}
    return {name: [tuple(row) for row in rows] for name, rows in found.items() if rows}
