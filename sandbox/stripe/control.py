"""The sandbox's own switches and windows: faults, reset, state, and what a person would do in the Dashboard.

| call                                                     | does                                                  |
|----------------------------------------------------------|-------------------------------------------------------|
| GET  /_sandbox/health                                    | 200 when it serves                                    |
| GET  /_sandbox/state                                     | intents, refunds, webhooks, faults, calls; no secrets |
| POST /_sandbox/faults                                    | see faults.py                                         |
| POST /_sandbox/reset                                     | forgets everything, mails too                         |
| POST /_sandbox/intents/{id}/capture, cancel, refund      | as if in the Dashboard; body as in the API, optional  |
| POST /_sandbox/intents/{id}/expire_authorisation         | as if the seven days were over                        |
"""

from collections.abc import Callable
from urllib.parse import urlsplit

from litestar import Request, Response, get, post
from litestar.connection import ASGIConnection
from litestar.exceptions import PermissionDeniedException

from sandbox.mail import Mailbox
from sandbox.stripe import intents, refunds
from sandbox.stripe.faults import CALL_MODES, HOOK_MODES, Fault
from sandbox.stripe.ledger import Ledger
from sandbox.stripe.machine import Machine
from sandbox.stripe.wire import ApiError, Json, public

DASHBOARD: dict[str, Callable[[Ledger, str, Json], Json]] = {
    "capture": lambda ledger, id, params: intents.capture(ledger, params, id),
    "cancel": lambda ledger, id, params: intents.cancel(ledger, params, id),
    "refund": lambda ledger, id, params: refunds.create(ledger, {**params, "payment_intent": id}),
    "expire_authorisation": lambda ledger, id, params: intents.expire_authorisation(ledger, id),
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
        "webhooks": {"mode": machine.outbox.mode, "waiting": machine.outbox.waiting()},
        "faults": machine.faults.as_json(),
        "calls": list(machine.calls),
    }


@post("/_sandbox/faults", status_code=200, guards=[refuse_strangers])
async def set_fault(request: Request, machine: Machine) -> Response[Json]:
    wish = await _body(request)
    if wish.get("op") == "webhooks":
        return await _set_webhooks(machine, str(wish.get("mode")))
    if not wish.get("op") or wish.get("mode") not in (*CALL_MODES, "none"):
        return _bad(f"Say op and mode; mode is one of {', '.join(CALL_MODES)} or none.")
    fault = Fault(**{name: wish[name] for name in ("op", "mode", "times", "seconds") if name in wish})
    machine.faults.add(fault)
    return Response({"faults": machine.faults.as_json()})


@post("/_sandbox/reset", status_code=200, guards=[refuse_strangers], sync_to_thread=False)
def reset(machine: Machine, mailbox: Mailbox) -> dict[str, bool]:
    machine.reset()
    mailbox.clear()
    return {"ok": True}


@post("/_sandbox/intents/{intent_id:str}/{verb:str}", status_code=200, guards=[refuse_strangers])
async def act(request: Request, machine: Machine, intent_id: str, verb: str) -> Response[Json]:
    if verb not in DASHBOARD:
        return _bad(f"There is no {verb}; there are {', '.join(DASHBOARD)}.")
    params = {name: str(value) for name, value in (await _body(request)).items()}
    with machine.ledger() as ledger:
        try:
            return Response(_without_secret(DASHBOARD[verb](ledger, intent_id, params)))
        except ApiError as error:
            return Response({"error": error.error}, status_code=error.status)


CONTROLS = [health, state, set_fault, reset, act]


async def _set_webhooks(machine: Machine, mode: str) -> Response[Json]:
    if mode not in HOOK_MODES:
        return _bad(f"The mode of webhooks is one of {', '.join(HOOK_MODES)}.")
    released = 0
    if mode in ("release", "reverse"):
        machine.outbox.mode = "deliver"
        released = await machine.courier.release(newest_first=mode == "reverse")
    else:
        machine.outbox.mode = mode  # type: ignore[assignment]
    return Response({"mode": machine.outbox.mode, "released": released})


async def _body(request: Request) -> Json:
    return dict(await request.json() or {}) if await request.body() else {}


def _without_secret(thing: Json) -> Json:
    return {name: value for name, value in public(thing).items() if name != "client_secret"}


def _bad(message: str) -> Response[Json]:
    return Response({"error": {"message": message}}, status_code=400)
