"""The HTTP side: who may call what, and how answers, replays and faults leave the house."""

import asyncio
import base64
import json
import secrets
from dataclasses import dataclass

from litestar import Request, Response, route

from sandbox.stripe import parameters, shapes
from sandbox.stripe.endpoints import Endpoint, find
from sandbox.stripe.faults import Fault, expired, locked, rate_limited
from sandbox.stripe.idempotency import Reply, fingerprint
from sandbox.stripe.ledger import Ledger
from sandbox.stripe.machine import Machine
from sandbox.stripe.wire import ApiError, Json, decode, new_id, public, refuse_parameter

CLIENT_PARAMETERS = frozenset(
    "client_secret expand expected_payment_method_type mandate_data outcome payment_method payment_method_data "
    "receipt_email return_url setup_future_usage shipping use_stripe_sdk".split()
)
FAULTY = ApiError(500, "An error occurred inside the sandbox, on purpose.", type="api_error")


class Cut(ApiError):
    """Nobody hears this answer: the connection is gone."""


@dataclass
class Call:
    endpoint: Endpoint
    op: str
    ids: tuple[str, ...]
    params: Json
    by_client: bool
    request_id: str
    key: str | None  # idempotency key
    print: str

    @property
    def by(self) -> str:
        return "page" if self.by_client else "server"


@route("/v1/{path:path}", http_method=["GET", "POST"], name="stripe_api")
async def answer(request: Request, machine: Machine) -> Response[bytes]:
    body = await request.body()
    request_id = new_id("req")
    key = request.headers.get("Idempotency-Key")
    headers = {"Request-Id": request_id, "Stripe-Version": shapes.API_VERSION, "Access-Control-Allow-Origin": "*"}
    if key and request.method == "POST":
        headers["Idempotency-Key"] = key
    try:
        call = _read(request, machine, body, request_id)
        reply, replayed = await _serve(request, machine, call)
    except ApiError as error:
        reply, replayed = _error_reply(error), False
        headers |= error.headers
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    return Response(reply.body.encode(), status_code=reply.status, headers=headers, media_type="application/json")


def _read(request: Request, machine: Machine, body: bytes, request_id: str) -> Call:
    """Who calls what; a 401, 404 or 400 when that cannot be."""
    posted = request.method == "POST"
    params = decode(body.decode("utf-8", "replace") if posted else request.url.query)
    api_key = _api_key(request) or str(params.pop("key", ""))
    params.pop("key", None)
    by_client = _by_client(machine, api_key)
    endpoint, ids = find(request.method, request.url.path)
    if by_client:
        _check_client(endpoint, params)
    else:
        params = parameters.modernise(params, request.headers.get("Stripe-Version"))
        if endpoint.shape:
            parameters.check(params, endpoint.shape)
    return Call(
        endpoint=endpoint,
        op=endpoint.name,
        ids=ids,
        params=params,
        by_client=by_client,
        request_id=request_id,
        key=request.headers.get("Idempotency-Key") if posted and not by_client else None,
        print=fingerprint(request.method, request.url.path, body),
    )


async def _serve(request: Request, machine: Machine, call: Call) -> tuple[Reply, bool]:
    """The answer and whether it is a replay; on the way, whatever fault is set for this call."""
    entry = _note(machine, call)
    try:
        if not call.by_client and (reason := machine.rate.refusal(call.op, machine.clock())):
            entry["fault"] = "rate"
            raise rate_limited(reason)
        fault = machine.faults.take(call.op, call.by, machine.clock())
        mode = fault.mode if fault else None
        entry["fault"] = mode
        _refuse_at_once(request, mode)
        if fault and mode == "late":
            await _keep_silent(machine, call, fault)
        reply = machine.keys.recall(call.key, call.print) if call.key else None
        replayed = reply is not None
        reply = reply or _perform(machine, call, mode)
    except Cut:
        raise
    except ApiError as error:
        entry["status"] = error.status
        raise
    entry["status"] = reply.status
    if mode == "drop_after":
        _cut(request)
    if fault and mode == "hang":
        await _keep_silent(machine, call, fault)
    return reply, replayed


