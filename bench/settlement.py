"""From the bank's yes to the tickets: how long it takes, by whichever way the news comes.

`make bench-settlement`. A client: it buys over HTTP as the page's script does, pays at the sandbox as Stripe.js does,
and looks into the database only to put an event on sale and to read when an order was completed. Four ways, one after
the other in the same shop:

- both: Stripe's notices arrive, and the buyer's page asks (`…/status`) until it shows the tickets
- browser: the notices are dropped
- webhooks: the browser is closed right after the bank's yes
- neither: the browser is closed and the notices are dropped; the reconciler finds the money by asking

Buyers come evenly, fewer than the pace of calls to Stripe allows. How many it allows is measured afterwards, with
everybody coming at once, for several paces. Starts shops of its own beside whatever runs. Figures of one run may be
compared with each other, not with those of another machine or day.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import asyncpg
import httpx

from bench.footprint import shop
from bench.rehearse import MAKE_EVENT

WAYS = ("both", "browser", "webhooks", "neither")
DEFAULT_PACE, PACES = 20, (20, 50, 200)
PATIENCE = 300.0
# How the page's script asks: at once, then less and less often.
FIRST_PAUSE, LONGER, LONGEST_PAUSE = 0.5, 1.5, 5.0
CARD = {
    "payment_method_data[type]": "card",
    "payment_method_data[card][number]": "4242424242424242",
    "payment_method_data[card][exp_month]": "12",
    "payment_method_data[card][exp_year]": "2040",
    "payment_method_data[card][cvc]": "123",
}

COMPLETED = """
    SELECT p.reference, extract(epoch FROM o.completed_at)::float AS at FROM orders AS o
    JOIN payment AS p ON p.id = o.payment_id WHERE p.reference = ANY($1) AND o.completed_at IS NOT NULL
"""


@dataclass
class Purchase:
    """Moments on the clock of this machine, which the database shares."""

    intent: str
    agreed: float  # the bank has said yes
    done: float = 0.0  # the tickets are there

    @property
    def settled_in(self) -> float:
        return self.done - self.agreed


@dataclass
class Figures:
    purchases: list[Purchase] = field(default_factory=list)
    seconds: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)
    notices: int = 0

    def percentile(self, share: float) -> float:
        waits = sorted(purchase.settled_in for purchase in self.purchases)
        return waits[min(len(waits) - 1, int(len(waits) * share))]

    @property
    def calls_per_purchase(self) -> float:
        return sum(self.calls.values()) / len(self.purchases)


class Shop:
    """An open shop with its sandbox, as a browser, Stripe.js and the sandbox's panel reach them."""

    def __init__(self, environment: dict[str, str], database: asyncpg.Connection) -> None:
        self.url, self.stripe = environment["BASE_URL"], environment["STRIPE_API_BASE"]
        self.publishable_key = environment["STRIPE_PUBLISHABLE_KEY"]
        self.database = database
        self._calls: dict[str, dict[str, Any]] = {}

    async def put_on_sale(self) -> str:
        slug = f"settlement-{uuid.uuid4().hex[:10]}"
        await self.database.execute(MAKE_EVENT, slug, 1_000_000)
        return slug

    async def deliver_webhooks(self, wanted: bool) -> None:
        switch = {"op": "webhooks", "mode": "deliver" if wanted else "drop"}
        async with client(self.stripe) as sandbox:
            (await sandbox.post("/_sandbox/faults", json=switch)).raise_for_status()

    async def calls_since(self, moment: float) -> Counter[str]:
        """What the shop asked of Stripe, by name. The sandbox keeps the newest, so ask now and then."""
        async with client(self.stripe) as sandbox:
            state = (await sandbox.get("/_sandbox/state")).json()
        for call in state["calls"]:
            self._calls[f"{call['at']} {call['op']} {call['id']}"] = call
        ours = (call for call in self._calls.values() if call["by"] == "server" and call["at"] >= moment)
        return Counter(call["op"].removeprefix("payment_intents.") for call in ours)


