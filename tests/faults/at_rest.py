"""How the books look when all is over: nothing under way any more, and ours say what the provider's say."""

from models import database as db
from tests.conftest import until
from tests.faults.conftest import Shop

ALL_JOBS = ("expire_holds", "handle_notices", "reconcile", "drain_outbox")

UNREST = """
    SELECT (SELECT count(*) FROM payment WHERE status IN ('CAPTURING', 'VOIDING'))
         + (SELECT count(*) FROM payment AS p WHERE status = 'OPEN' AND NOT EXISTS (
                SELECT 1 FROM reservation AS r WHERE r.checkout_id = p.checkout_id AND r.status = 'ACTIVE'))
         + (SELECT count(*) FROM reservation WHERE status = 'ACTIVE' AND expires_at < clock_timestamp())
         + (SELECT count(*) FROM outbox WHERE done_at IS NULL AND run_at < clock_timestamp() + interval '1 minute')
         + (SELECT count(*) FROM payment_notice WHERE handled_at IS NULL)
         + (SELECT count(*) FROM refund WHERE status = 'REQUESTED')
         + (SELECT count(*) FROM orders WHERE status = 'PAID')
"""

ORDER = {"COMPLETED": 1, "valid tickets": 2, "sold": 2, "taken": 4800, "given back": 0}
NOTHING = {"COMPLETED": 0, "valid tickets": 0, "sold": 0, "taken": 0, "given back": 0}
# Asked for at the desk, with the seats; or found at the provider, where the seats are not our matter.
REFUNDED = {**ORDER, "valid tickets": 0, "sold": 0, "given back": 4800}
FOUND = {**REFUNDED, "sold": 2}


async def rests(shop: Shop, ends: dict[str, int], *, wake: tuple[str, ...] = ()) -> None:
    """Wait until nothing is under way any more, and the books look as they should. Rings only make it sooner."""
    await shop.ring(*wake)
    seen: dict[str, int] = {}

    async def is_at_rest() -> bool:
        nonlocal seen
        seen = await _books(shop)
        if await db.fetchval(UNREST) == 0 and seen == ends:
            return True
        if not await shop.redis.zcard("arq:queue"):
            await shop.ring(*ALL_JOBS)
        return False

    try:
        await until(is_at_rest, patience=30)
    except TimeoutError:
        raise AssertionError(f"the books are {seen}, {await db.fetchval(UNREST)} not at rest") from None


async def nothing_is_left_over(shop: Shop) -> None:
    theirs = await shop.stripe.state()
    taken = {i["id"]: i["amount_received"] for i in theirs["intents"] if i["amount_received"]}
    orders = await db.fetch("SELECT payment_reference, total_amount FROM orders WHERE payment_provider = 'stripe'")
    assert taken == {o["payment_reference"]: o["total_amount"] for o in orders}, "charges and orders differ"
    assert not [i for i in theirs["intents"] if i["status"] == "requires_capture"], "an authorisation was forgotten"
    ours = await db.fetch("SELECT reference, amount FROM refund WHERE status <> 'FAILED' AND amount > 0")
    assert {r["id"]: r["amount"] for r in _gone_back(theirs)} == {r["reference"]: r["amount"] for r in ours}
    assert await db.fetchval("SELECT count(*) FROM payment WHERE status = 'CAPTURED'") == len(orders) or not taken


async def _books(shop: Shop) -> dict[str, int]:
    ours = await db.fetchrow(
        """SELECT (SELECT count(*) FROM orders WHERE status = 'COMPLETED') AS "COMPLETED",
                  (SELECT count(*) FROM ticket WHERE refund_id IS NULL) AS "valid tickets",
                  (SELECT sum(sold) FROM event) AS sold"""
    )
    theirs = await shop.stripe.state()
    return {
        **dict(ours),
        "taken": sum(intent["amount_received"] for intent in theirs["intents"]),
        "given back": sum(refund["amount"] for refund in _gone_back(theirs)),
    }


def _gone_back(theirs: dict) -> list[dict]:
    return [refund for refund in theirs["refunds"] if refund["status"] in ("pending", "succeeded")]
