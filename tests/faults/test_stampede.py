"""Three hundred buyers, forty seats, and everything that can go wrong at once, over HTTP against real processes."""

import asyncio
from collections import Counter
from random import Random

import httpx

from models import database as db
from models import invariants
from tests.conftest import until
from tests.faults.at_rest import ALL_JOBS, UNREST
from tests.faults.conftest import Shop
from tests.faults.stampede import Buyer, Crowd, account_of, make_buyers
from tests.makers import make_event

BUYERS, SEATS = 300, 40
RATE = {"STRIPE_CALLS_PER_SECOND": "25"}
CALLS = ("create", "retrieve", "capture", "cancel")
FAULTS = (
    {"mode": "drop_after"},
    {"mode": "drop_before"},
    {"mode": "500_after"},
    {"mode": "429"},
    {"mode": "hang", "seconds": 0.5},
)

# A killed worker's leases are over; nothing else is touched.
LEASES = (
    "UPDATE payment SET next_check_at = clock_timestamp() WHERE status IN ('OPEN', 'CAPTURING', 'VOIDING')",
    "UPDATE payment_notice SET run_at = clock_timestamp() WHERE handled_at IS NULL AND run_at < 'infinity'",
    "UPDATE outbox SET run_at = clock_timestamp() WHERE done_at IS NULL AND run_at < 'infinity'",
)


async def test_case_28_300_buyers_40_seats_every_fault_and_a_worker_killed_twice(shop):
    """Every invariant holds, at every look at most forty are sold, and each buyer ends with one truthful outcome."""
    chance = Random(28)
    event = await make_event(capacity=SEATS)
    buyers = make_buyers(BUYERS, chance)
    _open_doors(shop)
    await until(shop.answers, patience=20)
    await shop.stripe.fault(op="webhooks", mode="deliver")

    limits = httpx.Limits(max_connections=60)
    async with httpx.AsyncClient(base_url=shop.url, timeout=30, limits=limits) as browser:
        crowd = Crowd(event, browser, shop.stripe, chance)
        looks: list[int] = []
        around = [_look_around(looks), _break_things(shop, Random(1)), _make_noise(shop, Random(2)), _kill(shop)]
        tasks = [asyncio.create_task(task) for task in around]
        await asyncio.gather(*(crowd.visit(buyer) for buyer in buyers))
        await tasks[-1]
        for task in tasks:
            task.cancel()
        for failure in await asyncio.gather(*tasks, return_exceptions=True):
            assert failure is None or isinstance(failure, asyncio.CancelledError), failure
        await _comes_to_rest(shop, crowd, buyers)
        outcomes = await _every_buyer_has_one_truthful_outcome(shop, crowd, buyers)

    assert await invariants.broken() == {}
    sold = await db.fetchval("SELECT sold FROM event WHERE id = $1", event.id)
    assert max(looks) <= SEATS
    assert {"tickets", "nothing charged"} == {outcomes[b.number] for b in buyers if b.page}, (
        "nothing was put to the test"
    )
    assert sold == sum(b.quantity for b in buyers if outcomes[b.number] == "tickets") <= SEATS
    await _every_order_has_its_mail(shop)
    _report(buyers, outcomes, looks, sold)
    print(
        "calls to the provider:", Counter(c["op"] for c in (await shop.stripe.state())["calls"] if c["by"] == "server")
    )


def _open_doors(shop: Shop) -> None:
    shop.web(**RATE)
    shop.web(**RATE)


async def _look_around(looks: list[int]) -> None:
    """Recomputed from the rows, whatever the counters say."""
    while True:
        taken = await db.fetchval(f"SELECT coalesce(sum(n), 0)::int FROM ({invariants.TAKEN}) AS t")
        looks.append(taken)
        assert taken <= SEATS, "sold and held exceed the seats"
        if len(looks) % 20 == 0:
            assert await invariants.broken() == {}
        await asyncio.sleep(0.05)


