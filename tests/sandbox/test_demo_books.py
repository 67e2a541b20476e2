"""The demo's money: what its buyers have paid stands in the sandbox's books as it does in ours."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.refunds import Everything, RefundReason
from models import database as db
from sandbox.demo.books import find_sandbox
from sandbox.demo.load import Loaded, load
from services import audit, comparison, refunds
from tests.conftest import StripeSandbox
from tests.makers import key
from tests.sandbox.running import CHECKOUT, Sandbox, Shop, free_port

pytestmark = pytest.mark.usefixtures("database")

EVERYTHING = timedelta(days=1000)
PAYMENTS = "SELECT id, reference, amount, currency FROM payment WHERE provider = 'stripe' ORDER BY id"


@pytest.fixture(autouse=True)
def look_at_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The daily comparison reads eight days; some of the demo's buyers came earlier."""
    monkeypatch.setattr(comparison, "WINDOW", EVERYTHING)


async def test_the_daily_comparison_finds_nothing(stripe: StripeSandbox, stripe_url: str) -> None:
    await load(stripe_url)
    paid = await db.fetch(PAYMENTS)
    assert len(paid) > 300
    assert await comparison.compare() == len(paid)
    lists = {"payment_intents.list", "refunds.list", "disputes.list"}
    assert {call["op"] for call in (await stripe.state())["calls"]} == lists
    assert await differences() == []


async def test_an_order_of_the_demo_can_be_refunded_for_real(stripe: StripeSandbox, stripe_url: str) -> None:
    await load(stripe_url)
    order = await an_order()
    refund_id = await refunds.request(
        order["id"],
        Everything(),
        reason=RefundReason.REQUESTED,
        note="",
        seats_return=True,
        request_key=key(),
        actor=audit.SYSTEM,
    )
    await refunds.run(refund_id)
    assert await db.fetchval("SELECT status FROM refund WHERE id = $1", refund_id) == "SUCCEEDED"
    (theirs,) = (await stripe.state())["refunds"]
    assert (theirs["payment_intent"], theirs["amount"]) == (order["payment_reference"], order["total_amount"])
    await comparison.compare()
    assert await differences() == []


async def test_references_look_like_real_ones_and_carry_our_mark(stripe: StripeSandbox, stripe_url: str) -> None:
    await load(stripe_url)
    paid = {row["reference"]: row for row in await db.fetch(PAYMENTS)}
    assert all(re.fullmatch("pi_[0-9a-f]{24}", reference) for reference in paid)
    theirs = {intent["id"]: intent["metadata"] for intent in (await stripe.state())["intents"]}
    assert theirs == {reference: {"payment_id": str(row["id"])} for reference, row in paid.items()}


async def test_a_crash_between_the_sales_and_the_books_is_mended_by_the_next_start(
    stripe: StripeSandbox, stripe_url: str
) -> None:
    with pytest.raises(ConnectionRefusedError):
        await load(f"http://127.0.0.1:{free_port()}")
    assert await db.fetchval("SELECT sum(sold) FROM event") == 1490
    assert (await stripe.state())["intents"] == []
    await load(stripe_url)
    await comparison.compare()
    assert await differences() == []


async def test_a_sandbox_that_forgot_everything_is_told_again(stripe: StripeSandbox, stripe_url: str) -> None:
    await load(stripe_url)
    before = await db.fetch(PAYMENTS)
    await stripe.reset()
    await load(stripe_url)
    assert await db.fetch(PAYMENTS) == before
    await comparison.compare()
    assert await differences() == []


async def test_what_the_sandbox_knows_it_is_not_told_again(stripe: StripeSandbox, stripe_url: str) -> None:
    await load(stripe_url)
    before = (await stripe.state())["intents"]
    await load(stripe_url)
    assert (await stripe.state())["intents"] == before


async def test_where_stripe_itself_is_paid_no_sales_are_invented() -> None:
    assert await load(None) == Loaded(16, 0, with_sales=False)
    assert await db.fetchval("SELECT count(*) FROM payment") == 0
    assert await db.fetchval("SELECT max(sold) FROM event") == 0
    assert await db.fetchval("SELECT sum(held) FROM event") > 0, "other visitors come all the same"


async def test_the_module_says_so(postgres_url: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "DATABASE_URL": postgres_url, "STRIPE_API_BASE": ""}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox.demo"), cwd=CHECKOUT, env=environment, stdout=PIPE, stderr=PIPE
    )
    said, complaints = await process.communicate()
    assert said.decode().startswith("16 events, 0 tickets sold. Sales are invented for the sandbox only")
    assert complaints == b""


async def test_only_the_sandbox_is_told_anything(sandbox: Sandbox, shop: Shop) -> None:
    assert await find_sandbox("") is None
    assert await find_sandbox("https://api.stripe.com/") is None
    assert await find_sandbox(shop.url) is None, "somebody else's server"
    assert await find_sandbox(f"{sandbox.url}/") == sandbox.url


async def test_a_sandbox_that_is_still_starting_is_waited_for(tmp_path: Path) -> None:
    late = Sandbox(tmp_path)
    try:
        found, _ = await asyncio.gather(find_sandbox(late.url), asyncio.to_thread(late.start))
        assert found == late.url
    finally:
        late.kill()


async def differences() -> list[Any]:
    return list(await db.fetch("SELECT kind, reference, theirs, ours FROM discrepancy"))


async def an_order() -> Any:
    return await db.fetchrow("SELECT * FROM orders WHERE total_amount > 0 ORDER BY total_quantity DESC, id LIMIT 1")
