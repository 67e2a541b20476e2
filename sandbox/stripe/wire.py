"""Stripe's wire format: bracketed form fields in, JSON out, and errors in the shape that its SDKs read."""

import re
import secrets
from typing import Any, NoReturn
from urllib.parse import parse_qsl

Json = dict[str, Any]


class ApiError(Exception):
    """An answer that is not 200. `saved` says whether an idempotency key replays it, as Stripe does once work began."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        saved: bool = True,
        headers: dict[str, str] | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.saved = saved
        self.headers = headers or {}
        self.error: Json = {"type": type, "message": message, **details}
        if code := details.get("code"):
            self.error["doc_url"] = f"https://docs.stripe.com/error-codes#{code.replace('_', '-')}"


def refuse_parameter(param: str, code: str | None, message: str) -> NoReturn:
    """A request that never started: 400, and its idempotency key stays free."""
    details: Json = {"code": code} if code else {}
    raise ApiError(400, message, saved=False, param=param, **details)


def decode(form: str) -> Json:
    """`metadata[a]=1&expand[]=x` → {"metadata": {"a": "1"}, "expand": ["x"]}. Every leaf stays a string."""
    fields: Json = {}
    for key, value in parse_qsl(form, keep_blank_values=True):
        name, *path = [key.split("[", 1)[0], *re.findall(r"\[([^\[\]]*)\]", key)]
        _put(fields, [name, *path], value)
    return {name: _with_lists(value) for name, value in fields.items()}


def merged(metadata: Json, changes: Json | str | None) -> Json:
    """Stripe's metadata: given keys are set, empty ones removed, an empty hash clears all."""
    if changes is None:
        return metadata
    if not isinstance(changes, dict):
        return {}
    return {name: value for name, value in (metadata | changes).items() if value != ""}


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"


def public(thing: Json) -> Json:
    """What the outside may see: fields with a leading underscore are the sandbox's own notes."""
    return {name: value for name, value in thing.items() if not name.startswith("_")}


def _put(fields: Json, path: list[str], value: str) -> None:
    *parents, last = path
    for name in parents:
        fields = fields.setdefault(name or str(len(fields)), {})
        if not isinstance(fields, dict):
            refuse_parameter(parents[0], None, f"Invalid hash: {parents[0]}")
    fields[last or str(len(fields))] = value


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _with_lists(part) for name, part in value.items()}
    return list(inner.values()) if inner and all(name.isdecimal() for name in inner) else inner
