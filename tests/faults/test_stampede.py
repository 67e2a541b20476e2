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
from tests.faults.nursery import Forked
from tests.faults.stampede import AGREED, Account, Buyer, Crowd, account_of, intents_of, make_buyers
from tests.makers import make_event

BUYERS, SEATS = 300, 40
# Stripe is waited for a second: what is silent for longer is given up, and may be done all the same.
PROCESS = {"STRIPE_CALLS_PER_SECOND": "25", "PATIENCE_WITH_STRIPE": "1"}
CALLS = ("create", "retrieve", "capture", "cancel")
FAULTS = (
    {"mode": "drop_after"},
    {"mode": "drop_before"},
    {"mode": "500_after"},
    {"mode": "429"},
    {"mode": "hang", "seconds": 2},
    {"mode": "late", "seconds": 2},
)

# A killed worker's leases are over; nothing else is touched.
LEASES = (
    "UPDATE payment SET next_check_at = clock_timestamp() WHERE status IN ('OPEN', 'CAPTURING', 'VOIDING')",
    "UPDATE payment_notice SET run_at = clock_timestamp() WHERE handled_at IS NULL AND run_at < 'infinity'",
)
# These only while no worker lives: whose mail is in hand must not be given to another.
NOTES = """
    UPDATE outbox SET run_at = clock_timestamp() WHERE done_at IS NULL AND attempts > 0 AND run_at < 'infinity'
    RETURNING kind, subject
"""
MAILS = {"confirmation_mail": "order", "not_charged_mail": "not-charged"}


async def test_case_28_300_buyers_40_seats_every_fault_workers_and_web_processes_killed(shop):
    """Every invariant holds, at every look at most forty are sold, and each buyer ends with one truthful outcome."""
    chance = Random(28)
    event = await make_event(capacity=SEATS)
    buyers = make_buyers(BUYERS, chance)
    webs = [shop.web(**PROCESS), shop.web(**PROCESS)]
    await until(shop.answers, patience=20)
    await shop.stripe.fault(op="webhooks", mode="deliver")

    limits = httpx.Limits(max_connections=60)
    async with httpx.AsyncClient(base_url=shop.url, timeout=30, limits=limits) as browser:
        crowd = Crowd(event, browser, shop.stripe, chance)
        looks: list[int] = []
        around = [_look_around(looks), _break_things(shop, Random(1)), _make_noise(shop, Random(2))]
        in_dead_hands: Counter[str] = Counter()
        killing = [_kill_workers(shop, in_dead_hands), _kill_webs(shop, webs)]
        tasks = [asyncio.create_task(task) for task in (*around, *killing)]
        await asyncio.gather(*(crowd.visit(buyer) for buyer in buyers))
        await asyncio.gather(*tasks[len(around) :])
        for task in tasks:
            task.cancel()
        for failure in await asyncio.gather(*tasks, return_exceptions=True):
            assert not isinstance(failure, Exception), failure
        await _comes_to_rest(shop, crowd, buyers)
        outcomes = await _every_buyer_has_one_truthful_outcome(shop, crowd, buyers, in_dead_hands)

    assert await invariants.broken() == {}
    sold = await db.fetchval("SELECT sold FROM event WHERE id = $1", event.id)
    assert max(looks) <= SEATS
    assert {"tickets", "nothing charged", "too late"} == {outcomes[b.number] for b in buyers if b.page}, (
        "nothing was put to the test"
    )
    assert sold == sum(b.quantity for b in buyers if outcomes[b.number] == "tickets") <= SEATS
    _report(buyers, outcomes, looks, sold)
    print("calls to the provider:", await _calls(shop))


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


async def _kill_workers(shop: Shop, in_dead_hands: Counter[str]) -> None:
    """kill -9, twice with money on its way, and once between a mail and the word that it was sent."""
    for sold in (4, 16):
        worker = shop.worker(**PROCESS)
        await until(lambda sold=sold: _is_in_the_middle(sold), patience=60)
        worker.kill()
        in_dead_hands += await _left_behind(shop)
    await shop.worker("mail sent", **PROCESS).has_died(patience=60)
    in_dead_hands += await _left_behind(shop)
    shop.worker(**PROCESS)


