"""Payments at any stage, for tests of what comes after. Everything that does not matter is filled in."""

from collections.abc import Awaitable
from typing import Any

import pytest
from stripe import PaymentIntent, StripeError

from tests.sandbox.running import Sandbox

OK, DECLINED, ASKS = "pm_card_visa", "pm_card_chargeDeclined", "pm_card_authenticationRequired"


async def create(sandbox: Sandbox, *, key: str | None = None, **fields: Any) -> PaymentIntent:
    params: Any = {
        "amount": 8400,
        "currency": "eur",
        "capture_method": "manual",
        "allowed_payment_method_types": ["card"],
        **fields,
    }
    if "payment_method_types" in params:
        del params["allowed_payment_method_types"]
    options: Any = {"idempotency_key": key} if key else {}
    return await sandbox.stripe().v1.payment_intents.create_async(params, options)


async def authorised(sandbox: Sandbox, *, key: str | None = None, card: str = OK) -> PaymentIntent:
    intent = await create(sandbox, key=key)
    return await sandbox.stripe().v1.payment_intents.confirm_async(intent.id, {"payment_method": card})


async def paid(sandbox: Sandbox, *, card: str = OK) -> PaymentIntent:
    intent = await authorised(sandbox, card=card)
    return await sandbox.stripe().v1.payment_intents.capture_async(intent.id)


async def refusal_of(call: Awaitable[Any]) -> Any:
    with pytest.raises(StripeError) as refusal:
        await call
    return refusal.value


async def events_since(sandbox: Sandbox, mark: str | None = None) -> list[str]:
    """The types of the events after one of them, oldest first."""
    params: Any = {"limit": 100} | ({"ending_before": mark} if mark else {})
    page = await sandbox.stripe().v1.events.list_async(params)
    return [event.type for event in page.data[::-1]]


async def last_event(sandbox: Sandbox) -> str:
    return (await sandbox.stripe().v1.events.list_async({"limit": 1})).data[0].id


async def charge_of(sandbox: Sandbox, intent: PaymentIntent) -> Any:
    return await sandbox.stripe().v1.charges.retrieve_async(str(intent.latest_charge))