def _note(machine: Machine, call: Call) -> Json:
    entry: Json = {
        "at": machine.clock(),
        "op": call.op,
        "id": call.ids[0] if call.ids else None,
        "by": call.by,
        "idempotency_key": call.key,
        "status": None,
        "fault": None,
    }
    machine.calls.append(entry)
    return entry


def _refuse_at_once(request: Request, mode: str | None) -> None:
    """The faults that strike before anything is done."""
    if mode in ("drop_before", "down"):
        _cut(request)
    if mode == "429":
        raise rate_limited()
    if mode == "lock":
        raise locked()
    if mode == "expired":
        raise expired()
    if mode == "503":
        raise ApiError(503, "The sandbox is unavailable, on purpose.", type="api_error", saved=False)


def _perform(machine: Machine, call: Call, mode: str | None) -> Reply:
    """Do it and keep the answer under its key, in one transaction."""
    with machine.ledger({"id": call.request_id, "idempotency_key": call.key}) as ledger:
        reply, saved = _error_reply(FAULTY), True
        if mode != "500_before":
            reply, saved = _run(ledger, call)
        if mode == "500_after":
            reply = _error_reply(FAULTY)
        if call.key and saved:
            machine.keys.keep(call.key, call.print, reply, ledger.now)
    return reply


def _run(ledger: Ledger, call: Call) -> tuple[Reply, bool]:
    """A refusal is an answer too: what it changed (a declined card) stays changed."""
    expand = call.params.pop("expand", [])
    try:
        if not isinstance(expand, list):
            refuse_parameter("expand", None, "Invalid array")
        if call.by_client:
            _check_secret(ledger, call)
        result = public(call.endpoint.verb(ledger, call.params, *call.ids))
        if call.by_client:
            result = shapes.for_client(result)
        else:
            ledger.expand(result, expand)
        return Reply(200, json.dumps(result)), True
    except ApiError as error:
        if call.by_client and "payment_intent" in error.error:
            error.error["payment_intent"] = shapes.for_client(error.error["payment_intent"])
        return _error_reply(error), error.saved


def _api_key(request: Request) -> str:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value).decode("utf-8", "replace").partition(":")[0]
        except ValueError:
            return ""
    return value if scheme.lower() == "bearer" else ""


def _by_client(machine: Machine, key: str) -> bool:
    """Whether a page calls (True) or the shop's server (False); anybody else is a 401."""
    if secrets.compare_digest(key.encode(), machine.secret_key.encode()):
        return False
    if secrets.compare_digest(key.encode(), machine.publishable_key.encode()):
        return True
    if not key:
        raise ApiError(401, "You did not provide an API key.")
    raise ApiError(401, f"Invalid API Key provided: {key[:8]}***")


def _check_client(endpoint: Endpoint, params: Json) -> None:
    if not endpoint.client:
        raise ApiError(
            401,
            "The API key provided is a publishable key, but a secret key is required.",
            code="secret_key_required",
        )
    for name in params:
        if name not in CLIENT_PARAMETERS:
            raise ApiError(
                400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name, saved=False
            )


def _check_secret(ledger: Ledger, call: Call) -> None:
    intent = ledger.find("payment_intent", call.ids[0])
    given = str(call.params.pop("client_secret", ""))
    if not secrets.compare_digest(given.encode(), intent["client_secret"].encode()):
        raise ApiError(
            400,
            "The client_secret provided does not match the client_secret associated with the PaymentIntent.",
            code="payment_intent_invalid_parameter",
            param="client_secret",
        )


async def _keep_silent(machine: Machine, call: Call, fault: Fault) -> None:
    if call.key:
        machine.keys.in_flight.add(call.key)
    try:
        await asyncio.sleep(fault.silence)
    finally:
        machine.keys.in_flight.discard(call.key or "")


def _cut(request: Request) -> None:
    """Close the connection without a byte; the refusal below then goes nowhere."""
    request.scope["sandbox.cut"]()  # type: ignore[typeddict-item]
    raise Cut(500, "The connection was cut on purpose.", saved=False)


def _error_reply(error: ApiError) -> Reply:
    return Reply(error.status, json.dumps({"error": error.error}))
