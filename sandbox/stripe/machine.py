"""The stand-in as one thing: its books, its switches and its mail-out, opened from one folder."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.stripe.faults import Faults
from sandbox.stripe.idempotency import Keys
from sandbox.stripe.ledger import Ledger
from sandbox.stripe.rate import Rate
from sandbox.stripe.store import Store
from sandbox.stripe.webhooks import Courier, Outbox
from sandbox.stripe.wire import Json

CALLS_KEPT = 2000


class Machine:
    def __init__(
        self,
        state: Path,
        *,
        secret_key: str,
        publishable_key: str,
        webhook_url: str | None = None,
        webhook_secret: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.secret_key = secret_key
        self.publishable_key = publishable_key
        self.clock = clock
        self.store = Store(state / "stripe.sqlite3")
        self.outbox = Outbox(self.store, open=bool(webhook_url))
        self.courier = Courier(self.outbox, url=webhook_url or "", secret=webhook_secret, clock=clock)
        self.keys = Keys(self.store)
        self.faults = Faults()
        self.rate = Rate()
        self.calls: deque[Json] = deque(maxlen=CALLS_KEPT)
        self.said: str | None = None  # the panel's line about what was just done
        self.store.forget_old(int(clock()))
        self.outbox.forget_hopeless(clock())

    @contextmanager
    def ledger(self, request: Json | None = None) -> Iterator[Ledger]:
        """One call's transaction: everything it does is kept, or nothing."""
        ledger = Ledger(self.store, self.outbox, now=int(self.clock()))
        if request:
            ledger.request = request
        with self.store.transaction():
            yield ledger

    def reset(self) -> None:
        self.store.clear()
        self.faults.waiting.clear()
        self.rate.forget()
        self.keys.in_flight.clear()
        self.calls.clear()
        self.outbox.mode = "deliver"
