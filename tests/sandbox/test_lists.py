"""Lists: what a daily audit would read, a thousand payments long."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from sandbox.stripe import intents
from sandbox.stripe.machine import Machine
from tests.sandbox.paying import create, paid, refusal_of
from tests.sandbox.running import Sandbox


async def test_a_thousand_payments_are_read_once_each_newest_first(sandbox: Sandbox) -> None:
    sandbox.post("faults", op="webhooks", mode="drop")  # nobody listens, so nobody waits
    listing = sandbox.stripe().v1.payment_intents
    made = []
    for _ in range(10):
        made += [intent.id for intent in await asyncio.gather(*(create(sandbox) for _ in range(100)))]
    page = await listing.list_async({"limit": 100, "created": {"gte": 1}})
    read = [intent async for intent in page.auto_paging_iter()]
    assert len(read) == 1000
    assert {intent.id for intent in read} == set(made)
    assert all(newer.created >= older.created for newer, older in pairwise(read))


async def test_a_list_can_be_limited_to_a_span_of_time(tmp_path_factory: pytest.TempPathFactory) -> None:
    clock = iter(range(1_800_000_000, 1_800_000_100))
    machine = Machine(
        tmp_path_factory.mktemp("span"), secret_key="", publishable_key="", clock=lambda: float(next(clock))
    )
    for _ in range(10):
        with machine.ledger() as ledger:
            intents.create(ledger, {"amount": "500", "currency": "eur"})
    with machine.ledger() as ledger:
        everything = intents.list_all(ledger, {"limit": "100"})["data"]
        newest, oldest = everything[2]["created"], everything[6]["created"]
        some = intents.list_all(ledger, {"created": {"gte": str(oldest), "lt": str(newest)}})["data"]
    assert [intent["id"] for intent in some] == [intent["id"] for intent in everything[3:7]]
    machine.store.close()


async def test_pages_can_be_read_backwards(sandbox: Sandbox) -> None:
    made = [(await create(sandbox)).id for _ in range(6)]
    page = await sandbox.stripe().v1.payment_intents.list_async({"limit": 2, "ending_before": made[0]})
    assert [intent.id async for intent in page.auto_paging_iter()] == made[1:]


async def test_a_cursor_that_nobody_knows_is_refused(sandbox: Sandbox) -> None:
    error = await refusal_of(sandbox.stripe().v1.payment_intents.list_async({"starting_after": "pi_nowhere"}))
    assert (error.code, error.param) == ("resource_missing", "starting_after")


@pytest.mark.parametrize(
    ("wish", "found"),
    [
        ({"type": "payment_intent.succeeded"}, ["payment_intent.succeeded"]),
        ({"type": "charge.*"}, ["charge.captured", "charge.succeeded"]),
        ({"types": ["charge.captured", "payment_intent.created"]}, ["charge.captured", "payment_intent.created"]),
    ],
)
async def test_events_are_listed_by_type(sandbox: Sandbox, wish: Any, found: list[str]) -> None:
    await paid(sandbox)
    page = await sandbox.stripe().v1.events.list_async({"limit": 1, **wish})
    assert [event.type async for event in page.auto_paging_iter()] == found


async def test_events_that_did_not_arrive_can_be_listed(sandbox: Sandbox) -> None:
    """A shop that was away reads what it missed from here."""
    sandbox.post("faults", op="webhooks", mode="hold")
    intent = await create(sandbox)
    (missed,) = (await sandbox.stripe().v1.events.list_async({"delivery_success": False})).data
    assert missed.data.object["id"] == intent.id
    sandbox.post("faults", op="webhooks", mode="release")
    assert (await sandbox.stripe().v1.events.list_async({"delivery_success": False})).data == []
