"""What the provider keeps: its list of payments, its events, and its books beside ours."""

import json
import time
from datetime import timedelta
from uuid import uuid4

import pytest
from stripe import WebhookSignature

from domain.refunds import RefundReason
from models import database as db
from services import comparison, gateway, notices, refunds, stripe_gateway
from services.gateway import Notice
from tests.conftest import WEBHOOK_SECRET, until
from tests.provider.hands import Hands
from tests.provider.provider import Provider
from tests.provider.purchase import Purchase

AGREED, TAKEN, WENT_BACK = "payment_intent.amount_capturable_updated", "payment_intent.succeeded", "charge.refunded"


async def test_the_list_of_payments_is_read_to_the_last_page(
    hands: Hands, provider: Provider, monkeypatch: pytest.MonkeyPatch
):
    made = {(await Purchase.begin(hands)).reference for _ in range(5)}
    since = min([(await hands.look(reference)).created for reference in made])
    monkeypatch.setattr(stripe_gateway, "PAGE", 2)

    async def listed() -> bool:
        pages = [page async for page in gateway.current().intents_since(since)]
        assert all(len(page) <= 2 for page in pages)
        return made <= {intent.reference for page in pages for intent in page}

    await until(listed, patience=provider.patience)


async def test_after_all_that_can_happen_the_books_agree(hands: Hands, monkeypatch: pytest.MonkeyPatch):
    """Only what is younger than two hours, so that an account with a past is not read from the beginning."""
    monkeypatch.setattr(comparison, "WINDOW", timedelta(hours=2))
    paid, partly_back, taken_over = [await Purchase.complete(hands) for _ in range(3)]
    await gateway.current().refund(
        refund_id=uuid4(),
        attempt=0,
        reference=partly_back.reference,
        amount=900,
        currency="EUR",
        reason=RefundReason.GOODWILL,
    )
    await refunds.sync(partly_back.reference)
    await hands.refund(taken_over.reference, 2400)  # the comparison itself finds this one
    declined, unpaid, cancelled = [await Purchase.begin(hands) for _ in range(3)]
    await hands.pay(declined.reference, "pm_card_visa_chargeDeclined")
    await hands.cancel(cancelled.reference)
    ours = [p.reference for p in (paid, partly_back, taken_over, declined, unpaid, cancelled)]
    assert await comparison.compare() >= len(ours)
    assert await db.fetch("SELECT * FROM discrepancy WHERE reference = ANY($1)", ours) == []
    assert await db.fetchval("SELECT sum(amount) FROM refund") == 900 + 2400


async def test_an_event_as_the_provider_keeps_it_settles_a_purchase(hands: Hands, provider: Provider):
    """Signed by ourselves: a real signature needs an address that the provider can reach."""
    purchase = await Purchase.begin(hands)
    await purchase.authorise()
    notice = await _notice(hands, provider, purchase, AGREED)
    assert notice.payment_id == (await purchase.payment())["id"]
    assert await notices.keep(notice)
    await notices.handle_due()
    assert await purchase.has_its_tickets()
    assert (await _notice(hands, provider, purchase, TAKEN)).reference == purchase.reference


async def test_an_event_about_a_refund_names_the_payment_it_is_about(hands: Hands, provider: Provider):
    purchase = await Purchase.complete(hands)
    theirs = await hands.refund(purchase.reference, 2400)
    notice = await _notice(hands, provider, purchase, WENT_BACK)
    assert await notices.keep(notice)
    await notices.handle_due()
    assert await db.fetchval("SELECT reason FROM refund WHERE reference = $1", theirs) == "OUTSIDE"


async def _notice(hands: Hands, provider: Provider, purchase: Purchase, kind: str) -> Notice:
    found: list[dict] = []

    async def happened() -> bool:
        found[:] = await hands.events_about(purchase.reference, kind)
        return bool(found)

    await until(happened, patience=provider.patience)
    payload, signed_at = json.dumps(found[0], default=str), int(time.time())
    signature = WebhookSignature._compute_signature(f"{signed_at}.{payload}", WEBHOOK_SECRET)
    notice = gateway.current().read_notice(payload.encode(), f"t={signed_at},v1={signature}")
    assert (notice.type, notice.reference, notice.livemode) == (kind, purchase.reference, False)
    return notice
