"""One buyer's purchase, ours and the provider's side of it."""

from typing import Any
from uuid import UUID

from models import database as db
from services import settlement
from services.gateway import Intent, ProviderRefund, current
from tests.makers import Made, hold_with_buyer, make_event, start_paying
from tests.provider.hands import VISA, Hands


class Purchase:
    """A buyer whose card form is open."""

    def __init__(self, hands: Hands, event: Made, checkout_id: UUID, intent: Intent) -> None:
        self.hands, self.event, self.checkout_id, self.intent = hands, event, checkout_id, intent
        self.reference = intent.reference

    @classmethod
    async def begin(cls, hands: Hands, event: Made | None = None, **quantities: int) -> "Purchase":
        event = event or await make_event(capacity=5)
        checkout_id = await hold_with_buyer(event, **quantities)
        return cls(hands, event, checkout_id, await start_paying(checkout_id))

    @classmethod
    async def complete(cls, hands: Hands, event: Made | None = None, *, card: str = VISA, **wish: int) -> "Purchase":
        purchase = await cls.begin(hands, event, **wish)
        await purchase.authorise(card)
        await purchase.settle()
        assert await purchase.has_its_tickets()
        return purchase

    async def authorise(self, card: str = VISA) -> None:
        assert await self.hands.pay(self.reference, card) == "requires_capture"

    async def settle(self) -> None:
        await settlement.settle(self.reference)

    async def order(self) -> Any:
        return await db.fetchrow("SELECT * FROM orders WHERE checkout_id = $1", self.checkout_id)

    async def payment(self) -> Any:
        return await db.fetchrow("SELECT * FROM payment WHERE reference = $1", self.reference)

    async def refunds(self) -> list[ProviderRefund]:
        return await current().refunds_of(self.reference)

    async def has_its_tickets(self) -> bool:
        there, order = await self.hands.look(self.reference), await self.order()
        assert order is not None, f"no order, although the payment is {there.status}"
        assert (there.status, there.amount_received) == ("succeeded", order["total_amount"])
        assert there.currency.upper() == order["currency"]
        assert (order["status"], (await self.payment())["status"]) == ("COMPLETED", "CAPTURED")
        tickets = await db.fetchval("SELECT count(*) FROM ticket WHERE order_id = $1", order["id"])
        assert tickets == order["total_quantity"]
        return True

    async def was_not_charged(self) -> bool:
        there = await self.hands.look(self.reference)
        assert (there.status, there.amount_received) == ("canceled", 0)
        assert await self.order() is None
        assert (await self.payment())["status"] == "VOIDED"
        return True