class Buyer:
    """One person's browser."""

    def __init__(self, shop: Shop, slug: str) -> None:
        self._shop, self._slug = shop, slug

    async def buy(self, *, follows: bool) -> Purchase:
        """Choose a ticket, say who one is, enter a card; then wait for the tickets, or close the browser."""
        async with page_of(self._shop.url) as page, client(self._shop.stripe) as stripe_js:
            path = await self._hold(page)
            purchase = await self._pay(stripe_js, await self._start_payment(page, path))
            if follows:
                await self._follow(page, path)
                purchase.done = time.time()
        return purchase

    async def _hold(self, page: httpx.AsyncClient) -> str:
        shown = await page.get(f"/events/{self._slug}")
        found = re.search(r'name="(qty-[^"]+)"', shown.text)
        assert found, "the event page has a quantity to choose"
        form = {found[1]: "1", "request_key": uuid.uuid4().hex}
        answer = await page.post(f"/events/{self._slug}/checkouts", data=form)
        return urlsplit(answer.headers["hx-redirect"]).path

    async def _start_payment(self, page: httpx.AsyncClient, path: str) -> str:
        """With many before us the answer is when to ask again."""
        form = {"name": "Ana Kovač", "email": "ana@example.org"}
        end = time.time() + PATIENCE
        while time.time() < end:
            answer = await page.post(f"{path}/payment", data=form)
            if answer.status_code == 200:
                return str(answer.json()["client_secret"])
            assert answer.status_code in (202, 503), f"{answer.status_code}: {answer.text[:300]}"
            await asyncio.sleep(float(answer.headers.get("retry-after", 1)))
        raise AssertionError("the payment never started")

    async def _pay(self, stripe_js: httpx.AsyncClient, secret: str) -> Purchase:
        intent = secret.partition("_secret_")[0]
        form = {"key": self._shop.publishable_key, "client_secret": secret, **CARD}
        answer = await stripe_js.post(f"/v1/payment_intents/{intent}/confirm", data=form)
        agreed = time.time()
        assert answer.json()["status"] == "requires_capture", answer.text
        return Purchase(intent, agreed)

    async def _follow(self, page: httpx.AsyncClient, path: str) -> None:
        """As the page does after the bank's yes: ask until there are tickets, and look at them."""
        pause, end = FIRST_PAUSE, time.time() + PATIENCE
        while time.time() < end:
            answer = await page.get(f"{path}/status")
            if where := answer.headers.get("hx-redirect"):
                order = await page.get(where)
                if "Your tickets</h2>" in order.text:
                    return
            await asyncio.sleep(pause)
            pause = min(pause * LONGER, LONGEST_PAUSE)
        raise AssertionError("paid, and no tickets")


def client(url: str, **headers: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=60, trust_env=False, verify=False)


def page_of(url: str) -> httpx.AsyncClient:
    """Asks as the pages' scripts do."""
    return client(url, **{"HX-Request": "true"})


async def measure_way(shop: Shop, way: str, *, count: int, per_second: float) -> Figures:
    """Buyers come one after the other, evenly."""
    slug = await shop.put_on_sale()
    await shop.deliver_webhooks(way in ("both", "webhooks"))
    follows = way in ("both", "browser")

    async def buy(number: int) -> Purchase:
        await asyncio.sleep(number / per_second)
        return await Buyer(shop, slug).buy(follows=follows)

    figures = await _together(shop, [buy(number) for number in range(count)])
    await shop.deliver_webhooks(True)
    return figures


async def measure_rush(shop: Shop, *, count: int) -> Figures:
    """Everybody comes at once, with notices and open browsers."""
    slug = await shop.put_on_sale()
    return await _together(shop, [Buyer(shop, slug).buy(follows=True) for _ in range(count)])


async def _together(shop: Shop, buyers: list[Coroutine[Any, Any, Purchase]]) -> Figures:
    began = time.time()
    watching = asyncio.create_task(_watch_calls(shop, began))
    figures = Figures(await asyncio.gather(*buyers))
    await _wait_for_orders(shop, [p for p in figures.purchases if not p.done])
    figures.seconds = max(p.done for p in figures.purchases) - began
    await asyncio.sleep(2)  # a notice may still ask about what the browser has already settled
    watching.cancel()
    figures.calls = await shop.calls_since(began)
    return figures


