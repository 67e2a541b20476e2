"""Working off what is due: several lanes, each taking one piece at a time under a lease.

One piece, because a lease taken for many runs out while the first ones are slow, and then two workers do the same.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from services import pace
from services.gateway import is_away

LANES = 4
LEASE_SECONDS = 30
# Whoever has not come to an end by then has failed: before the lease is over and somebody else does it too.
PIECE_SECONDS = 25.0
# No new piece is taken after this long. The last one still ends before the job is cut off (tasks/worker.py).
TAKING_SECONDS = 30.0
# With the backoff below about a night, in which a mail server may be away; then it is a dead letter, run_at = infinity.
MAX_ATTEMPTS = 60
# What has had all its attempts and is due all the same was never heard of again: it takes its workers with it.
# $1 is the most attempts, $2 the lease in seconds.
LEASE = """attempts = attempts + 1,
    run_at = CASE WHEN attempts >= $1 THEN 'infinity' ELSE clock_timestamp() + make_interval(secs => $2) END,
    last_error = CASE WHEN attempts >= $1 THEN coalesce(last_error, 'begun again and again, and never ended')
                      ELSE last_error END"""
# When a piece that failed is due again: $3 is the most attempts, $4 whether it waits for a provider that is away, which
# is never given up, and has most of its attempts left for when the provider is back.
NEXT_TRY = """attempts = CASE WHEN $4 THEN least(attempts, 10) ELSE attempts END,
    run_at = CASE WHEN attempts >= $3 AND NOT $4 THEN 'infinity'
                  ELSE clock_timestamp() + make_interval(secs => least(600, power(2, least(attempts, 10)))) END"""
# At a person's word, what was given up, or what nobody has taken up for a while. Not what somebody has in hand.
IN_NOBODYS_HANDS = "(run_at = 'infinity' OR run_at < clock_timestamp() - interval '1 minute')"


async def do(piece: Awaitable[object]) -> None:
    """One piece, while its lease lasts. Raises TimeoutError.

    Waiting for the provider does not count: its calls have their own end, and doing such a piece twice does no harm.
    """
    async with asyncio.timeout(PIECE_SECONDS) as clock:
        with pace.not_counted_by(clock):
            await piece


def next_try(error: Exception) -> tuple[int, bool]:
    """What NEXT_TRY is given."""
    return MAX_ATTEMPTS, is_away(error)


async def work_off(take_one: Callable[[], Awaitable[bool | None]], *, lanes: int = LANES) -> int:
    """`take_one` does the next piece and says whether it succeeded, or None when nothing is due. Returns successes."""
    until = time.monotonic() + TAKING_SECONDS

    async def lane() -> int:
        done = 0
        while time.monotonic() < until and (succeeded := await take_one()) is not None:
            done += succeeded
        return done

    return sum(await asyncio.gather(*(lane() for _ in range(lanes))))
