"""The sandbox's own switches and windows: faults, reset, state, and what a person would do in the Dashboard.

| call                                                  | does                                                        |
|-------------------------------------------------------|-------------------------------------------------------------|
| GET  /_sandbox/health                                 | 200 when it serves                                          |
| GET  /_sandbox/state                                  | intents, refunds, disputes, webhooks, faults, calls, rate   |
| POST /_sandbox/faults                                 | see faults.py                                               |
| POST /_sandbox/reset                                  | forgets everything, mails too                               |
| POST /_sandbox/payments                               | takes over payments made before: captured, nobody is told   |
| POST /_sandbox/payments/unknown                       | which of these references no payment here has               |
| POST /_sandbox/intents/{id}/capture, cancel, refund   | as if in the Dashboard; body as in the API, optional        |
| POST /_sandbox/intents/{id}/expire_authorisation      | as if the seven days were over                              |
| POST /_sandbox/intents/{id}/dispute                   | the buyer calls their bank; reason, amount, inquiry         |
| POST /_sandbox/refunds/{id}/succeed, fail, cancel     | what becomes of a refund; fail takes a failure reason       |
| POST /_sandbox/disputes/{id}/win, lose                | what the buyer's bank decides in the end                    |
| POST /_sandbox/events/{id}/resend                     | the same notice once more, however old                      |

`payments` takes {"payments": [{"reference", "amount", "currency", "created", "metadata"}, …]}, thousands at once, all
or none; what is known already stays as it is, and the answer says how many were `new`. Its `unknown` takes and gives
{"references": […]}.

Every answer of a verb is the object as it is then; a refusal is Stripe's error with its status. `state` holds no
secrets; its `rate` says how many calls the shop made in its busiest second, and how many were refused.
"""

from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec
from litestar import Request, Response, get, post
from litestar.connection import ASGIConnection
from litestar.exceptions import PermissionDeniedException

from sandbox.mail import Mailbox
from sandbox.stripe import disputes, intents, past, refunds, switches
from sandbox.stripe.ledger import Ledger
from sandbox.stripe.machine import Machine
from sandbox.stripe.wire import ApiError, Json, public

Verb = Callable[[Ledger, str, Json], Json]
DASHBOARD: dict[str, dict[str, Verb]] = {
    "intents": {
        "capture": lambda ledger, id, params: intents.capture(ledger, params, id),
        "cancel": lambda ledger, id, params: intents.cancel(ledger, params, id),
        "refund": lambda ledger, id, params: refunds.create(ledger, {**params, "payment_intent": id}),
        "expire_authorisation": lambda ledger, id, params: intents.expire_authorisation(ledger, id),
        "dispute": lambda ledger, id, params: disputes.open_by_hand(ledger, params, id),
    },
    "refunds": {
        "succeed": lambda ledger, id, params: refunds.succeed(ledger, id),
        "fail": lambda ledger, id, params: refunds.fail(ledger, id, params.get("reason", "unknown")),
        "cancel": lambda ledger, id, params: refunds.withdraw(ledger, id),
    },
    "disputes": {
        "win": lambda ledger, id, params: disputes.decide(ledger, id, "won"),
        "lose": lambda ledger, id, params: disputes.decide(ledger, id, "lost"),
    },
    "events": {
        "resend": lambda ledger, id, params: ledger.tell_again(id),
    },
}


def refuse_strangers(request: ASGIConnection, _: object) -> None:
    """A page of another site must not press these buttons through somebody's browser."""
    origin = request.headers.get("Origin")
    if origin and urlsplit(origin).netloc != request.headers.get("Host"):
        raise PermissionDeniedException("Only the sandbox's own pages may do this.")


@get("/_sandbox/health", sync_to_thread=False)
def health() -> dict[str, bool]:
    return {"ok": True}


@get("/_sandbox/state", sync_to_thread=False)
def state(machine: Machine) -> Json:
    return {
        "intents": [_without_secret(intent) for intent in machine.store.page("payment_intent")],
        "refunds": machine.store.page("refund"),
        "disputes": machine.store.page("dispute"),
        "webhooks": {"mode": machine.outbox.mode, "waiting": machine.outbox.waiting()},
        "faults": machine.faults.as_json(machine.clock()),
        "rate": machine.rate.as_json(),
        "calls": list(machine.calls),
    }


@post("/_sandbox/faults", status_code=200, guards=[refuse_strangers])
async def set_fault(request: Request, machine: Machine) -> Response[Json]:
    try:
        return Response(await switches.turn(machine, await _body(request)))
    except switches.NoSuchSwitch as refusal:
        return _bad(str(refusal))


@post("/_sandbox/reset", status_code=200, guards=[refuse_strangers], sync_to_thread=False)
def reset(machine: Machine, mailbox: Mailbox) -> dict[str, bool]:
    machine.reset()
    mailbox.clear()
    return {"ok": True}


@post("/_sandbox/payments", status_code=200, guards=[refuse_strangers])
async def take_over_payments(request: Request, machine: Machine) -> Response[Json]:
    try:
        wish = msgspec.json.decode(await request.body(), type=past.Payments)
        with machine.ledger() as ledger:
            return Response({"new": past.write_down(ledger, wish.payments)})
    except msgspec.DecodeError as error:
        return _bad(str(error))
    except ApiError as error:
        return Response({"error": error.error}, status_code=error.status)


@post("/_sandbox/payments/unknown", status_code=200, guards=[refuse_strangers])
async def unknown_payments(request: Request, machine: Machine) -> Response[Json]:
    try:
        wish = msgspec.json.decode(await request.body(), type=past.References)
    except msgspec.DecodeError as error:
        return _bad(str(error))
    return Response({"references": machine.store.missing(wish.references)})


@post("/_sandbox/{kind:str}/{thing_id:str}/{verb:str}", status_code=200, guards=[refuse_strangers])
async def act(request: Request, machine: Machine, kind: str, thing_id: str, verb: str) -> Response[Json]:
    verbs = DASHBOARD.get(kind, {})
    if verb not in verbs:
        return _bad(f"There is no {kind}/{verb}; there are {', '.join(verbs or DASHBOARD)}.")
    params = {name: _as_wire(value) for name, value in (await _body(request)).items()}
    try:
        return Response(_without_secret(perform(machine, kind, thing_id, verb, params)))
    except ApiError as error:
        return Response({"error": error.error}, status_code=error.status)


CONTROLS = [health, state, set_fault, reset, take_over_payments, unknown_payments, act]


def perform(machine: Machine, kind: str, thing_id: str, verb: str, params: Json) -> Json:
    """One verb of the Dashboard. Raises ApiError; what it changed before that is rolled back."""
    with machine.ledger() as ledger:
        return DASHBOARD[kind][verb](ledger, thing_id, params)


async def _body(request: Request) -> Json:
    return dict(await request.json() or {}) if await request.body() else {}


def _as_wire(value: object) -> object:
    """As a form would have carried it: `true`, `5`, and hashes of such."""
    if isinstance(value, dict):
        return {name: _as_wire(inner) for name, inner in value.items()}
    return str(value).lower() if isinstance(value, bool) else str(value)


def _without_secret(thing: Json) -> Json:
    return {name: value for name, value in public(thing).items() if name != "client_secret"}


def _bad(message: str) -> Response[Json]:
    return Response({"error": {"message": message}}, status_code=400)
