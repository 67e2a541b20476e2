"""Working off what is due: several lanes, each taking one piece at a time.

One piece, because a lease taken for many runs out while the first ones are slow, and then two workers do the same.
"""

import asyncio
from collections.abc import Awaitable, Callable

from services.gateway import is_away

LANES = 4
# With the backoff below about a night, in which a mail server may be away; then it is a dead letter, run_at = infinity.
MAX_ATTEMPTS = 60
# When a piece that failed is due again: $3 is the most attempts.
NEXT_TRY = """CASE
        WHEN attempts >= $3 THEN 'infinity'
        ELSE clock_timestamp() + make_interval(secs => least(600, power(2, least(attempts, 10))))
    END"""


def most_attempts(error: Exception) -> int:
    """What waits for a provider that is away is never given up."""
    return 2**31 - 1 if is_away(error) else MAX_ATTEMPTS


async def work_off(take_one: Callable[[], Awaitable[bool | None]], *, lanes: int = LANES) -> int:
    """`take_one` does the next piece and says whether it succeeded, or None when nothing is due. Returns successes."""

    async def lane() -> int:
        done = 0
        while (succeeded := await take_one()) is not None:
            done += succeeded
        return done

    return sum(await asyncio.gather(*(lane() for _ in range(lanes))))
