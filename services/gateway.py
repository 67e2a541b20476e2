"""The payment gateway in our words. Stripe speaks through services.stripe_gateway, the only implementation."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from domain.refunds import RefundReason, RefundStatus


class IntentStatus(StrEnum):
    AWAITING_BUYER = "AWAITING_BUYER"  # no card yet, declined, or the bank is asking the buyer
    AUTHORISED = "AUTHORISED"  # the bank has set the money aside; nothing is taken yet
    CAPTURED = "CAPTURED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Intent:
    """What the provider says, when asked. `amount` in minor units: asked for, or taken once CAPTURED."""

    reference: str
    status: IntentStatus
    amount: int
    currency: str
    payment_id: UUID | None = None
    problem: str | None = None  # the last decline, as a code
    was_agreed: bool = False  # the bank has set the money aside at some time, also when it has been let go since
    client_secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ProviderRefund:
    """Money that went back, as the provider tells it. `refund_id`: ours; none when it was made elsewhere."""

    reference: str
    intent: str
    status: RefundStatus
    amount: int
    currency: str
    refund_id: UUID | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class ProviderDispute:
    """A card holder says that the charge was not theirs. `respond_by`: until when the bank hears our side."""

    id: str
    intent: str
    amount: int
    currency: str
    reason: str
    status: str
    respond_by: datetime | None


@dataclass(frozen=True, slots=True)
class Notice:
    """A verified webhook. Only a hint where to look: its contents are never believed."""

    id: str
    type: str
    reference: str | None
    payment_id: UUID | None
    livemode: bool
    payload: str


class OutcomeUnknown(Exception):
    """No trustworthy answer: the call may or may not have had its effect. Ask again, never guess."""

    def __init__(self, message: str, *, answered: bool = False) -> None:
        """`answered`: the provider has said 5xx again for the same idempotency key, and always will."""
        super().__init__(message)
        self.answered = answered


class NotAsked(OutcomeUnknown):
    """The line at the provider is long: we did not ask now, and shall in a moment."""


class RequestRefused(OutcomeUnknown):
    """A definite no for a reason that is ours: an amount it does not take, a wrong key, an intent of another account.

    Nothing happened. How the payment stands is as unknown as before; asking again gets the same no until a person
    has put it right.
    """

    def __init__(self, message: str, *, code: str | None, param: str | None = None) -> None:
        """`param`: the field of our request that it was about."""
        super().__init__(message)
        self.code = code
        self.param = param


def is_away(error: Exception) -> bool:
    """The provider is silent: it comes back. What it refuses, it refuses tomorrow too."""
    return isinstance(error, OutcomeUnknown) and not isinstance(error, RequestRefused)


class AuthorisationGone(RequestRefused):
    """The bank's word is over, although the intent still says that the money is set aside: it can never be taken."""


class WhyRefused(StrEnum):
    """Why a webhook was turned away."""

    SIGNATURE = "signature"  # none, or none of ours
    TOO_OLD = "too old"
    TOO_NEW = "too new"
    NOT_READABLE = "not readable"
    OTHER_MODE = "other mode"  # live where we test, or the other way round


class NoticeRefused(Exception):
    """The webhook is not genuine, too old, too new, or not readable."""

    def __init__(self, reason: WhyRefused, message: str = "") -> None:
        super().__init__(message or reason)
        self.reason = reason


class Gateway(Protocol):
    """Every call raises OutcomeUnknown; none is made while a transaction is open."""

    async def create(self, *, payment_id: UUID, attempt: int, amount: int, currency: str) -> Intent: ...

    async def retrieve(self, reference: str) -> Intent: ...

    async def capture(self, reference: str) -> Intent:
        """Take the authorised money; when it can no longer be taken, say how the intent stands."""
        ...

    async def cancel(self, reference: str) -> Intent:
        """Let the intent go; when it can no longer be cancelled, say how it stands."""
        ...

    async def refund(
        self, *, refund_id: UUID, attempt: int, reference: str, amount: int, currency: str, reason: RefundReason
    ) -> ProviderRefund:
        """Give money back. The caller has looked whether it was done before: see refunds_of."""
        ...

    async def refunds_of(self, reference: str) -> list[ProviderRefund]:
        """Every refund of an intent, whoever made it."""
        ...

    async def disputes_of(self, reference: str) -> list[ProviderDispute]: ...

    def intents_since(self, moment: datetime) -> AsyncIterator[list[Intent]]:
        """Every intent of the account made since, newest first, a page at a time."""
        ...

    def refunds_since(self, moment: datetime) -> AsyncIterator[list[ProviderRefund]]: ...

    def disputes_since(self, moment: datetime) -> AsyncIterator[list[ProviderDispute]]: ...

    def read_notice(self, raw: bytes, signature: str) -> Notice:
        """Raises NoticeRefused."""
        ...

    async def close(self) -> None: ...


_current: Gateway | None = None


def use(gateway: Gateway) -> None:
    global _current
    _current = gateway


def current() -> Gateway:
    assert _current is not None, "the composition root plugs in a gateway"
    return _current
