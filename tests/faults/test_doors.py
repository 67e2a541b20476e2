"""The doors of real processes: what is kept without Redis, and what refuses to open at all."""

import hashlib
import hmac
import json
import os
import signal
import time

import httpx
import pytest

from models import database as db
from sandbox import redis
from tasks import queue
from tests import mutants
from tests.conftest import WEBHOOK_SECRET, until
from tests.faults.overheard import Line
from tests.makers import hold_with_buyer, make_event, start_paying


@pytest.fixture
def own_redis(tmp_path):
    server = redis.start(tmp_path)
    yield server
    server.process.send_signal(signal.SIGCONT)
    server.stop()


async def test_case_31_a_frozen_redis_is_not_waited_for(shop, own_redis):
    """The bound of 1.1 s is the ring's patience of one second, and everything else in a tenth of it."""
    assert queue.PATIENCE_SECONDS <= 1.0
    await _a_notice_finds_redis_frozen(shop, own_redis)


async def test_a_ring_without_an_end_makes_the_provider_wait_for_redis(shop, own_redis):
    with mutants.breaks("waits for Redis"):
        await _a_notice_finds_redis_frozen(shop, own_redis, "patient ring", providers_patience=3)


async def _a_notice_finds_redis_frozen(shop, own_redis, place=None, *, providers_patience=20):
    """Asked, and silent until the test is over: whatever is answered meanwhile is answered without it."""
    line = Line(own_redis.url)
    async with line.open() as url:
        web = shop.web(place, REDIS_URL=url)
        intent = await _an_open_shop_with_a_payment(shop)
        _freeze(own_redis.process)
        asked_before = line.asked
        try:
            answer = await _knock(shop, intent.reference, timeout=providers_patience)
        except httpx.ReadTimeout:
            raise AssertionError("the provider’s answer waits for Redis") from None
        assert line.asked != asked_before, "nobody rang: nothing was put to the test"
        assert "ring lost" in web.said()
        await _is_kept(answer)


async def test_case_31_a_notice_is_kept_and_answered_although_redis_is_dead(shop, own_redis):
    web = shop.web(REDIS_URL=own_redis.url)
    intent = await _an_open_shop_with_a_payment(shop)
    own_redis.process.kill()
    await _is_kept(await _knock(shop, intent.reference))
    assert "ring lost" in web.said()


@pytest.mark.parametrize("kind", ["worker", "web"])
async def test_case_37_a_live_key_with_a_custom_base_opens_nothing(shop, kind):
    start = shop.worker if kind == "worker" else shop.web
    process = start(STRIPE_SECRET_KEY="sk_live_x", STRIPE_PUBLISHABLE_KEY="pk_live_x")
    await until(lambda: process.ended() is not None, patience=20)
    assert "must not be sent to a custom STRIPE_API_BASE" in process.said()
    assert not await shop.answers()


async def _an_open_shop_with_a_payment(shop):
    await until(shop.answers, patience=20)
    return await start_paying(await hold_with_buyer(await make_event()))


async def _is_kept(answer):
    assert (answer.status_code, answer.text) == (200, "kept")
    assert await db.fetchval("SELECT count(*) FROM payment_notice WHERE handled_at IS NULL") == 1


def _freeze(process):
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)


async def _knock(shop, reference, **options):
    subject = {"object": "payment_intent", "id": reference, "metadata": {}}
    kind = "payment_intent.amount_capturable_updated"
    event = {"id": "evt_1", "object": "event", "type": kind, "livemode": False, "data": {"object": subject}}
    raw, at = json.dumps(event).encode(), int(time.time())
    seal = hmac.new(WEBHOOK_SECRET.encode(), f"{at}.".encode() + raw, hashlib.sha256).hexdigest()
    headers = {"Stripe-Signature": f"t={at},v1={seal}"}
    return await shop.browser.post("/stripe/webhook", content=raw, headers=headers, **options)
