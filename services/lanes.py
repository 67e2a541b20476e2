"""Working off what is due: several lanes, each taking one piece at a time.

One piece, because a lease taken for many runs out while the first ones are slow, and then two workers do the same.
"""

import asyncio
from collections.abc import Awaitable, Callable

LANES = 4


async def work_off(take_one: Callable[[], Awaitable[bool | None]], *, lanes: int = LANES) -> int:
    """`take_one` does the next piece and says whether it succeeded, or None when nothing is due. Returns successes."""

    async def lane() -> int:
        done = 0
        while (succeeded := await take_one()) is not None:
            done += succeeded
        return done

    return sum(await asyncio.gather(*(lane() for _ in range(lanes))))
