"""Pace: how often the payment provider is asked. All processes draw from one line in PostgreSQL.

Two lanes. Every call takes a turn in `calls`, one after the other at the rate that was set. A purchase needs three
calls (make the intent, ask about it, take the money), so one call in three may start a new purchase: `starts` is a line
of its own, in which a payment keeps its place while its buyer waits. Those who have paid are never behind those who
have not begun. What nobody waits for runs in the background and takes only turns that are free.
"""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from models import database

CALLS, STARTS = "calls", "starts"
CALLS_PER_PURCHASE = 3
# After this long even the background joins the line like anybody else.
BACKGROUND_PATIENCE_SECONDS = 5.0

# The turn is the moment before the next one. A clock that was set back takes the line with it: what counts is how long
# the line was when its last turn was taken, not how far that lies in the future now.
TAKE = """
    INSERT INTO pace AS p (lane, next_at) VALUES ($1, clock_timestamp() + $2::interval)
    ON CONFLICT (lane) DO UPDATE SET taken_at = clock_timestamp(),
        next_at = clock_timestamp() + greatest(p.next_at - greatest(p.taken_at, clock_timestamp()), '0') + $2
    RETURNING next_at - $2 AS turn_at, extract(epoch FROM next_at - $2 - clock_timestamp())::float AS wait
"""

TAKE_IF_FREE = """
    INSERT INTO pace AS p (lane, next_at) VALUES ($1, clock_timestamp() + $2::interval)
    ON CONFLICT (lane) DO UPDATE SET taken_at = clock_timestamp(), next_at = clock_timestamp() + $2
    WHERE p.next_at <= clock_timestamp()
    RETURNING lane
"""

SLOW_DOWN = (
    "UPDATE pace SET next_at = greatest(next_at, clock_timestamp() + $2::interval) WHERE lane = $1 RETURNING lane"
)

# A place that will not be used shortens the line for those who come after; nobody who has one is moved.
LEAVE = """
    UPDATE pace SET next_at = greatest(next_at - $2::interval, clock_timestamp()) WHERE lane = $1 RETURNING lane
"""

WAIT = """
    SELECT extract(epoch FROM next_at - greatest(taken_at, clock_timestamp()))::float AS wait FROM pace WHERE lane = $1
"""

log = structlog.get_logger()
_per_second = 0.0  # 0: unpaced
_in_background: ContextVar[bool] = ContextVar("in_background", default=False)
_clock: ContextVar[asyncio.Timeout | None] = ContextVar("clock", default=None)


@dataclass(frozen=True, slots=True)
class Turn:
    """When it is, on the database's clock, and how many seconds away."""

    at: datetime
    wait: float


def use_rate(per_second: float) -> None:
    global _per_second
    _per_second = per_second


@contextmanager
def in_background() -> Iterator[None]:
    """What happens inside yields to buyers who wait."""
    token = _in_background.set(True)
    try:
        yield
    finally:
        _in_background.reset(token)


@contextmanager
def not_counted_by(clock: asyncio.Timeout) -> Iterator[None]:
    """What the line and the provider take inside is added to that clock."""
    token = _clock.set(clock)
    try:
        yield
    finally:
        _clock.reset(token)


def allow(seconds: float) -> None:
    """What is under way may last that much longer."""
    clock = _clock.get()
    if clock and (end := clock.when()) is not None and not clock.expired():
        with suppress(RuntimeError):  # it has come to its end meanwhile
            clock.reschedule(end + seconds)


async def wait_for_turn() -> None:
    """Before every call to the provider. Refuses to wait while a transaction holds locks."""
    assert not database.in_transaction(), "the provider is not called while locks are held"
    if not _per_second:
        return
    if _in_background.get():
        allow(BACKGROUND_PATIENCE_SECONDS)
        if await _found_free_turn():
            return
    turn = await _take(CALLS, 1 / _per_second)
    if turn:
        allow(turn.wait)
        await asyncio.sleep(turn.wait)


async def place_in_line() -> Turn | None:
    """A place among those who want to start paying, or come back to it. None while nobody needs to stand in line."""
    return await _take(STARTS, CALLS_PER_PURCHASE / _per_second) if _per_second else None


async def leave_line() -> None:
    """Somebody who had a place will not start any more."""
    if _per_second:
        await _ask(LEAVE, STARTS, timedelta(seconds=CALLS_PER_PURCHASE / _per_second))


async def line_to_start() -> float:
    """How many seconds somebody who wants to start paying would wait now."""
    return await _wait_in(STARTS)


def is_in_background() -> bool:
    return _in_background.get()


async def line_ahead() -> float:
    """How many seconds a call would wait for its turn now."""
    return await _wait_in(CALLS)


async def slow_down() -> None:
    """The provider said that it was too much: nobody new asks for a second."""
    if _per_second:
        await _ask(SLOW_DOWN, CALLS, timedelta(seconds=1))


async def _wait_in(lane: str) -> float:
    row = await _ask(WAIT, lane) if _per_second else None
    return max(0.0, row["wait"]) if row else 0.0


async def _take(lane: str, step: float) -> Turn | None:
    row = await _ask(TAKE, lane, timedelta(seconds=step))
    return Turn(row["turn_at"], max(0.0, row["wait"])) if row else None


async def _found_free_turn() -> bool:
    step = 1 / _per_second
    try:
        async with asyncio.timeout(BACKGROUND_PATIENCE_SECONDS):
            while not await _ask(TAKE_IF_FREE, CALLS, timedelta(seconds=step)):  # noqa: ASYNC110
                await asyncio.sleep(step * random.uniform(0.5, 1.5))  # so that two of them do not march in step
    except TimeoutError:
        return False
    return True


async def _ask(sql: str, *args: Any) -> Any | None:
    """One row. None also when it cannot be had: pace is politeness, and must not cost anybody their tickets."""
    try:
        async with database.set_apart():
            return await database.fetchrow(sql, *args)
    except Exception as error:
        log.warning("the line cannot be seen; going on without", error=error)
        return None
