"""Telling open pages that something changed. Only an id travels; every listener asks the database for the facts."""

import asyncio
import contextvars
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

CHANNEL = "foyer:changed"
PATIENCE_SECONDS = 1.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 5.0

log = structlog.get_logger()
_redis: Redis | None = None
_unsaid: set[UUID] = set()
_speaking: asyncio.Task[None] | None = None


def connect(redis: Redis | None) -> None:
    global _redis
    _redis = redis


def announce(event_id: UUID) -> None:
    """Say that an event's availability may have changed. Call it after the commit; it never makes anybody wait.

    While Redis is away nothing is lost but time: pages ask by themselves, and it is said when Redis is back.
    """
    global _speaking
    if _redis is None:
        return
    _unsaid.add(event_id)
    if _speaking is None or _speaking.done():
        _speaking = asyncio.create_task(_speak(), context=contextvars.Context())


async def _speak() -> None:
    """One speaker at a time: what changes while Redis is slow or away is said once, when it listens again."""
    pause = FIRST_PAUSE_SECONDS
    while _unsaid and _redis is not None:
        event_id = next(iter(_unsaid))
        _unsaid.discard(event_id)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await _redis.publish(CHANNEL, event_id.bytes)
            pause = FIRST_PAUSE_SECONDS
        except (TimeoutError, OSError, RedisError) as error:
            log.warning("announcement delayed", event_id=str(event_id), error=repr(error))
            _unsaid.add(event_id)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
