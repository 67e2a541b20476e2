"""Stripe: the one front door. What makes something carries our own idempotency key; capture and cancel need none,
an intent can be taken or let go only once.

https://docs.stripe.com/api/payment_intents, /error-low-level, /webhooks (API version as pinned by the SDK).
"""

import json
import time
from collections.abc import Awaitable
from uuid import UUID

import stripe
from stripe import HTTPXClient, StripeClient

from services.gateway import Intent, IntentStatus, Notice, NoticeRefused, OutcomeUnknown, RequestRefused

TIMEOUT_SECONDS = 10.0
NOTICE_TOLERANCE_SECONDS = 300

STATUS = {
    "requires_payment_method": IntentStatus.AWAITING_BUYER,
    "requires_confirmation": IntentStatus.AWAITING_BUYER,
    "requires_action": IntentStatus.AWAITING_BUYER,
    "processing": IntentStatus.AWAITING_BUYER,
    "requires_capture": IntentStatus.AUTHORISED,
    "succeeded": IntentStatus.CAPTURED,
    "canceled": IntentStatus.CANCELLED,
}


class StripeGateway:
    def __init__(self, *, secret_key: str, api_base: str, webhook_secrets: tuple[str, ...]) -> None:
        self._http = HTTPXClient(timeout=TIMEOUT_SECONDS)
        self._intents = StripeClient(
            secret_key, base_addresses={"api": api_base}, http_client=self._http, max_network_retries=1
        ).v1.payment_intents
        self._webhook_secrets = webhook_secrets

    async def create(self, *, payment_id: UUID, attempt: int, amount: int, currency: str) -> Intent:
        """Manual capture: the bank only sets the money aside, we take it once the seats are nailed down."""
        intent = await _answer(
            self._intents.create_async(
                {
                    "amount": amount,
                    "currency": currency.lower(),
                    "capture_method": "manual",
                    "allowed_payment_method_types": ["card"],
                    "metadata": {"payment_id": str(payment_id)},
                },
                {"idempotency_key": f"create-{payment_id}-{attempt}"},
            )
        )
        return _intent(intent)

    async def retrieve(self, reference: str) -> Intent:
        return _intent(await _answer(self._intents.retrieve_async(reference)))

    async def capture(self, reference: str) -> Intent:
        return await self._change(reference, self._intents.capture_async(reference))

    async def cancel(self, reference: str) -> Intent:
        return await self._change(reference, self._intents.cancel_async(reference))

    def read_notice(self, raw: bytes, signature: str) -> Notice:
        """Any of our secrets may have signed it. The library accepts timestamps from the future: we do not."""
        try:
            _verify(raw, signature, self._webhook_secrets)
            event = json.loads(raw)
            subject = event["data"]["object"]
            is_intent = subject.get("object") == "payment_intent"
            reference = subject["id"] if is_intent else subject.get("payment_intent")
            return Notice(
                id=event["id"],
                type=event["type"],
                reference=reference,
                payment_id=_uuid((subject.get("metadata") or {}).get("payment_id")),
                livemode=bool(event["livemode"]),
                payload=raw.decode(),
            )
        except (stripe.SignatureVerificationError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise NoticeRefused(str(error)) from error

    async def close(self) -> None:
        await self._http.close_async()

    async def _change(self, reference: str, call: Awaitable[stripe.PaymentIntent]) -> Intent:
        """Stripe's own state machine is the guard: when it says no, look how the intent stands."""
        try:
            return _intent(await _answer(call))
        except RequestRefused as refusal:
            if refusal.code != "payment_intent_unexpected_state":
                raise
            return await self.retrieve(reference)


async def _answer(call: Awaitable[stripe.PaymentIntent]) -> stripe.PaymentIntent:
    """Say in our words why there is no answer: the outcome is open, or the request was refused for good."""
    try:
        return await call
    except (stripe.APIConnectionError, stripe.RateLimitError) as error:
        raise OutcomeUnknown(str(error)) from error
    except stripe.StripeError as error:
        if error.http_status == 409:  # the same key is under way right now
            raise OutcomeUnknown(str(error)) from error
        if (error.http_status or 500) >= 500:
            raise OutcomeUnknown(str(error), answered=True) from error
        raise RequestRefused(str(error), code=error.code) from error


def _intent(found: stripe.PaymentIntent) -> Intent:
    problem = found.last_payment_error
    metadata = found.metadata.to_dict() if found.metadata else {}
    return Intent(
        reference=found.id,
        status=STATUS[found.status],
        # By hand, in the Dashboard, a part can be taken of what was asked for.
        amount=found.amount_received if found.status == "succeeded" else found.amount,
        currency=found.currency.upper(),
        payment_id=_uuid(metadata.get("payment_id")),
        # Fields that Stripe did not send are not there at all: a failed 3-D Secure has no decline_code.
        problem=(getattr(problem, "decline_code", None) or getattr(problem, "code", None)) if problem else None,
        client_secret=found.client_secret or "",
    )


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def _verify(raw: bytes, signature: str, secrets: tuple[str, ...]) -> None:
    if not secrets:
        raise NoticeRefused("there is no secret to verify it with")
    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(raw, signature, secret, NOTICE_TOLERANCE_SECONDS)
            break
        except stripe.SignatureVerificationError:
            if secret == secrets[-1]:
                raise
    signed_at = next(int(part[2:]) for part in signature.split(",") if part.startswith("t="))
    if signed_at > time.time() + NOTICE_TOLERANCE_SECONDS:
        raise NoticeRefused("signed in the future")
