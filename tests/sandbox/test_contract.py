"""The SDK's own types are the contract: what the stand-in takes, what it gives, and what our gateway reads."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from sandbox.stripe import parameters
from sandbox.stripe.endpoints import ENDPOINTS, Endpoint
from tests.sandbox.paying import paid, refusal_of
from tests.sandbox.running import CHECKOUT, SECRET_KEY, Sandbox

GATEWAY = CHECKOUT / "services" / "stripe_gateway.py"
OURS_ALONE = "payment_intents.authenticate"  # the test bank's page; Stripe has no such call


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
def test_every_call_takes_exactly_the_parameters_of_the_sdk(endpoint: Endpoint) -> None:
    """The stand-in reads the SDK's files as text; here what it read is held against the types themselves."""
    if endpoint.name == OURS_ALONE:
        assert endpoint.shape is None
        return
    assert endpoint.shape is not None, "no call goes unchecked"
    for name, fields in parameters._shapes(endpoint.shape).items():
        declared = typed_dict(endpoint.shape, name)
        request_options = set(stripe.RequestOptions.__annotations__)
        assert set(fields) == set(declared.__annotations__) - request_options, name


@pytest.mark.parametrize(
    "endpoint",
    [endpoint for endpoint in ENDPOINTS if endpoint.shape],
    ids=lambda endpoint: f"{endpoint.method} {endpoint.path}",
)
def test_a_parameter_that_the_sdk_does_not_know_is_refused(sandbox: Sandbox, endpoint: Endpoint) -> None:
    url = f"{sandbox.url}/v1/{endpoint.path.replace('{}', 'x_1')}"
    posted = {"surprise": "1"} if endpoint.method == "POST" else None
    asked = None if posted else {"surprise": "1"}
    answer = sandbox.http.request(endpoint.method, url, data=posted, params=asked, auth=(SECRET_KEY, ""))
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "parameter_unknown"
    assert answer.json()["error"]["param"] == "surprise"


async def test_nested_and_numeric_parameters_are_checked_for_refunds_and_disputes_too(sandbox: Sandbox) -> None:
    refunds: Any = sandbox.stripe().v1.refunds
    disputes: Any = sandbox.stripe().v1.disputes
    evidence = {"evidence": {"receit": "file_1"}}
    for call, param, code in (
        (refunds.create_async({"amount": "all"}), "amount", "parameter_invalid_integer"),
        (refunds.list_async({"created": {"since": 1}}), "created[since]", "parameter_unknown"),
        (disputes.update_async("du_1", evidence), "evidence[receit]", "parameter_unknown"),
    ):
        error = await refusal_of(call)
        assert (error.http_status, error.param, error.code) == (400, param, code)


async def test_everything_the_stand_in_gives_has_the_fields_the_sdk_declares(sandbox: Sandbox) -> None:
    client = sandbox.stripe().v1
    intent = await paid(sandbox, card="pm_card_pendingRefund")
    refund = await client.refunds.create_async({"payment_intent": intent.id, "amount": 100})
    disputed = await paid(sandbox, card="pm_card_createDispute")
    (dispute,) = (await client.disputes.list_async({"payment_intent": disputed.id})).data
    charge = await client.charges.retrieve_async(str(intent.latest_charge))
    (event,) = (await client.events.list_async({"limit": 1})).data
    money = dispute.balance_transactions[0]
    for thing in (intent, refund, dispute, dispute.evidence, dispute.evidence_details, charge, event, money):
        declared = fields_of(type(thing))
        assert not declared - set(thing.to_dict()), type(thing).__name__


def test_every_field_our_gateway_reads_is_one_of_the_sdks() -> None:
    """Also those behind getattr, which no type checker follows."""
    reads = gateway_reads()
    assert {(stripe.PaymentIntent, "status"), (stripe.Refund, "status"), (stripe.Dispute, "status")} <= reads
    assert [(kind.__name__, name) for kind, name in reads if name not in fields_of(kind)] == []


async def test_every_field_our_gateway_reads_is_on_the_wire(sandbox: Sandbox) -> None:
    client = sandbox.stripe().v1
    intent = await paid(sandbox, card="pm_card_createDisputeInquiry")
    (dispute,) = (await client.disputes.list_async()).data
    refund = await client.refunds.create_async({"payment_intent": intent.id})
    for thing in (intent, dispute, refund):
        wanted = {name for kind, name in gateway_reads() if kind is type(thing)}
        assert wanted
        assert not wanted - set(thing.to_dict()), type(thing).__name__


def test_what_our_gateway_asks_for_is_in_the_sdks_types() -> None:
    """The calls as they are written in the gateway, each against the TypedDict of its endpoint."""
    asked = list(gateway_asks())
    assert {"payment_intents.create", "refunds.create"} <= {call for call, _ in asked}
    shapes = {endpoint.name: endpoint.shape for endpoint in ENDPOINTS}
    for call, names in asked:
        shape = shapes[call]
        assert shape is not None
        assert not names - set(typed_dict(shape, shape).__annotations__), call


def typed_dict(shape: str, name: str) -> Any:
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", shape).lower()
    return getattr(importlib.import_module(f"stripe.params._{snake}"), name)


def fields_of(kind: Any) -> set[str]:
    return {name for name in kind.__annotations__ if name != "OBJECT_NAME" and not name.startswith("_")}


def gateway_reads() -> set[tuple[Any, str]]:
    """(the SDK's class, field) for each `found.field` of a function that takes `found: stripe.Something`."""
    reads = set()
    for function in ast.walk(gateway_tree()):
        if not isinstance(function, ast.FunctionDef):
            continue
        for argument in function.args.args:
            words = ast.unparse(argument.annotation) if argument.annotation else ""
            if match := re.fullmatch(r"stripe\.(\w+)", words):
                kind = getattr(stripe, match[1])
                reads |= {(kind, name) for name in attributes_read(function, argument.arg)}
    return reads


def attributes_read(function: ast.FunctionDef, variable: str) -> set[str]:
    names = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and is_name(node.value, variable):
            names.add(node.attr)
        if isinstance(node, ast.Call) and is_name(node.func, "getattr") and is_name(node.args[0], variable):
            names.add(text_of(node.args[1]))
    return names


def gateway_asks() -> Iterator[tuple[str, set[str]]]:
    """("refunds.create", its parameters) for each `self._refunds.create_async({…}, …)`."""
    families = {"_intents": "payment_intents", "_refunds": "refunds", "_disputes": "disputes"}
    for node in ast.walk(gateway_tree()):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.endswith("_async"):
            owner = node.func.value
            dicts = [argument for argument in node.args[:1] if isinstance(argument, ast.Dict)]
            if isinstance(owner, ast.Attribute) and owner.attr in families and dicts:
                names = {text_of(key) for key in dicts[0].keys if key}
                yield f"{families[owner.attr]}.{node.func.attr.removesuffix('_async')}", names


def gateway_tree() -> ast.Module:
    return ast.parse(Path(GATEWAY).read_text("utf-8"))


def text_of(node: ast.expr) -> str:
    assert isinstance(node, ast.Constant), ast.unparse(node)
    return str(node.value)


def is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
