"""What a buyer, a bank and a person in the Dashboard do, through the API and with the shop's own key.

There is no browser here: a buyer pays by confirming with one of Stripe's published test payment methods
(https://docs.stripe.com/testing, “PaymentMethods”), and cannot answer a bank that asks.
"""

from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import stripe

from tests.provider.provider import Provider
from tests.provider.wire import WatchedClient, Wire

VISA = "pm_card_visa"
ASKS = "pm_card_authenticationRequired"
DISPUTED = "pm_card_createDispute"
SLOW_TO_REFUND = "pm_card_pendingRefund"
# What the bank says to each, as docs.stripe.com/testing#declined-payments has it: (code, decline code).
DECLINED = {
    "pm_card_visa_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_visa_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "pm_card_visa_chargeDeclinedLostCard": ("card_declined", "lost_card"),
    "pm_card_chargeDeclinedExpiredCard": ("expired_card", "expired_card"),
    "pm_card_chargeDeclinedIncorrectCvc": ("incorrect_cvc", "incorrect_cvc"),
}
# Where a bank's page would send the buyer back to; nobody goes there.
NOWHERE = "https://example.org/checkout"
MARK = "foyer_live_check"


@dataclass(frozen=True)
class Look:
    """An intent as the provider shows it."""

    status: str
    amount: int
    amount_received: int
    amount_capturable: int
    currency: str
    capture_method: str
    payment_method_types: tuple[str, ...]
    livemode: bool
    metadata: dict[str, str]
    created: datetime


class Hands:
    def __init__(self, provider: Provider, wire: Wire) -> None:
        self.wire = wire
        self._provider = provider
        self._http = WatchedClient(wire, timeout=30)
        self._v1 = stripe.StripeClient(
            provider.secret_key,
            base_addresses={"api": provider.api_base},
            http_client=self._http,
            max_network_retries=1,
        ).v1

    async def close(self) -> None:
        await self._http.close_async()

    async def pay(self, intent: str, card: str = VISA) -> str:
        """Enter a card and press Pay. Returns the intent's status then, or why the bank said no."""
        try:
            confirmed = await self._v1.payment_intents.confirm_async(
                intent, {"payment_method": card, "return_url": NOWHERE}
            )
        except stripe.CardError:
            return self.wire.answers[-1].decline_code or self.wire.answers[-1].code
        return confirmed.status

    async def pay_too_late(self, intent: str) -> tuple[int, str]:
        """Press Pay on a form whose payment was called off. Returns the refusal."""
        await self._try(self._v1.payment_intents.confirm_async(intent, {"payment_method": VISA}))
        return self.wire.codes("confirm")[-1]

    async def look(self, intent: str) -> Look:
        found = await self._v1.payment_intents.retrieve_async(intent)
        return Look(
            status=found.status,
            amount=found.amount,
            amount_received=found.amount_received,
            amount_capturable=found.amount_capturable,
            currency=found.currency,
            capture_method=found.capture_method,
            payment_method_types=tuple(found.payment_method_types),
            livemode=found.livemode,
            metadata=found.metadata.to_dict() if found.metadata else {},
            created=datetime.fromtimestamp(found.created, UTC),
        )

    async def ask_for(self, amount: int, currency: str) -> str | None:
        """Make an intent as the shop does. Returns it, or None when it was refused; the wire has heard why."""
        return await self._try(
            self._v1.payment_intents.create_async(
                {
                    "amount": amount,
                    "currency": currency.lower(),
                    "capture_method": "manual",
                    "allowed_payment_method_types": ["card"],
                    "metadata": {MARK: "a question"},
                }
            )
        )

    async def change_amount(self, intent: str, amount: int) -> None:
        await self._v1.payment_intents.update_async(intent, {"amount": amount})

    async def capture(self, intent: str, amount: int | None = None) -> str | None:
        params: Any = {} if amount is None else {"amount_to_capture": amount}
        return await self._try(self._v1.payment_intents.capture_async(intent, params))

    async def cancel(self, intent: str) -> str | None:
        return await self._try(self._v1.payment_intents.cancel_async(intent))

    async def refund(self, intent: str, amount: int | None = None) -> str | None:
        params: Any = {"payment_intent": intent} | ({} if amount is None else {"amount": amount})
        return await self._try(self._v1.refunds.create_async(params))

    async def accept_dispute(self, dispute: str) -> None:
        await self._v1.disputes.close_async(dispute)

    async def events_about(self, intent: str, *types: str) -> list[dict[str, Any]]:
        """What happened, as Stripe keeps it: the same objects that its webhooks carry. Oldest first."""
        since = int((await self.look(intent)).created.timestamp())
        found = await self._v1.events.list_async({"types": list(types), "created": {"gte": since}, "limit": 100})
        return [event for event in map(_plain, reversed(found.data)) if intent in _subjects(event)]

    async def seen_by_a_page(self, intent: str, client_secret: str) -> httpx.Response:
        """What Stripe.js asks first, with the publishable key."""
        async with httpx.AsyncClient() as browser:
            return await browser.get(
                f"{self._provider.api_base}/v1/payment_intents/{intent}",
                params={"client_secret": client_secret, "key": self._provider.publishable_key},
            )

    async def tidy_up(self, run: str) -> list[str]:
        """Leave nothing open, give test money back, and take our mark off: another shop of this account must not
        take these for payments of its own. Returns what could not be tidied."""
        left = []
        for intent in self.wire.made:
            try:
                await self._tidy(intent, run)
            except stripe.StripeError as problem:
                left.append(f"{intent}: {problem.code or type(problem).__name__}")
        return left

    async def _tidy(self, intent: str, run: str) -> None:
        status = (await self.look(intent)).status
        if status == "succeeded":
            with suppress(stripe.InvalidRequestError):  # all of it has gone back already, or it is disputed
                await self._v1.refunds.create_async({"payment_intent": intent, "metadata": {MARK: run}})
            for dispute in (await self._v1.disputes.list_async({"payment_intent": intent})).data:
                if dispute.status == "needs_response":
                    await self.accept_dispute(dispute.id)
        elif status != "canceled":
            await self._v1.payment_intents.cancel_async(intent)
        await self._v1.payment_intents.update_async(intent, {"metadata": {"payment_id": "", MARK: run}})

    async def _try(self, call: Awaitable[Any]) -> str | None:
        try:
            return (await call).id
        except stripe.InvalidRequestError:
            return None


def _plain(event: stripe.Event) -> dict[str, Any]:
    return event.to_dict()


def _subjects(event: dict[str, Any]) -> set[str | None]:
    subject = event["data"]["object"]
    return {subject.get("id"), subject.get("payment_intent")}
