"""Telling open pages that something changed. Only an id travels; every listener asks the database for the facts."""

import asyncio
import contextvars
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

CHANNEL = "foyer:changed"
PATIENCE_SECONDS = 1.0

log = structlog.get_logger()
_redis: Redis | None = None
_unsaid: set[UUID] = set()
_speaking: asyncio.Task[None] | None = None


def connect(redis: Redis | None) -> None:
    global _redis
    _redis = redis


def announce(event_id: UUID) -> None:
    """Say that an event's availability may have changed. Call it after the commit; it never makes anybody wait.

    A lost word is no error: pages ask again by themselves.
    """
    global _speaking
    if _redis is None:
        return
    _unsaid.add(event_id)
    if _speaking is None or _speaking.done():
        _speaking = asyncio.create_task(_speak(), context=contextvars.Context())


async def _speak() -> None:
    """One speaker at a time: what changes while Redis is slow is said once."""
    while _unsaid and _redis is not None:
        event_id = _unsaid.pop()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await _redis.publish(CHANNEL, event_id.bytes)
        except (TimeoutError, OSError, RedisError) as error:
            log.warning("announcement lost", event_id=str(event_id), error=repr(error))
