"""The wire between us and the provider: hears every answer, remembers what was made, and can lose an answer."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import stripe

from services.stripe_gateway import PacedClient


@dataclass(frozen=True)
class Answer:
    call: str  # create, retrieve, confirm, … of a payment intent; refund, dispute, …
    status: int
    code: str = ""
    decline_code: str = ""
    message: str = ""
    replayed: bool = False

    def __str__(self) -> str:
        code = " / ".join(part for part in (self.code, self.decline_code) if part) or ("replayed" * self.replayed)
        return f"{self.call:<9} {self.status} {code or '(no code)'}" + (f"  “{self.message}”" if self.message else "")


@dataclass
class Wire:
    answers: list[Answer] = field(default_factory=list)
    made: list[str] = field(default_factory=list)  # intents, whoever made them
    lost: dict[str, int] = field(default_factory=dict)

    def lose(self, call: str, times: int) -> None:
        """The next answers to this call never arrive, although it was done."""
        self.lost[call] = times

    def codes(self, call: str) -> list[tuple[int, str]]:
        """What the provider refused of these calls."""
        return [(a.status, a.code) for a in self.answers if a.call == call and a.status >= 400]

    def hear(self, call: str, answer: tuple[bytes, int, Mapping[str, str]]) -> None:
        body, status, headers = answer
        said = _read(body)
        error = said.get("error") or {}
        heard = Answer(
            call,
            status,
            code=error.get("code") or error.get("type") or "",
            decline_code=error.get("decline_code") or "",
            message=_short(error.get("message") or ""),
            replayed=headers.get("idempotent-replayed") == "true",
        )
        self.answers.append(heard)
        if call == "create" and said.get("object") == "payment_intent" and said["id"] not in self.made:
            self.made.append(said["id"])
        if self.lost.get(call, 0):
            self.lost[call] -= 1
            raise stripe.APIConnectionError("the answer was lost, on purpose", should_retry=True)


class WatchedClient(PacedClient):
    """The gateway's own client, with somebody listening."""

    def __init__(self, wire: Wire, **options: Any) -> None:
        super().__init__(**options)
        self._wire = wire

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        answer = await super().request_async(method, url, headers, post_data)
        self._wire.hear(name_of(method, url), answer)
        return answer


def name_of(method: str, url: str) -> str:
    """`POST /v1/payment_intents/pi_1/capture` → capture; `GET /v1/refunds` → refunds."""
    noun, *rest = urlsplit(url).path.removeprefix("/v1/").split("/")
    if len(rest) > 1:
        return rest[1]
    if noun != "payment_intents":
        return noun.removesuffix("s") if method == "post" and not rest else noun
    return {("post", 0): "create", ("get", 0): "list", ("post", 1): "update"}.get((method, len(rest)), "retrieve")


def _read(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _short(message: str, longest: int = 110) -> str:
    """Without identifiers, which differ every time, and without anything that looks like a key."""
    plain = re.sub(r"\b(pi|ch|re|dp|du|evt|req|pm|sk_test|pk_test)_\w+", r"\1_…", " ".join(message.split()))
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"
