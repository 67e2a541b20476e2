"""Which parameters an endpoint takes: read from the SDK's own TypedDicts, so a misspelt one is a 400 as at Stripe.

The files are read, not imported: importing the SDK would cost this process 30 MB for a list of names.
"""

import ast
import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sandbox.stripe.wire import Json, refuse_parameter

# Stripe-Version from which the old name is an error; calls without a version get the older account default.
TYPES_REMOVED_IN = "2026-09-30"
EXCLUDE_EACH_OTHER = (
    "allowed_payment_method_types",
    "excluded_payment_method_types",
    "automatic_payment_methods",
    "payment_method_configuration",
)


@dataclass(frozen=True, slots=True)
class Field:
    whole_number: bool
    shapes: tuple[str, ...]  # the nested TypedDicts, when the field is a hash


def check(params: Json, shape: str) -> None:
    """Refuse unknown names, at any depth, and numbers that are not whole."""
    _check(params, [shape], _shapes(shape), path="")


def modernise(params: Json, version: str | None) -> Json:
    """`payment_method_types` was removed: older API versions still mean it, the pinned one is told so."""
    given = [name for name in EXCLUDE_EACH_OTHER if name in params]
    if len(given) > 1:
        refuse_parameter(given[1], None, f"You may only specify one of these parameters: {', '.join(given)}.")
    if "payment_method_types" not in params:
        return params
    if (version or "") >= TYPES_REMOVED_IN:
        refuse_parameter(
            "payment_method_types",
            "payment_method_types_no_longer_supported",
            "`payment_method_types` is no longer supported. Use `allowed_payment_method_types` instead.",
        )
    others = {name: value for name, value in params.items() if name != "payment_method_types"}
    return {**others, "allowed_payment_method_types": params["payment_method_types"]}


def _check(value: Any, names: list[str], shapes: dict[str, dict[str, Field]], path: str) -> None:
    if isinstance(value, list):
        for index, item in enumerate(value):
            _check(item, names, shapes, f"{path}[{index}]")
    if not isinstance(value, dict):
        return
    fields = {name: field for shape in names for name, field in shapes[shape].items()}
    for name, inner in value.items():
        full = f"{path}[{name}]" if path else name
        if name not in fields:
            refuse_parameter(full, "parameter_unknown", f"Received unknown parameter: {full}")
        field = fields[name]
        if field.whole_number and isinstance(inner, str) and not re.fullmatch(r"-?\d+|", inner):
            refuse_parameter(full, "parameter_invalid_integer", f"Invalid integer: {inner}")
        if field.shapes:
            _check(inner, list(field.shapes), shapes, full)


@cache
def _shapes(name: str) -> dict[str, dict[str, Field]]:
    """`PaymentIntentCreateParams` and every TypedDict it nests."""
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    tree = ast.parse((_sdk() / "params" / f"_{snake}.py").read_text("utf-8"))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    return {name: _fields(node, classes.keys()) for name, node in classes.items()}


def _fields(node: ast.ClassDef, classes: Any) -> dict[str, Field]:
    fields = {}
    for line in node.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            words = re.findall(r"\w+", ast.unparse(line.annotation))
            nested = tuple(word for word in words if word in classes)
            fields[line.target.id] = Field(whole_number="int" in words, shapes=nested)
    return fields


@cache
def _sdk() -> Path:
    spec = find_spec("stripe")
    if spec is None or not spec.origin:
        raise RuntimeError("The stripe package is not installed.")
    return Path(spec.origin).parent
