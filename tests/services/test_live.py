"""Announcements: said after the commit, never waited for, and not forgotten while Redis is away."""

import asyncio
import uuid

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisAway

from services import live


class HardOfHearing:
    """The real Redis, which is away the first few times."""

    def __init__(self, redis: Redis, times: int) -> None:
        self.redis, self.times, self.said = redis, times, []

    async def publish(self, channel: str, message: bytes) -> None:
        if self.times:
            self.times -= 1
            raise RedisAway("gone")
        self.said.append(message)
        await self.redis.publish(channel, message)


@pytest.fixture
async def ear(redis_url, monkeypatch):
    """Somebody who listens."""
    monkeypatch.setattr(live, "FIRST_PAUSE_SECONDS", 0.01)
    async with Redis.from_url(redis_url) as redis, redis.pubsub() as channel:
        await channel.subscribe(live.CHANNEL)
        await channel.get_message(timeout=5)
        yield redis, channel
    live.connect(None)


async def hear(channel) -> uuid.UUID:
    async with asyncio.timeout(5):
        while True:
            said = await channel.get_message(ignore_subscribe_messages=True, timeout=1)
            if said:
                return uuid.UUID(bytes=said["data"])


async def test_a_change_is_heard(ear):
    redis, channel = ear
    live.connect(redis)
    event_id = uuid.uuid4()
    live.announce(event_id)
    assert await hear(channel) == event_id


async def test_what_could_not_be_said_is_said_when_redis_is_back(ear):
    redis, channel = ear
    live.connect(HardOfHearing(redis, times=3))
    event_id = uuid.uuid4()
    live.announce(event_id)
    assert await hear(channel) == event_id


async def test_many_changes_of_one_event_while_redis_is_away_are_said_once(ear):
    redis, channel = ear
    deaf = HardOfHearing(redis, times=2)
    live.connect(deaf)
    first, second = uuid.uuid4(), uuid.uuid4()
    for _ in range(50):
        live.announce(first)
    live.announce(second)
    assert {await hear(channel), await hear(channel)} == {first, second}
    assert len(deaf.said) == 2


async def test_without_redis_nobody_waits_and_nothing_fails():
    live.connect(None)
    live.announce(uuid.uuid4())
