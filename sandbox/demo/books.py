"""Stripe's books, where the sandbox plays Stripe: it is told what the invented buyers of the demo have paid.

After the sales are committed, and only what it does not know: so a crash in between is mended by the next start, and
so is a sandbox whose state was wiped while the database was kept.
"""

import asyncio
import json
import time
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from models import database
from sandbox.demo import crowd
from settings import STRIPE_API

PATIENCE = 60.0
TIMEOUT = 10.0

PAID = f"""
    SELECT p.id, p.reference, p.captured, p.currency, extract(epoch FROM p.created_at)::bigint AS created
    FROM payment AS p JOIN checkout AS c ON c.id = p.checkout_id
    WHERE c.request_key LIKE '{crowd.BUYER}%' AND p.provider = 'stripe' AND p.status = 'CAPTURED'
    ORDER BY p.created_at
"""


async def find_sandbox(stripe_api_base: str) -> str | None:
    """Its address; None when payments go to Stripe itself, or to another stand-in, which cannot be told anything.

    It may still be starting: raises SystemExit when nobody answers for a minute.
    """
    address = stripe_api_base.strip().rstrip("/")
    if address in ("", STRIPE_API):
        return None
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            status, _ = await asyncio.to_thread(_ask, address, "/_sandbox/health")
            return address if status == 200 else None
        except (OSError, HTTPException) as problem:
            if time.monotonic() > deadline:
                raise SystemExit(f"Nobody answers at STRIPE_API_BASE ({address}): {problem}") from problem
            await asyncio.sleep(0.02)


async def tell(sandbox: str) -> None:
    """The sandbox knows every sale of the demo afterwards. Nothing is sent twice."""
    paid = {row["reference"]: row for row in await database.fetch(PAID)}
    if not paid:
        return
    unknown = await _post(sandbox, "/_sandbox/payments/unknown", {"references": list(paid)})
    if new := unknown["references"]:
        await _post(sandbox, "/_sandbox/payments", {"payments": [_as_told(paid[reference]) for reference in new]})


def _as_told(payment: Any) -> dict[str, Any]:
    return {
        "reference": payment["reference"],
        "amount": payment["captured"],
        "currency": payment["currency"],
        "created": payment["created"],
        "metadata": {"payment_id": str(payment["id"])},
    }


async def _post(sandbox: str, path: str, body: dict[str, Any]) -> Any:
    status, answer = await asyncio.to_thread(_ask, sandbox, path, json.dumps(body))
    if status != 200:
        raise RuntimeError(f"{sandbox}{path} answered {status}: {answer[:500]}")
    return json.loads(answer)


def _ask(address: str, path: str, body: str | None = None) -> tuple[int, str]:
    """With the standard library, which knows no proxy and loads in no time: every start of the shop comes by here."""
    where = urlsplit(address)
    kind = HTTPSConnection if where.scheme == "https" else HTTPConnection
    with closing(kind(where.netloc, timeout=TIMEOUT)) as connection:
        headers = {"Content-Type": "application/json"}
        connection.request("GET" if body is None else "POST", where.path + path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
