"""The payment provider's door: what is genuine is kept before it is answered; nothing else gets in."""

import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from httpx import AsyncClient, Response

from models import database as db
from services import notices
from tasks import queue
from tests.conftest import WEBHOOK_SECRET
from tests.makers import hold_with_buyer, make_event, start_paying

DOOR = "/stripe/webhook"


def notice(reference: str | None = "pi_somebody_elses", **changes: Any) -> bytes:
    subject = {"object": "payment_intent", "id": reference, "metadata": {}}
    event = {
        "id": "evt_1",
        "object": "event",
        "type": "payment_intent.amount_capturable_updated",
        "livemode": False,
        "data": {"object": subject},
    }
    return json.dumps({**event, **changes}).encode()


def sign(raw: bytes, *, at: float | None = None, secret: str = WEBHOOK_SECRET) -> str:
    stamp = int(time.time() if at is None else at)
    seal = hmac.new(secret.encode(), f"{stamp}.".encode() + raw, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={seal}"


async def knock(browser: AsyncClient, raw: bytes, signature: str | None = None) -> Response:
    headers = {"Content-Type": "application/json", "Stripe-Signature": sign(raw) if signature is None else signature}
    return await browser.post(DOOR, content=raw, headers=headers)


async def kept() -> list[Any]:
    return list(await db.fetch("SELECT id, type, reference, handled_at FROM payment_notice"))


@pytest.fixture
def rings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    heard: list[str] = []

    async def ring(job: str) -> None:
        heard.append(job)

    monkeypatch.setattr(queue, "ring", ring)
    return heard


async def test_a_genuine_notice_is_kept_before_it_is_answered_and_the_worker_is_rung(browser, stripe, rings):
    intent = await start_paying(await hold_with_buyer(await make_event()))
    answer = await knock(browser, notice(intent.reference))
    assert answer.status_code == 200
    (row,) = await kept()
    assert (row["reference"], row["handled_at"]) == (intent.reference, None)
    assert rings == ["handle_notices"]


async def test_what_it_points_at_is_asked_for_not_believed(browser, stripe, rings):
    checkout_id = await hold_with_buyer(await make_event())
    intent = await start_paying(checkout_id)
    await knock(browser, notice(intent.reference, type="payment_intent.succeeded"))
    await notices.handle_due()
    assert await db.fetchval("SELECT count(*) FROM orders") == 0, "a notice alone buys nothing"
    await stripe.pay(intent.client_secret)
    await knock(browser, notice(intent.reference, id="evt_2"))
    await notices.handle_due()
    assert await db.fetchval("SELECT status FROM orders WHERE checkout_id = $1", checkout_id) == "COMPLETED"


async def test_the_same_notice_again_is_answered_kept_once_and_rings_once(browser, stripe, rings):
    intent = await start_paying(await hold_with_buyer(await make_event()))
    for _ in range(3):
        assert (await knock(browser, notice(intent.reference))).status_code == 200
    assert len(await kept()) == 1
    assert rings == ["handle_notices"]


@pytest.mark.parametrize(
    "stranger",
    [
        notice("pi_of_another_shop"),
        notice(type="customer.created", data={"object": {"object": "customer", "id": "cus_1"}}),
        notice(type="a.type.of.next.year", data={"object": {}}),
    ],
)
async def test_unknown_types_and_foreign_intents_are_answered_without_work(browser, rings, stranger):
    if b'"data": {"object": {}}' in stranger:
        stranger = notice(type="a.type.of.next.year", data={"object": {"id": "x_1"}})
    assert (await knock(browser, stranger)).status_code == 200
    assert [row["handled_at"] is not None for row in await kept()] == [True]
    assert rings == []


async def test_a_notice_of_the_other_mode_is_answered_and_ignored(browser, rings):
    assert (await knock(browser, notice(livemode=True))).status_code == 200
    assert await kept() == []
    assert rings == []


@pytest.mark.parametrize(
    ("age", "status"), [(0, 200), (290, 200), (301, 400), (86_400, 400), (-290, 200), (-360, 400), (-86_400, 400)]
)
async def test_a_notice_must_be_about_as_old_as_now(browser, rings, age, status):
    raw = notice()
    answer = await knock(browser, raw, sign(raw, at=time.time() - age))
    assert answer.status_code == status
    assert len(await kept()) == (status == 200)


@pytest.fixture
def counted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "_counted_at", -60.0)
    notices._refused.clear()


