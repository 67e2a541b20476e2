"""Stripe: the one front door. What makes something carries our own idempotency key; capture and cancel need none,
an intent can be taken or let go only once.

https://docs.stripe.com/api/payment_intents, /error-low-level, /webhooks (API version as pinned by the SDK).
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import httpx
import stripe
from stripe import HTTPXClient, StripeClient

from domain.refunds import RefundReason, RefundStatus
from services import pace
from services.gateway import (
    AuthorisationGone,
    Intent,
    IntentStatus,
    Notice,
    NoticeRefused,
    OutcomeUnknown,
    ProviderDispute,
    ProviderRefund,
    RequestRefused,
    WhyRefused,
)

Theirs = TypeVar("Theirs")
Ours = TypeVar("Ours")

TIMEOUT_SECONDS = 10.0
CONNECT_SECONDS = 3.0
# All of an attempt, however slowly its answer drips.
ATTEMPT_SECONDS = 12.0
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

REFUND_STATUS = {
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.PENDING,
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.FAILED,
}
# Stripe knows three reasons; ours is kept in our own row.
REFUND_REASON: dict[RefundReason, Any] = {
    RefundReason.DUPLICATE: "duplicate",
    RefundReason.FRAUDULENT: "fraudulent",
}
# What a capture is refused with when this authorisation will never be money. https://docs.stripe.com/error-codes
NEVER_MONEY = frozenset(
    {
        "capture_charge_authorization_expired",
        "capture_unauthorized_payment",
        "charge_expired_for_capture",
        "card_declined",
        "expired_card",
    }
)
PAGE = 100
# Opens a buyer's payment form. A notice is kept to the letter but for this, once its signature has been verified.
CLIENT_SECRET = re.compile(r'("client_secret"\s*:\s*)"(?:[^"\\]|\\.)*"')
# Stripe counts these in hundredths that must be 00, although there are none.
# https://docs.stripe.com/currencies#special-cases
COUNTED_IN_HUNDREDTHS = frozenset({"ISK", "UGX"})


class PacedClient(HTTPXClient):
    """Every attempt waits for its turn, the SDK's own second ones included."""

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        await pace.wait_for_turn()
        pace.allow(ATTEMPT_SECONDS)
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                answer = await super().request_async(method, url, headers, post_data)
        except TimeoutError as error:
            raise stripe.APIConnectionError("the answer took too long", should_retry=True) from error
        if answer[1] == 429:
            await pace.slow_down()
        return answer


