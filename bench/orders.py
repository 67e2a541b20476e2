"""The desk's orders at 100,000: how long a list, a search, a filter, a deep page takes, and how fast the export runs.

`make bench-orders`. A client: it fills the database of a shop of its own (bench/many_orders.py), signs in with a
one-time link and then only speaks HTTP, one request after the other, as one organiser does. Times are those of whole
answers: session, queries, rendering. `--keep DIRECTORY` fills once and measures again later.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

import asyncpg
import httpx

from bench.footprint import shop
from bench.many_orders import fill

LIST = "/admin/orders"
ROUNDS = 40
DEEP = "SELECT id FROM orders ORDER BY created_at DESC, id DESC OFFSET $1 LIMIT 1"
HOTTEST = "SELECT event_id FROM orders GROUP BY event_id ORDER BY count(*) DESC LIMIT 1"
ONE = "SELECT * FROM orders WHERE payment_provider = 'stripe' ORDER BY md5(id::text) LIMIT 1"


async def questions(database: asyncpg.Connection) -> dict[str, str]:
    """What is asked, in words, and how the address says it."""
    order, event = await database.fetchrow(ONE), await database.fetchval(HOTTEST)
    ticket = await database.fetchval("SELECT number FROM ticket WHERE order_id = $1 LIMIT 1", order["id"])
    asked: dict[str, dict[str, object]] = {
        "newest": {},
        "20,000 down": {"older": await database.fetchval(DEEP, 20_000)},
        "95,000 down": {"older": await database.fetchval(DEEP, 95_000)},
        "newer than 50,000 down": {"newer": await database.fetchval(DEEP, 50_000)},
        "name, one word": {"q": "kovač"},
        "name, two words": {"q": "ana kovac"},
        "name, one letter": {"q": "a"},
        "name of nobody": {"q": "zzyzx"},
        "e-mail, whole": {"q": order["buyer_email"]},
        "domain of a third": {"q": "@gmail.com"},
        "order number": {"q": order["number"]},
        "ticket number": {"q": ticket},
        "payment": {"q": order["payment_reference"]},
        "name, 50,000 down": {"q": "kovač", "older": await database.fetchval(DEEP, 50_000)},
        "one event": {"event": event},
        "one event, name": {"event": event, "q": "novak"},
        "paid, tickets on their way": {"status": "PAID"},
        "completed": {"status": "COMPLETED"},
        "fully refunded": {"money": "whole"},
        "partly refunded": {"money": "part"},
        "nothing refunded": {"money": "none"},
        "disputed": {"money": "disputed"},
        "by hand": {"provider": "manual"},
        "complimentary (none)": {"provider": "complimentary"},
        "a month two years ago": {"from": "2024-12-01", "to": "2024-12-31"},
        "all at once": {"q": "ana", "status": "COMPLETED", "money": "none", "provider": "stripe", "from": "2025-01-01"},
    }
    return {words: f"{LIST}?{urlencode(query)}" for words, query in asked.items()}


async def measure(url: str, link: str, database: asyncpg.Connection, rounds: int) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=120, trust_env=False) as desk:
        await sign_in(desk, link)
        print("| asked for | shown | p50 | p95 | slowest |\n|---|---|---:|---:|---:|")
        for words, address in (await questions(database)).items():
            said, times = await time_of(desk, address, rounds)
            figures = " | ".join(_words(times, share) for share in (0.5, 0.95, 1))
            print(f"| {words} | {said} | {figures} |", flush=True)
        await export(desk, "orders")
        await export(desk, "tickets")


async def sign_in(desk: httpx.AsyncClient, link: str) -> None:
    page = await desk.get(link)
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    answer = await desk.post(link, data=fields)
    assert answer.status_code == 303, f"{answer.status_code}: {answer.text[:300]}"


async def time_of(desk: httpx.AsyncClient, address: str, rounds: int) -> tuple[str, list[float]]:
    times = []
    for _ in range(rounds + 3):
        began = time.perf_counter()
        answer = await desk.get(address)
        times.append(time.perf_counter() - began)
        assert answer.status_code == 200, f"{answer.status_code} for {address}"
    found = re.search(r'id="rows-h"[^>]*><span role="status">([^<]+)<', answer.text)
    assert found, "the list says how many there are"
    return found[1], sorted(times[3:])


async def export(desk: httpx.AsyncClient, rows: str) -> None:
    token = re.search(r'name="csrf" value="([^"]+)"', (await desk.get(LIST)).text)
    assert token, "whoever may export has a form for it"
    began, first, lines, size = time.perf_counter(), 0.0, -1, 0
    async with desk.stream("POST", f"{LIST}/exports", data={"csrf": token[1], "rows": rows}) as answer:
        async for part in answer.aiter_bytes():
            first = first or time.perf_counter() - began
            lines, size = lines + part.count(b"\r\n"), size + len(part)
    took = time.perf_counter() - began
    speed = f"{lines / took:,.0f} lines/s, first bytes after {first * 1000:.0f} ms"
    print(f"\nExport of {rows}: {lines:,} lines, {size / 1e6:.1f} MB in {took:.1f} s; {speed}", flush=True)


def _words(times: list[float], share: float) -> str:
    return f"{times[min(len(times) - 1, int(len(times) * share))] * 1000:.0f} ms"


# ---------------------------------------------------------------- what it starts


async def run(environment: dict[str, str], *, orders: int, events: int, rounds: int) -> None:
    database = await asyncpg.connect(environment["DATABASE_URL"])
    try:
        if await database.fetchval("SELECT count(*) FROM event WHERE slug LIKE 'bench-%'") == 0:
            began = time.monotonic()
            await fill(database, orders=orders, events=events)
            print(f"{orders:,} orders in {events:,} events made in {time.monotonic() - began:.0f} s\n", flush=True)
        await measure(environment["BASE_URL"], way_in(environment), database, rounds)
    finally:
        await database.close()


def way_in(environment: dict[str, str]) -> str:
    """A one-time link to the desk."""
    command = [sys.executable, "-m", "sandbox.desk"]
    made = subprocess.run(command, env={**os.environ, **environment}, check=True, capture_output=True, text=True)
    return made.stdout.strip().splitlines()[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--keep", type=Path, help="a state directory that is left behind, and used again")
    arguments = parser.parse_args()
    state = arguments.keep or Path(tempfile.mkdtemp(prefix="foyer-bench-"))
    state.mkdir(parents=True, exist_ok=True)
    # Somebody else's account runs PostgreSQL when we are root, and has to pass.
    state.chmod(0o711)
    load = ", ".join(f"{n:.1f}" for n in os.getloadavg())
    print(f"{os.cpu_count()} cores, load {load}, Python {sys.version.split()[0]}\n")
    try:
        with shop(state):
            environment = json.loads((state / "running.json").read_text())["environment"]
            wanted = {"orders": arguments.orders, "events": arguments.events, "rounds": arguments.rounds}
            asyncio.run(run(environment, **wanted))
    finally:
        if not arguments.keep:
            shutil.rmtree(state, ignore_errors=True)


if __name__ == "__main__":
    main()
