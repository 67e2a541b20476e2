"""kill -9 at every place with a name, in a real process. Whatever it left half done comes to rest by itself.

After each: every invariant holds, what was taken at the provider are the orders, money went back once, and what a
buyer was told is there. The places are described in places.py.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from models import database as db
from services import checkout, links
from tests import mutants
from tests.conftest import until
from tests.faults import beginnings as begin
from tests.faults.at_rest import ALL_JOBS, FOUND, NOTHING, ORDER, REFUNDED, nothing_is_left_over, rests
from tests.faults.conftest import Shop
from tests.faults.nursery import Forked
from tests.faults.places import PLACES
from tests.makers import (
    Made,
    hold,
    key,
    let_time_pass,
    make_event,
    start_paying,
    statuses,
    ticket_type,
)
from tests.web.admin.test_refunds import address, fill, hidden

BUYER = {"name": "Ana Kovač", "email": "ana@example.org"}
SCRIPT = {"HX-Request": "true", "Sec-Fetch-Site": "same-origin"}

Story = Callable[[Shop, Made], Awaitable[object]]


@dataclass(frozen=True)
class Kill:
    """`begin` prepares what the worker will find, `jobs` wakes it, `ends` says how the books look in the end."""

    place: str
    begin: Story
    jobs: tuple[str, ...]
    ends: dict[str, int]
    mails: int = 1  # different ones: what was sent and not struck is sent again, under the same Message-ID
    goes_by: dict[str, float] = field(default_factory=lambda: {"seconds": 90})


SETTLING = ("handle_notices",)
DRAINING = ("drain_outbox",)
ASKING_AGAIN = ("reconcile",)
SWEEPING = ("expire_holds",)
COMPARING = ("cron:compare",)

WORKER = [
    Kill("notice claimed", begin.authorised, SETTLING, ORDER),
    Kill("piece done", begin.authorised, SETTLING, ORDER),
    Kill("asking claimed", begin.authorised_without_a_notice, ASKING_AGAIN, ORDER),
    Kill("piece done", begin.authorised_without_a_notice, ASKING_AGAIN, ORDER),
    Kill("decided, not committed", begin.authorised, SETTLING, ORDER),
    Kill("pinned", begin.authorised, SETTLING, ORDER),
    Kill("capture unread", begin.authorised, SETTLING, ORDER),
    Kill("captured", begin.authorised, SETTLING, ORDER),
    Kill("half finalised", begin.authorised, SETTLING, ORDER),
    Kill("finalised, not committed", begin.authorised, SETTLING, ORDER),
    Kill("paid", begin.authorised, SETTLING, ORDER),
    Kill("half issued", begin.authorised, SETTLING, ORDER),
    # Late, with the seats still there: taken again
    Kill("seats taken again", begin.authorised_late_with_seats_left, SETTLING, ORDER),
    Kill("pinned", begin.authorised_late_with_seats_left, SETTLING, ORDER),
    Kill("captured", begin.authorised_late_with_seats_left, SETTLING, ORDER),
    Kill("seats taken again", begin.pinned_for_longer_than_a_pin_lasts, ASKING_AGAIN, ORDER),
    Kill("half finalised", begin.pinned_for_longer_than_a_pin_lasts, ASKING_AGAIN, ORDER),
    # Let go
    Kill("decided, not committed", begin.authorised_too_late, SETTLING, NOTHING),
    Kill("letting go", begin.authorised_too_late, SETTLING, NOTHING),
    Kill("let go", begin.authorised_too_late, SETTLING, NOTHING),
    Kill("voided, not committed", begin.authorised_too_late, SETTLING, NOTHING),
    Kill("voided, not committed", begin.authorised_and_called_off, SETTLING, NOTHING),
    Kill("given up, not committed", begin.authorised_and_never_to_be_money, SETTLING, NOTHING),
    Kill("letting go", begin.authorised_and_never_to_be_money, SETTLING, NOTHING),
    Kill("let go", begin.authorised_and_never_to_be_money, SETTLING, NOTHING),
    Kill("cancelled, not expired", begin.overdue, SWEEPING, NOTHING, mails=0),
    Kill("let go", begin.overdue, SWEEPING, NOTHING, mails=0),
    Kill("voided, not committed", begin.overdue, SWEEPING, NOTHING, mails=0),
    # The outbox, and money that goes back
    Kill("note claimed", begin.bought, DRAINING, ORDER),
    Kill("mail sent", begin.bought, DRAINING, ORDER),
    Kill("piece done", begin.bought, DRAINING, ORDER),
    Kill("refund unsent", begin.money_wanted_back, DRAINING, REFUNDED),
    Kill("refund unread", begin.money_wanted_back, DRAINING, REFUNDED),
    Kill("refund uncommitted", begin.money_wanted_back, DRAINING, REFUNDED),
    Kill("seats returned, not committed", begin.money_wanted_back, DRAINING, REFUNDED),
    Kill("piece done", begin.money_wanted_back, DRAINING, REFUNDED),
    Kill("refund failed", begin.money_wanted_back_that_has_gone, DRAINING, FOUND),
    Kill("seats taken back, not committed", begin.refund_that_failed_after_all, SETTLING, ORDER),
    Kill("dispute won", begin.dispute_lost_and_won_after_all, SETTLING, ORDER),
    Kill("half compared", begin.given_back_elsewhere, COMPARING, FOUND, goes_by={"hours": 2}),
    Kill("comparing", begin.given_back_elsewhere, COMPARING, FOUND, goes_by={"hours": 2}),
]


@pytest.mark.parametrize("kill", WORKER, ids=lambda kill: f"{PLACES[kill.place].sentence} ({kill.begin.__name__})")
async def test_a_worker_killed(shop, kill):
    event = await make_event(capacity=5)
    told = await hold(event)
    await kill.begin(shop, event)
    victim = shop.worker(kill.place)
    await shop.ring(*kill.jobs)
    await victim.has_died()
    await let_time_pass(**kill.goes_by)
    shop.worker()
    await rests(shop, kill.ends, wake=kill.jobs)
    await nothing_is_left_over(shop)
    assert len({mail["subject"] for mail in await shop.mails()}) == kill.mails
    if "hours" not in kill.goes_by:
        assert await statuses(told) == ["ACTIVE"], "a hold that its buyer was told of is gone"


# The web


HOLDING = ("hold unlocked", "hold locked", "hold written", "hold committed")
STARTING = ("place taken", "payment written", "intent unread", "intent not opened")
ASKING = ("pinned", "capture unread", "captured", "half finalised", "finalised, not committed", "paid", "half issued")
HEARING = ("notice kept", "ring lost")
GIVING_BACK = ("given back", "letting go", "let go")
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
    await rests(shop, ORDER)
    await until(lambda: _all_delivered(shop))
    await nothing_is_left_over(shop)


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
    await rests(shop, {**ORDER, "taken": 0})
    await nothing_is_left_over(shop)


@pytest.mark.parametrize(("agreed", "letters"), [(False, 0), (True, 1)], ids=["unpaid", "the bank had agreed"])
@pytest.mark.parametrize("place", GIVING_BACK, ids=in_words)
async def test_web_killed_while_tickets_are_given_back(shop, place, agreed, letters):
    """Whoever gave them back is not charged, whatever their bank had said."""
    page = await _at_the_till(shop)
    intent = await start_paying(await db.fetchval("SELECT id FROM checkout"))
    if agreed:
        await shop.stripe.pay(intent.client_secret)
    await _dies(shop, place, shop.browser.post(f"{page}/release"))
    await let_time_pass(seconds=90)
    shop.worker()
    await rests(shop, NOTHING, wake=ASKING_AGAIN)
    await nothing_is_left_over(shop)
    assert [i["status"] for i in (await shop.stripe.state())["intents"]] == ["canceled"]
    assert len(await shop.mails()) == letters


# The desk


@dataclass(frozen=True)
class Press:
    """`begin` prepares what is on the screen and returns the form that is sent; `entry` is what the audit calls it."""

    place: str
    begin: Callable[[Shop, Made, httpx.AsyncClient], Awaitable[tuple[str, dict[str, Any]]]]
    entry: str
    ends: dict[str, int]


async def _a_refund(shop: Shop, event: Made, desk: httpx.AsyncClient) -> tuple[str, dict[str, Any]]:
    order_id = await begin.bought_long_ago(shop, event)
    question = await fill(desk, order_id, what="all", seats_return="1")
    return address(order_id), {**hidden(question.text), "reason": "REQUESTED", "note": ""}


async def _seats_for_sale(shop: Shop, event: Made, _: httpx.AsyncClient) -> tuple[str, dict[str, Any]]:
    return f"/admin/payments/refunds/{await begin.refunded_with_the_seats_kept(shop, event)}/seats", {}


async def _a_seat_for_who_has_paid(shop: Shop, event: Made, _: httpx.AsyncClient) -> tuple[str, dict[str, Any]]:
    refund_id = await begin.refund_that_failed_and_a_seat_that_is_free(shop, event)
    return f"/admin/payments/refunds/{refund_id}/admission", {}


async def _tickets_of_a_lost_dispute(shop: Shop, event: Made, _: httpx.AsyncClient) -> tuple[str, dict[str, Any]]:
    dispute_id, tickets = await begin.lost_dispute(shop, event)
    return f"/admin/payments/disputes/{dispute_id}/tickets", {"ticket": sorted(map(str, tickets))}


DESK = [
    Press("refund asked for", _a_refund, "refund requested", REFUNDED),
    Press("seats returned, not committed", _seats_for_sale, "seats returned to sale", REFUNDED),
    Press("seats returned", _seats_for_sale, "seats returned to sale", REFUNDED),
    Press("seats taken back, not committed", _a_seat_for_who_has_paid, "seats taken back", ORDER),
    Press("seats taken back", _a_seat_for_who_has_paid, "seats taken back", ORDER),
    Press("refund asked for", _tickets_of_a_lost_dispute, "refund requested", {**ORDER, "valid tickets": 0}),
]


@pytest.mark.parametrize("press", DESK, ids=lambda press: f"{PLACES[press.place].sentence} ({press.begin.__name__})")
async def test_web_killed_while_somebody_at_the_desk_presses(shop, press):
    """They press again: it is done once, and written down once."""
    async with shop.desk() as desk:
        victim = shop.web(press.place)
        await until(shop.answers)
        path, form = await press.begin(shop, await make_event(capacity=5), desk)
        await _dies_of(victim, desk.post(path, data=form))
        await _opens(shop)
        await desk.post(path, data=form)
    await let_time_pass(seconds=90)
    shop.worker()
    await rests(shop, press.ends, wake=ALL_JOBS)
    await nothing_is_left_over(shop)
    assert await db.fetchval("SELECT count(*) FROM audit_entry WHERE action = $1", press.entry) == 1


async def _at_the_till(shop: Shop, **kind: int) -> str:
    """A buyer holds two tickets; the address of their page."""
    event = await make_event(ticket_type(**kind), capacity=5)
    checkout_id = await hold(event, General=2)
    await checkout.remember_buyer(checkout_id, **BUYER)
    return f"/checkouts/{links.checkout_token(checkout_id)}"


async def _dies(shop: Shop, place: str, request: Awaitable[httpx.Response]) -> None:
    """The web process comes by its place while it serves this request: nobody gets an answer."""
    await _dies_of(shop.web(place), request)


async def _dies_of(victim: Forked, request: Awaitable[httpx.Response]) -> None:
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
    await rests(shop, ORDER)
    answer = await shop.browser.get(f"{page}/status")
    assert answer.status_code == 303
    order = await shop.browser.get(answer.headers["Location"])
    assert await db.fetchval("SELECT number FROM orders") in order.text
    await nothing_is_left_over(shop)


async def _all_delivered(shop: Shop) -> bool:
    return not (await shop.stripe.state())["webhooks"]["waiting"]


def test_every_place_is_killed_at():
    killed_at = {kill.place for kill in WORKER} | {press.place for press in DESK}
    killed_at |= {*HOLDING, *STARTING, *ASKING, *HEARING, *GIVING_BACK, *FREE}
    assert killed_at == set(PLACES)
