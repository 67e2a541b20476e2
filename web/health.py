"""Whether this process lives, and whether it can serve buyers."""

import asyncio
from typing import Any

from litestar import Controller, Response, get
from redis.asyncio import Redis

from models import database
from web.security import QUIET

PATIENCE_SECONDS = 1.0


class HealthController(Controller):
    path = "/health"
    opt = {QUIET: True}  # noqa: RUF012
    include_in_schema = False

    @get("/live")
    async def live(self) -> dict[str, str]:
        return {"status": "ok"}

    @get("/ready")
    async def ready(self) -> Response[dict[str, Any]]:
        """503 without the database. Without Redis the shop still sells, only slower to tell: “degraded”."""
        database_ok, redis_ok = await asyncio.gather(_answers(_ask_database()), _answers(_ask_redis()))
        status = "ok" if database_ok and redis_ok else "degraded" if database_ok else "down"
        body = {"status": status, "database": database_ok, "redis": redis_ok}
        return Response(body, status_code=200 if database_ok else 503, headers={"Cache-Control": "no-store"})


_redis: Redis | None = None


def connect(redis: Redis) -> None:
    global _redis
    _redis = redis


async def _ask_database() -> None:
    await database.fetchval("SELECT 1")


async def _ask_redis() -> None:
    assert _redis is not None
    await _redis.ping()


async def _answers(question: Any) -> bool:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await question
    except Exception:
        return False
    return True
