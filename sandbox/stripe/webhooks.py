"""Signed notices to the shop, kept until the shop has said 2xx.

Every attempt carries a new timestamp and signature; failures are tried again after 0.25, 0.5, 1 … 60 seconds, for three
days. What is undelivered when the process dies is delivered by the next one.
"""

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, Literal

from sandbox.stripe.store import Store

if TYPE_CHECKING:
    import httpx

Mode = Literal["deliver", "drop", "hold", "duplicate"]
AT_ONCE = 8
PATIENCE = 10.0
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 60.0
GIVE_UP_AFTER = 3 * 24 * 3600
log = logging.getLogger("sandbox.webhooks")


class Outbox:
    """What must still be told. A delivery without a due time is held."""

    def __init__(self, store: Store, *, open: bool) -> None:
        self.store = store
        self.open = open
        self.mode: Mode = "deliver"
        self.wake = asyncio.Event()

    def copies(self) -> int:
        if not self.open or self.mode == "drop":
            return 0
        return 2 if self.mode == "duplicate" else 1

    def queue(self, event_id: str, copies: int, now: float) -> None:
        due = None if self.mode == "hold" else now
        rows = [(event_id, due)] * copies
        self.store.db.executemany("INSERT INTO deliveries (event, due) VALUES (?, ?)", rows)
        self.wake.set()

    def due(self, now: float, limit: int) -> list[tuple[int, str]]:
        return self.store.db.execute(
            "SELECT id, event FROM deliveries WHERE due <= ? ORDER BY due, id LIMIT ?", (now, limit)
        ).fetchall()

    def next_due(self, *, besides: Collection[int]) -> float | None:
        marks = ",".join("?" * len(besides))
        query = f"SELECT min(due) FROM deliveries WHERE id NOT IN ({marks})"
        due = self.store.db.execute(query, tuple(besides)).fetchone()[0]
        return None if due is None else float(due)

    def held(self) -> list[tuple[int, str]]:
        return self.store.db.execute("SELECT id, event FROM deliveries WHERE due IS NULL ORDER BY id").fetchall()

    def waiting(self) -> list[dict[str, object]]:
        rows = self.store.db.execute("SELECT event, attempts, due, problem FROM deliveries ORDER BY id").fetchall()
        return [dict(zip(("event", "attempts", "due", "problem"), row, strict=True)) for row in rows]

    def delivered(self, delivery_id: int, event_id: str) -> None:
        with self.store.transaction():
            self.store.db.execute("DELETE FROM deliveries WHERE id = ?", (delivery_id,))
            left = self.store.db.execute("SELECT 1 FROM deliveries WHERE event = ?", (event_id,)).fetchone()
            event = self.store.get(event_id, "event")
            if event and not left:
                self.store.put(event | {"pending_webhooks": 0}, event["created"])

    def failed(self, delivery_id: int, problem: str, now: float) -> None:
        row = self.store.db.execute("SELECT attempts FROM deliveries WHERE id = ?", (delivery_id,)).fetchone()
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(row[0], 10)) if row else 0
        self.store.db.execute(
            "UPDATE deliveries SET attempts = attempts + 1, due = ?, problem = ? WHERE id = ?",
            (now + pause, problem, delivery_id),
        )

    def forget_hopeless(self, now: float) -> None:
        self.store.db.execute(
            "DELETE FROM deliveries WHERE event NOT IN (SELECT id FROM objects WHERE kind = 'event' AND created > ?)",
            (now - GIVE_UP_AFTER,),
        )


class Courier:
    """Carries the outbox to one address, a few notices at a time."""

    def __init__(self, outbox: Outbox, *, url: str, secret: str, clock: Callable[[], float]) -> None:
        self.outbox = outbox
        self.clock = clock
        self.url = url
        self.secret = secret
        self.failing = False
        self.client: httpx.AsyncClient | None = None
        self.under_way: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Deliver what is due, for ever."""
        try:
            while True:
                self.outbox.wake.clear()
                self._start_due()
                await self._rest()
        finally:
            for task in self.under_way.values():
                task.cancel()
            if self.client:
                await self.client.aclose()

    async def release(self, *, newest_first: bool) -> int:
        """Try everything held once, one after another in the order asked for, and answer when that is done."""
        held = self.outbox.held()
        for delivery_id, event_id in reversed(held) if newest_first else held:
            await self._carry(delivery_id, event_id)
        return len(held)

    def _start_due(self) -> None:
        for delivery_id, event_id in self.outbox.due(self.clock(), AT_ONCE):
            if delivery_id not in self.under_way and len(self.under_way) < AT_ONCE:
                task = asyncio.create_task(self._carry(delivery_id, event_id))
                self.under_way[delivery_id] = task
                task.add_done_callback(partial(self._landed, delivery_id))

    def _landed(self, delivery_id: int, _: object) -> None:
        self.under_way.pop(delivery_id, None)
        self.outbox.wake.set()

    async def _rest(self) -> None:
        """Until something is queued, something lands, or the next retry is due."""
        busy = len(self.under_way) >= AT_ONCE
        due = None if busy else self.outbox.next_due(besides=self.under_way)
        pause = None if due is None else max(0.0, due - self.clock())
        try:
            await asyncio.wait_for(self.outbox.wake.wait(), pause)
        except TimeoutError:
            return

    async def _carry(self, delivery_id: int, event_id: str) -> None:
        try:
            problem = await self._attempt(event_id)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        if problem is None:
            self.outbox.delivered(delivery_id, event_id)
        else:
            self.outbox.failed(delivery_id, problem, self.clock())
        self._say_once(problem)

    def _say_once(self, problem: str | None) -> None:
        """One line when deliveries begin to fail and one when they work again, not one per attempt."""
        if problem and not self.failing:
            log.warning("webhooks are not accepted (%s); they are kept and tried again", problem)
        if self.failing and not problem:
            log.warning("webhooks are accepted again")
        self.failing = problem is not None

    async def _attempt(self, event_id: str) -> str | None:
        event = self.outbox.store.get(event_id, "event")
        if event is None:
            return None
        body = json.dumps(event, indent=2)
        answer = await self._client().post(
            self.url,
            content=body.encode(),
            headers={
                "Content-Type": "application/json; charset=utf-8",
                "User-Agent": "Stripe/1.0 (sandbox)",
                "Stripe-Signature": sign(body, self.secret, int(self.clock())),
            },
        )
        return None if answer.is_success else f"answered {answer.status_code}"

    def _client(self) -> "httpx.AsyncClient":
        if self.client is None:
            import httpx  # only a sandbox that delivers pays for it

            self.client = httpx.AsyncClient(timeout=PATIENCE, trust_env=False)
        return self.client


def sign(body: str, secret: str, timestamp: int) -> str:
    """Stripe's v1 scheme; the tests hold it against the SDK's own verifier."""
    mac = hmac.new(secret.encode(), f"{timestamp}.{body}".encode(), hashlib.sha256)
    return f"t={timestamp},v1={mac.hexdigest()}"
