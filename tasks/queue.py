"""The enqueuing side. A ring only makes work start sooner: what must happen lies in PostgreSQL and is found anyway."""

import asyncio

import structlog
from arq.connections import ArqRedis
from redis.exceptions import RedisError

# A frozen Redis must not hold up a webhook's answer.
PATIENCE_SECONDS = 1.0

log = structlog.get_logger()
_redis: ArqRedis | None = None


def connect(redis: ArqRedis | None) -> None:
    global _redis
    _redis = redis


async def ring(job: str) -> None:
    """Ask a worker to run `job` now. Never fails and never waits long."""
    if _redis is None:
        return
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            # With a fixed id a ring would be dropped while the same job runs, and work left for later.
            await _redis.enqueue_job(job)
    except (TimeoutError, OSError, RedisError) as error:
        log.warning("ring lost", job=job, error=repr(error))
