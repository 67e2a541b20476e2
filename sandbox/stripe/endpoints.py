"""Which path is which verb, and which of the SDK's TypedDicts lists its parameters."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.stripe import charges, disputes, intents, refunds
from sandbox.stripe.ledger import Ledger
from sandbox.stripe.wire import ApiError, Json


@dataclass(frozen=True)
class Endpoint:
    method: str
    path: str
    op: str
    verb: Callable[..., Json]
    shape: str | None = None  # the SDK's TypedDict that lists its parameters
    client: bool = False  # may be called by a page, with publishable key and client secret

    @property
    def name(self) -> str:
        """As it stands in the call log and in the fault switches: `payment_intents.capture`."""
        return f"{self.path.split('/')[0]}.{self.op}"


def retrieve_event(ledger: Ledger, params: Json, event_id: str) -> Json:
    return ledger.find("event", event_id)


def list_events(ledger: Ledger, params: Json) -> Json:
    return ledger.list_page("event", params, "/v1/events")


def retrieve_method(ledger: Ledger, params: Json, method_id: str) -> Json:
    return ledger.find("payment_method", method_id)


def retrieve_account(ledger: Ledger, params: Json) -> Json:
    return {"id": "acct_sandbox", "object": "account", "charges_enabled": True, "payouts_enabled": True}


ENDPOINTS = [
    Endpoint("POST", "payment_intents", "create", intents.create, "PaymentIntentCreateParams"),
    Endpoint("GET", "payment_intents", "list", intents.list_all, "PaymentIntentListParams"),
    Endpoint("GET", "payment_intents/{}", "retrieve", intents.retrieve, "PaymentIntentRetrieveParams", client=True),
    Endpoint("POST", "payment_intents/{}", "update", intents.update, "PaymentIntentUpdateParams"),
    Endpoint(
        "POST",
        "payment_intents/{}/confirm",
        "confirm",
        intents.confirm,
        "PaymentIntentConfirmParams",
        client=True,
    ),
    Endpoint("POST", "payment_intents/{}/authenticate", "authenticate", intents.authenticate, None, client=True),
    Endpoint("POST", "payment_intents/{}/capture", "capture", intents.capture, "PaymentIntentCaptureParams"),
    Endpoint("POST", "payment_intents/{}/cancel", "cancel", intents.cancel, "PaymentIntentCancelParams"),
    Endpoint("GET", "payment_methods/{}", "retrieve", retrieve_method, "PaymentMethodRetrieveParams"),
    Endpoint("GET", "charges", "list", charges.list_all, "ChargeListParams"),
    Endpoint("GET", "charges/{}", "retrieve", charges.retrieve, "ChargeRetrieveParams"),
    Endpoint("POST", "refunds", "create", refunds.create, "RefundCreateParams"),
    Endpoint("GET", "refunds", "list", refunds.list_all, "RefundListParams"),
    Endpoint("GET", "refunds/{}", "retrieve", refunds.retrieve, "RefundRetrieveParams"),
    Endpoint("POST", "refunds/{}", "update", refunds.update, "RefundUpdateParams"),
    Endpoint("POST", "refunds/{}/cancel", "cancel", refunds.cancel, "RefundCancelParams"),
    Endpoint("GET", "disputes", "list", disputes.list_all, "DisputeListParams"),
    Endpoint("GET", "disputes/{}", "retrieve", disputes.retrieve, "DisputeRetrieveParams"),
    Endpoint("POST", "disputes/{}", "update", disputes.update, "DisputeUpdateParams"),
    Endpoint("POST", "disputes/{}/close", "close", disputes.close, "DisputeCloseParams"),
    Endpoint("GET", "events", "list", list_events, "EventListParams"),
    Endpoint("GET", "events/{}", "retrieve", retrieve_event, "EventRetrieveParams"),
    Endpoint("GET", "account", "retrieve", retrieve_account, "AccountRetrieveParams"),
]


OPS = tuple(sorted({endpoint.name for endpoint in ENDPOINTS}))


def find(method: str, path: str) -> tuple[Endpoint, tuple[str, ...]]:
    for endpoint in ENDPOINTS:
        pattern = "/v1/" + endpoint.path.replace("{}", r"([\w-]+)")
        if endpoint.method == method and (match := re.fullmatch(pattern, path.rstrip("/"))):
            return endpoint, match.groups()
    raise ApiError(404, f"Unrecognized request URL ({method}: {path}). The sandbox speaks what Foyer needs of Stripe.")