async def _watch_calls(shop: Shop, began: float) -> None:
    while True:
        await asyncio.sleep(5)
        await shop.calls_since(began)


async def _wait_for_orders(shop: Shop, waiting: list[Purchase]) -> None:
    """The order notes itself when it was completed; whoever opens its page then sees tickets."""
    missing = {purchase.intent: purchase for purchase in waiting}
    end = time.time() + PATIENCE
    while missing:
        for row in await shop.database.fetch(COMPLETED, list(missing)):
            missing.pop(row["reference"]).done = row["at"]
        assert time.time() < end, f"{len(missing)} purchases were never completed"
        await asyncio.sleep(0.5)


# ---------------------------------------------------------------- what it starts and prints


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--purchases", type=int, default=200)
    parser.add_argument("--per-second", type=float, default=2.5)
    parser.add_argument("--ways", nargs="*", default=WAYS, choices=WAYS)
    parser.add_argument("--paces", nargs="*", type=int, default=PACES)
    arguments = parser.parse_args()
    count, per_second = arguments.purchases, arguments.per_second
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, {count} purchases each\n")
    if arguments.ways:
        with open_shop(DEFAULT_PACE) as run:
            print_ways({way: run(measure_way, way, count=count, per_second=per_second) for way in arguments.ways})
    rushes = {}
    for pace in arguments.paces:
        with open_shop(pace) as run:
            rushes[pace] = run(measure_rush, count=count)
    if rushes:
        print_rushes(rushes)


@contextmanager
def open_shop(pace: int) -> Iterator[Callable[..., Figures]]:
    state = Path(tempfile.mkdtemp(prefix="foyer-bench-"))
    # Somebody else's account runs PostgreSQL when we are root, and has to pass.
    state.chmod(0o711)
    try:
        with patch.dict(os.environ, STRIPE_CALLS_PER_SECOND=str(pace)), shop(state):
            environment = json.loads((state / "running.json").read_text())["environment"]
            yield lambda measure, *args, **options: asyncio.run(_at(environment, measure, *args, **options))
    finally:
        shutil.rmtree(state, ignore_errors=True)


async def _at(environment: dict[str, str], measure: Callable[..., Any], *args: Any, **options: Any) -> Figures:
    database = await asyncpg.connect(environment["DATABASE_URL"])
    try:
        return await measure(Shop(environment, database), *args, **options)
    finally:
        await database.close()


def print_ways(ways: dict[str, Figures]) -> None:
    print(f"From the bank's yes to the tickets, pace {DEFAULT_PACE}/s, buyers one after the other\n")
    print("| the news comes by | p50 | p95 | p99 | calls to Stripe per purchase |\n|---|---:|---:|---:|---|")
    for way, figures in ways.items():
        print(f"| {way} | {_percentiles(figures)} | {_calls(figures)} |")


def print_rushes(rushes: dict[int, Figures]) -> None:
    print("\nEverybody at once, webhooks and browsers\n")
    print("| calls/s allowed | purchases/s | all done after | p50 | p95 | p99 | calls per purchase |")
    print("|---:|---:|---:|---:|---:|---:|---|")
    for pace, figures in rushes.items():
        rate, seconds = len(figures.purchases) / figures.seconds, figures.seconds
        print(f"| {pace} | {rate:.1f} | {seconds:.0f} s | {_percentiles(figures)} | {_calls(figures)} |")


def _percentiles(figures: Figures) -> str:
    return " | ".join(_words(figures.percentile(share)) for share in (0.5, 0.95, 0.99))


def _words(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _calls(figures: Figures) -> str:
    each = ", ".join(f"{name} {n / len(figures.purchases):.2f}" for name, n in figures.calls.most_common())
    return f"{figures.calls_per_purchase:.2f} ({each})"


if __name__ == "__main__":
    main()
