"""kill -9 at every place with a name, in a real process. Whatever it left half done comes to rest by itself.

After each: every invariant holds, what was taken at the provider are the orders, money went back once, and what a
buyer was told is there. The places are described in places.py.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
import pytest

from domain.refunds import Everything, RefundReason
from models import database as db
from services import audit, checkout, links, notices, refunds
from services.gateway import Notice
from tests import mutants
from tests.conftest import until
from tests.faults.conftest import Shop
from tests.faults.nursery import Forked
from tests.faults.places import PLACES
from tests.makers import (
    Made,
    buy,
    hold,
    hold_with_buyer,
    key,
    let_time_pass,
    let_time_run_out,
    make_event,
    start_paying,
    statuses,
    ticket_type,
)

BUYER = {"name": "Ana Kovač", "email": "ana@example.org"}
SCRIPT = {"HX-Request": "true", "Sec-Fetch-Site": "same-origin"}
ALL_JOBS = ("expire_holds", "handle_notices", "reconcile", "drain_outbox")

UNREST = """
    SELECT (SELECT count(*) FROM payment WHERE status IN ('CAPTURING', 'VOIDING'))
         + (SELECT count(*) FROM payment AS p WHERE status = 'OPEN' AND NOT EXISTS (
                SELECT 1 FROM reservation AS r WHERE r.checkout_id = p.checkout_id AND r.status = 'ACTIVE'))
         + (SELECT count(*) FROM reservation WHERE status = 'ACTIVE' AND expires_at < clock_timestamp())
         + (SELECT count(*) FROM outbox WHERE done_at IS NULL AND run_at < clock_timestamp() + interval '1 minute')
         + (SELECT count(*) FROM payment_notice WHERE handled_at IS NULL)
         + (SELECT count(*) FROM refund WHERE status = 'REQUESTED')
         + (SELECT count(*) FROM orders WHERE status = 'PAID')