async def refused() -> list[tuple[str, int]]:
    return [tuple(row) for row in await db.fetch("SELECT reason, times FROM refused_notice ORDER BY reason")]


@pytest.mark.parametrize(
    ("raw", "signature", "reason"),
    [
        (notice(), sign(notice(), secret="whsec_somebody_elses"), "signature"),
        (notice(), "", "signature"),
        (notice(), sign(notice(), at=time.time() - 400), "too old"),
        (notice(), sign(notice(), at=time.time() + 400), "too new"),
        (b"{", sign(b"{"), "not readable"),
        (notice(livemode=True), sign(notice(livemode=True)), "other mode"),
    ],
    ids=["forged", "unsigned", "old", "new", "unreadable", "other-mode"],
)
async def test_f15_what_is_turned_away_is_counted_apart(browser, counted_at_once, raw, signature, reason):
    await knock(browser, raw, signature)
    assert await refused() == [(reason, 1)]
    assert await kept() == []


async def test_whoever_floods_the_door_does_not_flood_the_database(browser, counted_at_once, monkeypatch):
    for _ in range(20):
        await knock(browser, b"{}", "t=1,v1=0")
    ((_, first),) = await refused()
    assert first < 20, "one word a second"
    monkeypatch.setattr(notices, "_counted_at", -60.0)
    await knock(browser, b"{}", "t=1,v1=0")
    assert await refused() == [("signature", 21)], "none is forgotten"


@pytest.mark.parametrize("signature", ["", "t=1", "t=x,v1=y", "v1=00", "nonsense", "t=9999999999,v1=\u00ff"])
async def test_without_our_secret_nothing_gets_in(browser, signature):
    headers = {"Stripe-Signature": signature.encode("latin-1")}
    assert (await browser.post(DOOR, content=notice(), headers=headers)).status_code == 400
    assert (await browser.post(DOOR, content=notice())).status_code == 400
    assert await kept() == []


async def test_a_forged_signature_or_a_changed_body_is_refused(browser):
    raw = notice()
    assert (await knock(browser, raw, sign(raw, secret="whsec_somebody_elses"))).status_code == 400
    assert (await knock(browser, raw.replace(b"evt_1", b"evt_2"), sign(raw))).status_code == 400
    assert await kept() == []


@pytest.mark.parametrize(
    "raw", [b"", b"\xff\xfe\x00", b"{", b"[]", b"null", b'"text"', b"{}", b'{"id": 1, "data": []}']
)
async def test_what_cannot_be_read_is_refused_even_when_it_is_signed(browser, raw):
    assert (await knock(browser, raw)).status_code == 400
    assert await kept() == []


async def test_a_huge_body_is_refused_unread(browser):
    raw = notice(padding="x" * 300_000)
    assert (await knock(browser, raw)).status_code == 413
    assert await kept() == []


async def test_a_large_notice_that_the_provider_might_send_fits(browser, rings):
    assert (await knock(browser, notice(padding="x" * 200_000))).status_code == 200
    assert len(await kept()) == 1


async def test_the_door_is_for_machines_without_cookies_or_an_origin(browser, rings):
    raw = notice()
    headers = {"Stripe-Signature": sign(raw), "Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"}
    answer = await browser.post(DOOR, content=raw, headers={**headers, "Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert "content-encoding" not in answer.headers
    assert (await browser.get(DOOR)).status_code == 405