async def _break_things(shop: Shop, chance: Random) -> None:
    """Stripe at its worst: some answers are lost, late or wrong, some notices held, doubled, dropped or reversed."""
    while True:
        fault = chance.choice(FAULTS)
        await shop.stripe.fault(op=f"payment_intents.{chance.choice(CALLS)}", by="server", times=2, **fault)
        mode = chance.choice(["deliver", "duplicate", "hold", "hold", "drop"])
        await shop.stripe.fault(op="webhooks", mode=mode)
        await asyncio.sleep(chance.uniform(0.2, 0.6))
        if mode == "hold":
            await shop.stripe.fault(op="webhooks", mode=chance.choice(["release", "reverse"]))


async def _make_noise(shop: Shop, chance: Random) -> None:
    """Sweeper, reconciler and everybody else, at once and out of turn."""
    while True:
        await shop.ring(*chance.choices(ALL_JOBS, k=2))
        await db.execute(chance.choice(LEASES))
        await asyncio.sleep(chance.uniform(0.1, 0.4))


async def _kill(shop: Shop) -> None:
    """kill -9 twice, each time with money on its way."""
    for sold in (4, 16):
        worker = shop.worker(**RATE)
        await until(lambda sold=sold: _is_in_the_middle(sold), patience=60)
        worker.kill()
    shop.worker(**RATE)


async def _is_in_the_middle(sold: int) -> bool:
    return await db.fetchval(
        """SELECT (SELECT sum(sold) FROM event) >= $1 AND EXISTS (SELECT 1 FROM payment WHERE status = 'CAPTURING')""",
        sold,
    )


async def _comes_to_rest(shop: Shop, crowd: Crowd, buyers: list[Buyer]) -> None:
    """Nothing breaks any more, those who have left are gone for a quarter of an hour, and the worker does the rest."""
    for call in CALLS:
        await shop.stripe.fault(op=f"payment_intents.{call}", mode="none")
    await shop.stripe.fault(op="webhooks", mode="release")
    for buyer in buyers:
        if buyer.page:
            await crowd.run_out(buyer)

    async def rests() -> bool:
        unrest = await db.fetchval(UNREST)
        if not unrest:
            return True
        if not await shop.redis.zcard("arq:queue"):
            for lease in LEASES:
                await db.execute(lease)
            await shop.ring(*ALL_JOBS)
        return False

    try:
        await until(rests, patience=40)
    except TimeoutError:
        raise AssertionError(f"{await db.fetchval(UNREST)} not at rest") from None


async def _every_buyer_has_one_truthful_outcome(shop: Shop, crowd: Crowd, buyers: list[Buyer]) -> dict[int, str]:
    intents = {intent["id"]: intent for intent in (await shop.stripe.state())["intents"]}
    pages = await asyncio.gather(*(crowd.last_look(buyer) for buyer in buyers))
    outcomes = {}
    for buyer, page in zip(buyers, pages, strict=True):
        account = await account_of(buyer, intents)
        who = f"buyer {buyer.number} ({buyer.fate}) saw {buyer.saw}, now {page}: {account}"
        assert not account.set_aside, f"money still set aside: {who}"
        if account.orders:
            assert page == "tickets", who
            assert (account.orders, account.tickets, account.charges) == (1, buyer.quantity, [account.due]), who
        else:
            assert page == "nothing charged", who
            assert (account.tickets, account.charges) == (0, []), who
            assert "tickets" not in buyer.saw, f"was promised tickets: {who}"
        outcomes[buyer.number] = page
    return outcomes


async def _every_order_has_its_mail(shop: Shop) -> None:
    numbers = {row["number"] for row in await db.fetch("SELECT number FROM orders")}
    subjects = [mail["subject"] for mail in await shop.mails()]
    assert {n for n in numbers if any(n in subject for subject in subjects)} == numbers


def _report(buyers: list[Buyer], outcomes: dict[int, str], looks: list[int], sold: int) -> None:
    print(f"\n{sold} of {SEATS} seats sold to {Counter(outcomes.values())['tickets']} of {len(buyers)} buyers")
    print(f"{len(looks)} looks, at most {max(looks)} seats taken; {sum(b.stood_in_line for b in buyers)} stood in line")
    tally = Counter((str(b.fate), outcomes[b.number] if b.page else "never held") for b in buyers)
    for (fate, outcome), number in sorted(tally.items()):
        print(f"  {number:4}  {fate}: {outcome}")