class StripeGateway:
    def __init__(self, *, secret_key: str, api_base: str, webhook_secrets: tuple[str, ...]) -> None:
        self._http = PacedClient(timeout=httpx.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS))
        api = StripeClient(
            secret_key, base_addresses={"api": api_base}, http_client=self._http, max_network_retries=1
        ).v1
        self._intents, self._refunds, self._disputes = api.payment_intents, api.refunds, api.disputes
        self._webhook_secrets = webhook_secrets
        self._asking: dict[tuple[str, bool], asyncio.Task[Intent]] = {}

    async def create(self, *, payment_id: UUID, attempt: int, amount: int, currency: str) -> Intent:
        """Manual capture: the bank only sets the money aside, we take it once the seats are nailed down."""
        intent = await _answer(
            self._intents.create_async(
                {
                    "amount": _wire_amount(amount, currency),
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
        """Whoever asks the same at the same time shares one call: a page reloaded in haste makes no line for others."""
        question = (reference, pace.is_in_background())
        asking = self._asking.get(question)
        if asking is None:
            asking = self._asking[question] = asyncio.create_task(self._retrieve(reference))
            asking.add_done_callback(partial(self._answered, question))
        return await asyncio.shield(asking)

    async def _retrieve(self, reference: str) -> Intent:
        return _intent(await _answer(self._intents.retrieve_async(reference, {"expand": ["latest_charge"]})))

    def _answered(self, question: tuple[str, bool], asking: asyncio.Task[Intent]) -> None:
        del self._asking[question]
        if not asking.cancelled():
            asking.exception()  # heard, even when everybody who asked has gone

    async def capture(self, reference: str) -> Intent:
        try:
            return await self._change(reference, self._intents.capture_async(reference))
        except RequestRefused as refusal:
            if refusal.code in NEVER_MONEY:
                raise AuthorisationGone(str(refusal), code=refusal.code) from refusal
            raise

    async def cancel(self, reference: str) -> Intent:
        return await self._change(reference, self._intents.cancel_async(reference, {"expand": ["latest_charge"]}))

    async def refund(
        self, *, refund_id: UUID, attempt: int, reference: str, amount: int, currency: str, reason: RefundReason
    ) -> ProviderRefund:
        made = await _answer(
            self._refunds.create_async(
                {
                    "payment_intent": reference,
                    "amount": _wire_amount(amount, currency),
                    "reason": REFUND_REASON.get(reason, "requested_by_customer"),
                    "metadata": {"refund_id": str(refund_id)},
                },
                {"idempotency_key": f"refund-{refund_id}-{attempt}"},
            )
        )
        return _refund(made)

    async def refunds_of(self, reference: str) -> list[ProviderRefund]:
        pages = _pages(self._refunds.list_async, {"payment_intent": reference}, _refund)
        return [refund async for page in pages for refund in page]

    async def disputes_of(self, reference: str) -> list[ProviderDispute]:
        pages = _pages(self._disputes.list_async, {"payment_intent": reference}, _dispute)
        return [dispute async for page in pages for dispute in page]

    def intents_since(self, moment: datetime) -> AsyncIterator[list[Intent]]:
        return _pages(self._intents.list_async, {"created": {"gte": int(moment.timestamp())}}, _intent)

    def refunds_since(self, moment: datetime) -> AsyncIterator[list[ProviderRefund]]:
        return _pages(self._refunds.list_async, {"created": {"gte": int(moment.timestamp())}}, _refund)

    def disputes_since(self, moment: datetime) -> AsyncIterator[list[ProviderDispute]]:
        return _pages(self._disputes.list_async, {"created": {"gte": int(moment.timestamp())}}, _dispute)

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
                payload=CLIENT_SECRET.sub(r'\1"redacted"', raw.decode()),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise NoticeRefused(WhyRefused.NOT_READABLE, str(error)) from error

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


async def _pages(
    list_async: Callable[..., Awaitable[Any]], query: dict[str, Any], read: Callable[[Theirs], Ours]
) -> AsyncIterator[list[Ours]]:
    """Page after page, each asked for when the one before has been dealt with."""
    after: dict[str, Any] = {}
    while True:
        page = await _answer(list_async({**query, **after, "limit": PAGE}))
        yield [read(found) for found in page.data]
        if not page.has_more:
            return
        after = {"starting_after": page.data[-1].id}


async def _answer(call: Awaitable[Theirs]) -> Theirs:
    """Say in our words why there is no answer: the outcome is open, or the request was refused for good."""
    try:
        return await call
    except (stripe.APIConnectionError, stripe.RateLimitError) as error:
        raise OutcomeUnknown(str(error)) from error
    except stripe.StripeError as error:
        if error.http_status == 409:  # the same key is under way right now
            raise OutcomeUnknown(str(error)) from error
        if (error.http_status or 500) >= 500:
            # Only what is said again for the same key is the end of that key: a 503 may overtake the call it is about.
            replayed = (error.headers or {}).get("idempotent-replayed") == "true"
            raise OutcomeUnknown(str(error), answered=replayed) from error
        raise RequestRefused(str(error), code=error.code, param=getattr(error, "param", None)) from error


def _intent(found: stripe.PaymentIntent) -> Intent:
    problem = found.last_payment_error
    metadata = found.metadata.to_dict() if found.metadata else {}
    return Intent(
        reference=found.id,
        status=STATUS[found.status],
        # By hand, in the Dashboard, a part can be taken of what was asked for.
        amount=_our_amount(found.amount_received if found.status == "succeeded" else found.amount, found.currency),
        currency=found.currency.upper(),
        payment_id=_uuid(metadata.get("payment_id")),
        # Fields that Stripe did not send are not there at all: a failed 3-D Secure has no decline_code.
        problem=(getattr(problem, "decline_code", None) or getattr(problem, "code", None)) if problem else None,
        was_agreed=_was_agreed(found.latest_charge),
        client_secret=found.client_secret or "",
    )


def _was_agreed(charge: str | stripe.Charge | None) -> bool:
    """An authorisation is a charge that succeeded, and stays one when it is let go: those who ask for it see that."""
    return isinstance(charge, stripe.Charge) and charge.status == "succeeded"


def _wire_amount(amount: int, currency: str) -> int:
    return amount * 100 if currency.upper() in COUNTED_IN_HUNDREDTHS else amount


def _our_amount(amount: int, currency: str) -> int:
    return amount // 100 if currency.upper() in COUNTED_IN_HUNDREDTHS else amount


def _refund(found: stripe.Refund) -> ProviderRefund:
    metadata = found.metadata.to_dict() if found.metadata else {}
    return ProviderRefund(
        reference=found.id,
        intent=_id(found.payment_intent),
        status=REFUND_STATUS[found.status or "pending"],
        amount=_our_amount(found.amount, found.currency),
        currency=found.currency.upper(),
        refund_id=_uuid(metadata.get("refund_id")),
        problem=getattr(found, "failure_reason", None),
    )


def _dispute(found: stripe.Dispute) -> ProviderDispute:
    due_by = getattr(found.evidence_details, "due_by", None)
    return ProviderDispute(
        id=found.id,
        intent=_id(found.payment_intent),
        amount=_our_amount(found.amount, found.currency),
        currency=found.currency.upper(),
        reason=found.reason,
        status=found.status,
        respond_by=datetime.fromtimestamp(due_by, UTC) if due_by else None,
    )


def _id(intent: str | stripe.PaymentIntent | None) -> str:
    """Stripe sends the id, or the whole object to those who ask for it."""
    return (intent if isinstance(intent, str) else intent.id) if intent else ""


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def _verify(raw: bytes, signature: str, secrets: tuple[str, ...]) -> None:
    """By any of the secrets, then by its time: an old genuine notice says something else than a forged one."""
    if not any(_signed_with(secret, raw, signature) for secret in secrets):
        raise NoticeRefused(WhyRefused.SIGNATURE)
    age = time.time() - next(int(part[2:]) for part in signature.split(",") if part.startswith("t="))
    if age > NOTICE_TOLERANCE_SECONDS:
        raise NoticeRefused(WhyRefused.TOO_OLD)
    if age < -NOTICE_TOLERANCE_SECONDS:
        raise NoticeRefused(WhyRefused.TOO_NEW)


def _signed_with(secret: str, raw: bytes, signature: str) -> bool:
    try:
        return stripe.WebhookSignature.verify_header(raw, signature, secret, tolerance=None)
    except stripe.SignatureVerificationError:
        return False
