"""Idempotency keys: the first answer to a key is the only one, whatever it was.

As at Stripe, the answer is kept once work began (a declined card and a 500 are replayed too); a request that never
started (an unknown parameter, 429) leaves its key free.
"""

import hashlib
from dataclasses import dataclass, field

from sandbox.stripe.store import Store
from sandbox.stripe.wire import ApiError


@dataclass(frozen=True)
class Reply:
    status: int
    body: str


@dataclass
class Keys:
    store: Store
    in_flight: set[str] = field(default_factory=set)

    def recall(self, key: str, request: str) -> Reply | None:
        if key in self.in_flight:
            raise ApiError(
                409,
                "There is currently another in-progress request using this Idempotency Key (that probably means you "
                "submitted twice, and the other request is still going through).",
                type="idempotency_error",
                code="idempotency_key_in_use",
                saved=False,
            )
        row = self.store.db.execute("SELECT request, status, body FROM replies WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        if row[0] != request:
            raise ApiError(
                400,
                "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"Try using a key other than '{key}' if you meant to execute a different request.",
                type="idempotency_error",
                saved=False,
            )
        return Reply(row[1], row[2])

    def keep(self, key: str, request: str, reply: Reply, now: int) -> None:
        self.store.db.execute(
            "INSERT OR IGNORE INTO replies (key, request, status, body, at) VALUES (?, ?, ?, ?, ?)",
            (key, request, reply.status, reply.body, now),
        )


def fingerprint(method: str, path: str, body: bytes) -> str:
    return f"{method} {path} {hashlib.sha256(body).hexdigest()}"