async def _left_behind(shop: Shop) -> Counter[str]:
    """The mails that the dead worker had in hand. Its leases are over, and its jobs no longer taken for running."""
    await shop.redis.delete("arq:queue")
    return Counter(f"{MAILS[kind]}-{subject}" for kind, subject in await db.fetch(NOTES) if kind in MAILS)


async def _kill_webs(shop: Shop, webs: list[Forked]) -> None:
    """One after the other, while buyers hold, pay and wait for their pages; the other one answers meanwhile."""
    for sold, web in zip((2, 10), webs, strict=True):
        await until(lambda sold=sold: _is_in_the_middle(sold), patience=60)
        web.kill()
        shop.web(**PROCESS)


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


async def _every_buyer_has_one_truthful_outcome(
    shop: Shop, crowd: Crowd, buyers: list[Buyer], in_dead_hands: Counter[str]
) -> dict[int, str]:
    books = await intents_of(shop.stripe)
    pages = await asyncio.gather(*(crowd.last_look(buyer) for buyer in buyers))
    accounts = [await account_of(buyer, books) for buyer in buyers]
    for buyer, page, account in zip(buyers, pages, accounts, strict=True):
        _has_a_truthful_outcome(buyer, page, account)
    await _everybody_has_their_mail(shop, buyers, accounts, in_dead_hands)
    return {buyer.number: page for buyer, page in zip(buyers, pages, strict=True)}


def _has_a_truthful_outcome(buyer: Buyer, page: str, account: Account) -> None:
    who = f"buyer {buyer.number} ({buyer.fate}) saw {buyer.saw}, now {page}: {account}"
    assert not account.set_aside, f"money still set aside: {who}"
    assert AGREED not in buyer.saw or account.agreed, f"the bank’s word is in nobody’s books: {who}"
    if account.orders:
        assert page == "tickets", who
        assert (len(account.orders), account.tickets, account.charges) == (1, buyer.quantity, [account.due]), who
        since = buyer.saw[buyer.saw.index(AGREED) :] if AGREED in buyer.saw else []
        assert "over" not in since, f"was told that all was over, with money on its way: {who}"
        return
    assert page == ("too late" if account.agreed else "nothing charged"), who
    assert (account.tickets, account.charges) == (0, []), who
    assert "tickets" not in buyer.saw, f"was promised tickets: {who}"


async def _everybody_has_their_mail(
    shop: Shop, buyers: list[Buyer], accounts: list[Account], in_dead_hands: Counter[str]
) -> None:
    """Each once, to whom it is about and to nobody else. Only what a killed worker had in hand may have come once more,
    under the same Message-ID."""
    mails = await shop.mails()
    came = Counter((mail["message_id"].strip("<>").partition("@")[0], *mail["to"]) for mail in mails)
    due = {(mail, buyer.email) for buyer, account in zip(buyers, accounts, strict=True) for mail in account.mails}
    assert set(came) == due
    again = Counter({mail: copies - 1 for (mail, _), copies in came.items() if copies > 1})
    assert again, "no worker was killed in the middle of a mail: nothing was put to the test"
    assert again <= in_dead_hands, "a mail came twice, and nobody had been killed with it"
    late = [mail["text"] for mail in mails if mail["message_id"].startswith("<not-charged-")]
    assert all("when your hold was over" in text for text in late)


async def _calls(shop: Shop) -> Counter[str]:
    calls = (await shop.stripe.state())["calls"]
    faults = Counter(f"({call['fault']})" for call in calls if call["by"] == "server" and call["fault"])
    return Counter(call["op"] for call in calls if call["by"] == "server") + faults


def _report(buyers: list[Buyer], outcomes: dict[int, str], looks: list[int], sold: int) -> None:
    print(f"\n{sold} of {SEATS} seats sold to {Counter(outcomes.values())['tickets']} of {len(buyers)} buyers")
    print(f"{len(looks)} looks, at most {max(looks)} seats taken; {sum(b.stood_in_line for b in buyers)} stood in line")
    tally = Counter((str(b.fate), outcomes[b.number] if b.page else "never held") for b in buyers)
    for (fate, outcome), number in sorted(tally.items()):
        print(f"  {number:4}  {fate}: {outcome}")
