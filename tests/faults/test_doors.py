"""The doors of real processes: what is kept without Redis, and what refuses to open at all."""

import hashlib
import hmac
import json
import signal
import time

import pytest

from models import database as db
from sandbox import redis
from sandbox.processes import tail
from tasks import queue
from tests.conftest import WEBHOOK_SECRET, until
from tests.makers import hold_with_buyer, make_event, start_paying


@pytest.fixture
def own_redis(tmp_path):
    server = redis.start(tmp_path)
    yield server
    server.process.send_signal(signal.SIGCONT)
    server.stop()


@pytest.mark.parametrize("state", ["dead", "frozen"])
async def test_case_31_without_redis_a_notice_is_kept_and_answered_within_the_patience_for_its_ring(
    shop, own_redis, state
):
    """The bound of 1.1 s is the ring's patience of one second, and everything else in a tenth of it."""
    assert queue.PATIENCE_SECONDS <= 1.0
    intent = await start_paying(await hold_with_buyer(await make_event()))
    web = shop.web(REDIS_URL=own_redis.url)
    await until(shop.answers, patience=20)
    own_redis.process.send_signal(signal.SIGSTOP if state == "frozen" else signal.SIGKILL)
    answer = await _knock(shop, intent.reference)
    assert (answer.status_code, answer.text) == (200, "kept")
    assert await db.fetchval("SELECT count(*) FROM payment_notice WHERE handled_at IS NULL") == 1
    assert "ring lost" in tail(web.log, 40)
    await db.execute("UPDATE payment_notice SET handled_at = clock_timestamp()")


@pytest.mark.parametrize("kind", ["worker", "web"])
async def test_case_37_a_live_key_with_a_custom_base_opens_nothing(shop, kind):
    start = shop.worker if kind == "worker" else shop.web
    process = start(STRIPE_SECRET_KEY="sk_live_x", STRIPE_PUBLISHABLE_KEY="pk_live_x")
    await until(lambda: process.ended() is not None, patience=20)
    assert "must not be sent to a custom STRIPE_API_BASE" in tail(process.log, 40)
    assert not await shop.answers()


async def _knock(shop, reference):
    subject = {"object": "payment_intent", "id": reference, "metadata": {}}
    kind = "payment_intent.amount_capturable_updated"
    event = {"id": "evt_1", "object": "event", "type": kind, "livemode": False, "data": {"object": subject}}
    raw, at = json.dumps(event).encode(), int(time.time())
    seal = hmac.new(WEBHOOK_SECRET.encode(), f"{at}.".encode() + raw, hashlib.sha256).hexdigest()
    return await shop.browser.post("/stripe/webhook", content=raw, headers={"Stripe-Signature": f"t={at},v1={seal}"})
