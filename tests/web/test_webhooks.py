"""The payment provider's door: what is genuine is kept before it is answered; nothing else gets in."""

import hashlib
import hmac
import json
import time
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
import stripe as library
from httpx import AsyncClient, Response
from litestar.handlers import HTTPRouteHandler

from models import database as db
from services import gateway, notices, stripe_gateway
from tasks import queue
from tests.conftest import WEBHOOK_SECRET
from tests.makers import hold_with_buyer, make_event, start_paying
from tests.mutants import breaks

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
    assert await kept() == [], "a notice of the other mode was taken for one of ours"
    assert rings == []


@pytest.mark.parametrize(
    ("age", "status"), [(0, 200), (290, 200), (301, 400), (86_400, 400), (-290, 200), (-360, 400), (-86_400, 400)]
)
async def test_a_notice_must_be_about_as_old_as_now(browser, rings, age, status):
    raw = notice()
    answer = await knock(browser, raw, sign(raw, at=time.time() - age))
    assert answer.status_code == status, "a notice of another time was believed"
    assert len(await kept()) == (status == 200)


@pytest.fixture
def counted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "_counted_at", -60.0)
    notices._refused.clear()


async def refused() -> list[tuple[str, int]]:
    return [tuple(row) for row in await db.fetch("SELECT reason, times FROM refused_notice ORDER BY reason")]


@pytest.mark.parametrize(
    ("raw", "signed", "reason"),
    [
        (notice(), lambda raw: sign(raw, secret="whsec_somebody_elses"), "signature"),
        (notice(), lambda raw: "", "signature"),
        (notice(), lambda raw: sign(raw, at=time.time() - 400), "too old"),
        (notice(), lambda raw: sign(raw, at=time.time() + 400), "too new"),
        (b"{", sign, "not readable"),
        (notice(livemode=True), sign, "other mode"),
    ],
    ids=["forged", "unsigned", "old", "new", "unreadable", "other-mode"],
)
async def test_f15_what_is_turned_away_is_counted_apart(browser, counted_at_once, raw, signed, reason):
    await knock(browser, raw, signed(raw))
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
    forged = await knock(browser, raw, sign(raw, secret="whsec_somebody_elses"))
    assert forged.status_code == 400, "a forged notice was let in"
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
    assert (await knock(browser, raw)).status_code == 413, "a huge body was read to its end"
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


@pytest.fixture
def new_secret(stripe: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a while there are two: the old one is still what the provider signs with."""
    monkeypatch.setattr(gateway.current(), "_webhook_secrets", ("whsec_of_tomorrow", WEBHOOK_SECRET))


async def test_while_secrets_are_changed_what_was_signed_with_the_old_one_is_kept(browser, new_secret, rings):
    assert (await knock(browser, notice())).status_code == 200, "a genuine notice was refused while secrets change"
    assert len(await kept()) == 1


# Without a guard


async def test_a_door_that_does_not_look_at_the_signature_lets_in_what_is_forged(browser):
    with breaks("forged notice was let in"), patch.object(stripe_gateway, "_signed_with", lambda *_: True):
        await test_a_forged_signature_or_a_changed_body_is_refused(browser)


async def test_a_door_that_does_not_look_at_the_time_believes_what_is_old(browser, rings):
    with breaks("of another time was believed"), patch.object(stripe_gateway, "NOTICE_TOLERANCE_SECONDS", 1e9):
        await test_a_notice_must_be_about_as_old_as_now(browser, rings, 301, 400)


async def test_a_door_that_leaves_the_time_to_the_library_believes_what_is_of_the_future(browser, rings):
    def as_the_library_does(raw: bytes, signature: str, secrets: tuple[str, ...]) -> None:
        library.WebhookSignature.verify_header(raw, signature, secrets[0], tolerance=300)

    with breaks("of another time was believed"), patch.object(stripe_gateway, "_verify", as_the_library_does):
        await test_a_notice_must_be_about_as_old_as_now(browser, rings, -360, 400)


async def test_a_door_that_does_not_look_at_the_mode_takes_a_test_for_money(browser, rings):
    def without_its_mode(raw: bytes, signature: str) -> gateway.Notice:
        return replace(honest(raw, signature), livemode=False)

    honest = notices.read
    with breaks("of the other mode"), patch.object(notices, "read", without_its_mode):
        await test_a_notice_of_the_other_mode_is_answered_and_ignored(browser, rings)


async def test_a_door_without_a_limit_reads_whatever_is_sent(browser):
    with (
        breaks("read to its end"),
        patch.object(HTTPRouteHandler, "resolve_request_max_body_size", lambda _: None),
    ):
        await test_a_huge_body_is_refused_unread(browser)


async def test_a_door_that_knows_one_secret_refuses_genuine_notices_while_secrets_change(browser, new_secret, rings):
    def by_the_first(raw: bytes, signature: str, secrets: tuple[str, ...]) -> None:
        honest(raw, signature, secrets[:1])

    honest = stripe_gateway._verify
    with breaks("refused while secrets change"), patch.object(stripe_gateway, "_verify", by_the_first):
        await test_while_secrets_are_changed_what_was_signed_with_the_old_one_is_kept(browser, new_secret, rings)
