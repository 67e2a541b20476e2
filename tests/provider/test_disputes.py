"""A card holder asks their bank for the money: flagged here, and not refunded on top."""

from domain.refunds import Everything, RefundReason
from models import database as db
from services import disputes, gateway, refunds
from services.audit import SYSTEM
from tests.conftest import until
from tests.makers import key
from tests.provider.hands import DISPUTED, Hands
from tests.provider.provider import Provider
from tests.provider.purchase import Purchase


async def test_a_disputed_payment_is_flagged_with_its_reason_and_its_deadline(hands: Hands, provider: Provider):
    purchase = await _disputed(hands, provider)
    await disputes.sync(purchase.reference)
    found = await db.fetchrow("SELECT * FROM dispute")
    assert (found["amount"], found["currency"], found["reason"]) == (2400, "EUR", "fraudulent")
    assert found["status"] == "needs_response"
    assert found["respond_by"] is not None
    await hands.accept_dispute(found["id"])
    await disputes.sync(purchase.reference)
    assert await db.fetchval("SELECT status FROM dispute") == "lost"


async def test_what_the_bank_has_already_taken_is_not_refunded_on_top(hands: Hands, provider: Provider):
    purchase = await _disputed(hands, provider)
    refund_id = await refunds.request(
        (await purchase.order())["id"],
        Everything(),
        reason=RefundReason.REQUESTED,
        note="",
        seats_return=False,
        request_key=key(),
        actor=SYSTEM,
    )
    await refunds.run(refund_id)
    refused = await db.fetchrow("SELECT status, last_error FROM refund")
    assert tuple(refused) == ("FAILED", "charge_disputed"), "what will never be done is not asked for again"
    assert await purchase.refunds() == []


async def _disputed(hands: Hands, provider: Provider) -> Purchase:
    """The bank takes a moment to disagree."""
    purchase = await Purchase.complete(hands, card=DISPUTED)
    await until(lambda: gateway.current().disputes_of(purchase.reference), patience=provider.patience)
    return purchase
