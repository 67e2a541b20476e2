"""For every test of the desk that watches a live page."""

from collections.abc import AsyncIterator

import pytest
from litestar import Litestar
from redis.asyncio import Redis

from services import live as announcements
from tests.conftest import until
from web import live
from web.live import Hub


@pytest.fixture
async def hub(app: Litestar, redis_url: str, database: None, stripe: object, monkeypatch) -> AsyncIterator[Hub]:
    """The hub of this process, with hearts that beat quickly."""
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.2)
    client = Redis.from_url(redis_url)
    announcements.connect(client)
    async with Hub(client) as hub:
        await until(lambda: hub.hears)
        app.state.hub = hub
        yield hub
    announcements.connect(None)
    await client.aclose()