"""

Story = Callable[[Shop, Made], Awaitable[None]]


@dataclass(frozen=True)
class Kill:
    """`begin` prepares what the worker will find, `jobs` wakes it, `ends` says how the books look in the end."""

    place: str
    begin: Story
    jobs: tuple[str, ...]
    ends: dict[str, int]
    mails: int = 1  # different ones: what was sent and not struck is sent again, under the same Message-ID
    goes_by: dict[str, float] = field(default_factory=lambda: {"seconds": 90})


# What the killed process finds


async def _authorised(shop: Shop, event: Made) -> None:
    intent = await start_paying(await hold_with_buyer(event, General=2))
    await shop.stripe.pay(intent.client_secret)
    await notices.keep(Notice(key(), "payment_intent.amount_capturable_updated", intent.reference, None, False, "{}"))


async def _authorised_without_a_notice(shop: Shop, event: Made) -> None:
    intent = await start_paying(await hold_with_buyer(event, General=2))
    await shop.stripe.pay(intent.client_secret)
    await db.execute("UPDATE payment SET next_check_at = clock_timestamp()")


async def _authorised_too_late(shop: Shop, event: Made) -> None:
    intent = await start_paying(await hold_with_buyer(event, General=2))
    await shop.stripe.pay(intent.client_secret)
    await let_time_run_out(await db.fetchval("SELECT checkout_id FROM payment"))
    await hold(event, General=4)
    await notices.keep(Notice(key(), "payment_intent.amount_capturable_updated", intent.reference, None, False, "{}"))


async def _overdue(shop: Shop, event: Made) -> None:
    await start_paying(await hold_with_buyer(event, General=2))
    await let_time_run_out(await db.fetchval("SELECT checkout_id FROM payment"))


async def _bought(shop: Shop, event: Made) -> None:
    await buy(event, shop.stripe, General=2)


async def _wants_money_back(shop: Shop, event: Made) -> None:
    await refunds.request(
        await buy(event, shop.stripe, General=2),
        Everything(),
        reason=RefundReason.REQUESTED,
        note="",
        seats_return=True,
        request_key=key(),
        actor=audit.SYSTEM,
    )


async def _wants_money_back_that_has_gone(shop: Shop, event: Made) -> None:
    await _wants_money_back(shop, event)
    await shop.stripe.dashboard(await db.fetchval("SELECT reference FROM payment"), "refund")


async def _given_back_elsewhere(shop: Shop, event: Made) -> None:
    await _bought(shop, event)
    await shop.stripe.dashboard(await db.fetchval("SELECT reference FROM payment"), "refund")


ORDER = {"COMPLETED": 1, "valid tickets": 2, "sold": 2, "taken": 4800, "given back": 0}
NOTHING = {"COMPLETED": 0, "valid tickets": 0, "sold": 0, "taken": 0, "given back": 0}
# Asked for at the desk, with the seats; or found at the provider, where the seats are not our matter.
REFUNDED = {**ORDER, "valid tickets": 0, "sold": 0, "given back": 4800}
FOUND = {**REFUNDED, "sold": 2}
SETTLING = ("handle_notices",)
DRAINING = ("drain_outbox",)
COMPARING = ("cron:compare",)

WORKER = [
    Kill("notice claimed", _authorised, SETTLING, ORDER),
    Kill("asking claimed", _authorised_without_a_notice, ("reconcile",), ORDER),
    Kill("pinned", _authorised, SETTLING, ORDER),
    Kill("capture unread", _authorised, SETTLING, ORDER),
    Kill("captured", _authorised, SETTLING, ORDER),
    Kill("half finalised", _authorised, SETTLING, ORDER),
    Kill("finalised, not committed", _authorised, SETTLING, ORDER),
    Kill("paid", _authorised, SETTLING, ORDER),
    Kill("half issued", _authorised, SETTLING, ORDER),
    Kill("letting go", _authorised_too_late, SETTLING, NOTHING),
    Kill("let go", _authorised_too_late, SETTLING, NOTHING),
    Kill("cancelled, not expired", _overdue, ("expire_holds",), NOTHING, mails=0),
    Kill("let go", _overdue, ("expire_holds",), NOTHING, mails=0),
    Kill("note claimed", _bought, DRAINING, ORDER),
    Kill("mail sent", _bought, DRAINING, ORDER),
    Kill("refund unsent", _wants_money_back, DRAINING, REFUNDED, mails=1),
    Kill("refund unread", _wants_money_back, DRAINING, REFUNDED, mails=1),
    Kill("refund uncommitted", _wants_money_back, DRAINING, REFUNDED, mails=1),
    Kill("refund failed", _wants_money_back_that_has_gone, DRAINING, FOUND, mails=1),
    Kill("half compared", _given_back_elsewhere, COMPARING, FOUND, mails=1, goes_by={"hours": 2}),
    Kill("comparing", _given_back_elsewhere, COMPARING, FOUND, mails=1, goes_by={"hours": 2}),
]


@pytest.mark.parametrize("kill", WORKER, ids=lambda kill: f"{PLACES[kill.place].sentence} ({kill.begin.__name__[1:]})")
async def test_a_worker_killed(shop, kill):
    event = await make_event(capacity=5)
    told = await hold(event)
    await kill.begin(shop, event)
    victim = shop.worker(kill.place)
    await shop.ring(*kill.jobs)
    await victim.has_died()
    await let_time_pass(**kill.goes_by)
    shop.worker()
    await _rests(shop, kill.ends, wake=kill.jobs)
    await _nothing_is_left_over(shop)
    assert len({mail["subject"] for mail in await shop.mails()}) == kill.mails
    if "hours" not in kill.goes_by:
        assert await statuses(told) == ["ACTIVE"], "a hold that its buyer was told of is gone"


# The web


HOLDING = ("hold unlocked", "hold locked", "hold written", "hold committed")
STARTING = ("payment written", "intent unread", "intent not opened")
ASKING = ("pinned", "capture unread", "captured", "half finalised", "finalised, not committed", "paid", "half issued")
HEARING = ("notice kept", "ring lost")
FREE = ("half finalised", "free, not committed", "paid", "half issued", "free, unanswered")


def in_words(place: str) -> str:
    return PLACES[place].sentence


@pytest.mark.parametrize("place", HOLDING, ids=in_words)
async def test_f1_web_killed_while_holding(shop, place):
    """The buyer's page asks again with the same key: the same hold, and one only."""
    event, request_key = await make_event(capacity=5), key()
    wish = {"request_key": request_key, f"qty-{event.types['General']}": "2"}
    await _dies(shop, place, shop.browser.post(f"/events/{event.slug}/checkouts", data=wish))
    there = await db.fetchval("SELECT id FROM checkout")
    assert (there is not None) == (place == "hold committed")
    await _opens(shop)
    answers = [await shop.browser.post(f"/events/{event.slug}/checkouts", data=wish) for _ in range(2)]
    assert {answer.status_code for answer in answers} == {303}
    held = {links.checkout_behind(answer.headers["Location"].split("/")[-1]) for answer in answers}
    assert held == {there or await db.fetchval("SELECT id FROM checkout")}
    assert await db.fetchval("SELECT held FROM event") == 2


