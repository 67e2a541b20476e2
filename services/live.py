"""Telling open pages that something changed. Only an id travels; every listener asks the database for the facts."""

import asyncio
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

CHANNEL = "foyer:changed"
# A frozen Redis must not hold up a buyer.
PATIENCE_SECONDS = 0.25

log = structlog.get_logger()
_redis: Redis | None = None


def connect(redis: Redis | None) -> None:
    global _redis
    _redis = redis


async def announce(event_id: UUID) -> None:
    """Say that an event's availability may have changed. Call it after the commit. A lost word is never an error:
    pages ask again by themselves."""
    if _redis is None:
        return
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await _redis.publish(CHANNEL, event_id.bytes)
    except (TimeoutError, OSError, RedisError) as error:
        log.warning("announcement lost", event_id=str(event_id), error=repr(error))
