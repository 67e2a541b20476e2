"""The on-sale rehearsal: 64 clients on one hot event, beside what the same machine does with nothing to decide.

`python -m bench.rehearse http://127.0.0.1:8000 postgresql://…` speaks HTTP to a running Foyer. The database's address
is needed only to put a large event on sale and to count afterwards. Figures of one run may be compared with each other,
not with those of another machine or day.
"""

import argparse
import asyncio
import re
import uuid
from urllib.parse import urlencode

import asyncpg

from bench.client import Request, Result, get, load

CAPACITY = 1_000_000
SOLD_OUT_CAPACITY = 500

MAKE_EVENT = """
    WITH e AS (
        INSERT INTO event (id, slug, title, start_date, status, total_capacity)
        VALUES (gen_random_uuid(), $1, 'Rehearsal', now() + interval '30 days', 'PUBLISHED', $2) RETURNING id
    )
    INSERT INTO ticket_type (id, event_id, name, price) SELECT gen_random_uuid(), id, 'General', 2400 FROM e
"""

HELD = """
    SELECT coalesce(sum(r.quantity), 0)::int FROM reservation AS r JOIN event AS e ON e.id = r.event_id
    WHERE e.slug = $1 AND r.status = 'ACTIVE'
"""


async def rehearse(url: str, database_url: str, *, clients: int, seconds: float) -> None:
    print(f"{clients} clients, {seconds:g} s each\n")
    print(f"{'':32}{'per second':>12}{'p50 ms':>10}{'p99 ms':>10}   answers")
    hot, small = (f"rehearsal-{uuid.uuid4().hex[:10]}" for _ in range(2))
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(MAKE_EVENT, hot, CAPACITY)
        await connection.execute(MAKE_EVENT, small, SOLD_OUT_CAPACITY)
        plain = Request("GET", "/health/live")
        show("nothing to do (/health/live)", await load(url, lambda: plain, clients=clients, seconds=seconds))
        page = Request("GET", f"/events/{hot}")
        show("event page", await load(url, lambda: page, clients=clients, seconds=seconds))
        show("holds on one hot event", await load(url, await holds(url, hot), clients=clients, seconds=seconds))
        rush = await load(url, await holds(url, small, count=5_000), clients=clients, seconds=60)
        show(f"5,000 requests for {SOLD_OUT_CAPACITY} tickets", rush)
        for slug in (hot, small):
            print(f"\n{slug}: {await connection.fetchval(HELD, slug)} tickets held", end="")
        print()
    finally:
        await connection.execute("UPDATE event SET status = 'DRAFT' WHERE slug = ANY($1)", [hot, small])
        await connection.close()


async def holds(url: str, slug: str, count: int | None = None):
    """Requests for one ticket each, every one with a key of its own; `count` of them, or without end."""
    _, page = await get(url, f"/events/{slug}")
    found = re.search(rb'name="(qty-[^"]+)"', page)
    assert found, "the event page has a quantity to choose"
    field, left = found[1].decode(), [count]

    def request() -> Request | None:
        if left[0] is not None:
            if left[0] <= 0:
                return None
            left[0] -= 1
        body = urlencode({field: 1, "request_key": uuid.uuid4().hex}).encode()
        # As the page's own form sends it.
        return Request("POST", f"/events/{slug}/checkouts", body, headers="HX-Request: true\r\n")

    return request


def show(name: str, result: Result) -> None:
    answers = ", ".join(f"{status}: {n}" for status, n in sorted(result.statuses.items()))
    total = result.rate(*result.statuses)
    p50, p99 = (result.percentile(share) * 1000 for share in (0.5, 0.99))
    print(f"{name:32}{total:>12,.0f}{p50:>10.1f}{p99:>10.1f}   {answers}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("database_url")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5)
    arguments = parser.parse_args()
    asyncio.run(rehearse(arguments.url, arguments.database_url, clients=arguments.clients, seconds=arguments.seconds))


if __name__ == "__main__":
    main()