@pytest.mark.parametrize("place", STARTING, ids=in_words)
async def test_web_killed_while_starting_a_payment(shop, place):
    """The buyer presses again: the same payment, the same intent, one charge."""
    page = await _at_the_till(shop)
    await _dies(shop, place, shop.browser.post(f"{page}/payment", data=BUYER, headers=SCRIPT))
    await _opens(shop)
    secret = (await shop.browser.post(f"{page}/payment", data=BUYER, headers=SCRIPT)).json()["client_secret"]
    assert len((await shop.stripe.state())["intents"]) == 1, "two intents"
    await shop.stripe.pay(secret)
    await _leads_to_the_tickets(shop, page)


@pytest.mark.parametrize("place", ASKING, ids=in_words)
async def test_web_killed_while_settling_for_a_waiting_page(shop, place):
    """The page asks again by itself; with its buyer gone, the worker finishes all the same."""
    page = await _at_the_till(shop)
    intent = await start_paying(await db.fetchval("SELECT id FROM checkout"))
    await shop.stripe.pay(intent.client_secret)
    await _dies(shop, place, shop.browser.get(f"{page}/status", headers=SCRIPT))
    await _opens(shop)
    await _leads_to_the_tickets(shop, page)


@pytest.mark.parametrize("place", HEARING, ids=in_words)
async def test_web_killed_while_hearing_a_notice(shop, place):
    """Not answered: the provider says it again. Answered: it is in the database, ring or no ring."""
    await _hears_and_dies(shop, place)
    shop.worker()
    await _rests(shop, ORDER)
    await until(lambda: _all_delivered(shop))
    await _nothing_is_left_over(shop)


async def test_a_shop_that_answers_a_notice_before_it_keeps_it_loses_it(shop):
    with mutants.breaks("answered and lost"):
        await _hears_and_dies(shop, "answered before kept")


async def _hears_and_dies(shop: Shop, place: str) -> None:
    """The notice of a payment finds a web process that dies of it. Whatever was not answered comes again."""
    await _at_the_till(shop)
    intent = await start_paying(await db.fetchval("SELECT id FROM checkout"))
    victim = shop.web(place)
    await shop.stripe.fault(op="webhooks", mode="deliver")
    await shop.stripe.pay(intent.client_secret)
    await victim.has_died()
    await _opens(shop)
    await until(lambda: _all_delivered(shop))
    unhandled = await db.fetchval("SELECT count(*) FROM payment_notice WHERE handled_at IS NULL")
    assert unhandled == 1, "the notice was answered and lost"


@pytest.mark.parametrize("place", FREE, ids=in_words)
async def test_web_killed_in_a_free_purchase(shop, place):
    page = await _at_the_till(shop, price=0)
    await _dies(shop, place, shop.browser.post(f"{page}/payment", data=BUYER, headers=SCRIPT))
    await _opens(shop)
    answer = await shop.browser.post(f"{page}/payment", data=BUYER, headers=SCRIPT)
    seen = await shop.browser.get(answer.headers["HX-Redirect"], follow_redirects=True)
    assert "/orders/" in seen.url.path
    await let_time_pass(seconds=90)
    shop.worker()
    await _rests(shop, {**ORDER, "taken": 0})
    await _nothing_is_left_over(shop)


async def _at_the_till(shop: Shop, **kind: int) -> str:
    """A buyer holds two tickets; the address of their page."""
    event = await make_event(ticket_type(**kind), capacity=5)
    checkout_id = await hold(event, General=2)
    await checkout.remember_buyer(checkout_id, **BUYER)
    return f"/checkouts/{links.checkout_token(checkout_id)}"


async def _dies(shop: Shop, place: str, request: Awaitable[httpx.Response]) -> None:
    """The web process comes by its place while it serves this request: nobody gets an answer."""
    victim = shop.web(place)
    with suppress(httpx.TransportError):
        answer = await request
        raise AssertionError(f"answered {answer.status_code}: {answer.text[:200]}")
    await victim.has_died()


async def _opens(shop: Shop) -> Forked:
    web = shop.web()
    await until(shop.answers)
    return web


async def _leads_to_the_tickets(shop: Shop, page: str) -> None:
    """What the buyer's page says in the end, and then what the worker does without it."""
    await let_time_pass(seconds=90)
    shop.worker()
    await _rests(shop, ORDER)
    answer = await shop.browser.get(f"{page}/status")
    assert answer.status_code == 303
    order = await shop.browser.get(answer.headers["Location"])
    assert await db.fetchval("SELECT number FROM orders") in order.text
    await _nothing_is_left_over(shop)


# The oracle


async def _rests(shop: Shop, ends: dict[str, int], *, wake: tuple[str, ...] = ()) -> None:
    """Wait until nothing is under way any more, and the books look as they should. Rings only make it sooner."""
    await shop.ring(*wake)
    seen: dict[str, int] = {}

    async def rests() -> bool:
        nonlocal seen
        seen = await _books(shop)
        if await db.fetchval(UNREST) == 0 and seen == ends:
            return True
        if not await shop.redis.zcard("arq:queue"):
            await shop.ring(*ALL_JOBS)
        return False

    try:
        await until(rests, patience=30)
    except TimeoutError:
        raise AssertionError(f"the books are {seen}, {await db.fetchval(UNREST)} not at rest") from None


async def _books(shop: Shop) -> dict[str, int]:
    ours = await db.fetchrow(
        """SELECT (SELECT count(*) FROM orders WHERE status = 'COMPLETED') AS "COMPLETED",
                  (SELECT count(*) FROM ticket WHERE refund_id IS NULL) AS "valid tickets",
                  (SELECT sum(sold) FROM event) AS sold"""
    )
    theirs = await shop.stripe.state()
    return {
        **dict(ours),
        "taken": sum(intent["amount_received"] for intent in theirs["intents"]),
        "given back": sum(refund["amount"] for refund in theirs["refunds"]),
    }


async def _nothing_is_left_over(shop: Shop) -> None:
    theirs = await shop.stripe.state()
    taken = {i["id"]: i["amount_received"] for i in theirs["intents"] if i["amount_received"]}
    orders = await db.fetch("SELECT payment_reference, total_amount FROM orders WHERE payment_provider = 'stripe'")
    assert taken == {o["payment_reference"]: o["total_amount"] for o in orders}, "charges and orders differ"
    assert not [i for i in theirs["intents"] if i["status"] == "requires_capture"], "an authorisation was forgotten"
    ours = await db.fetch("SELECT reference, amount, status FROM refund WHERE status <> 'FAILED'")
    assert {r["id"]: r["amount"] for r in theirs["refunds"]} == {r["reference"]: r["amount"] for r in ours}
    assert await db.fetchval("SELECT count(*) FROM payment WHERE status = 'CAPTURED'") == len(orders) or not taken


async def _all_delivered(shop: Shop) -> bool:
    return not (await shop.stripe.state())["webhooks"]["waiting"]


def test_every_place_is_killed_at():
    killed_at = {kill.place for kill in WORKER} | {*HOLDING, *STARTING, *ASKING, *HEARING, *FREE}
    assert killed_at == set(PLACES)
