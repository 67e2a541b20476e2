"""Disputes: the bank takes money back at its holder's word. They appear, change and close; people answer elsewhere."""

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.attention import NotOnTheList
from domain.errors import TicketsNotRefundable
from models import database as db
from sandbox.plan import SANDBOX_SECRET_KEY
from services import disputes, gateway, notices, refunds, settlement
from services.gateway import OutcomeUnknown
from tests.faults.interleaving import after_statement
from tests.makers import buy, hold_with_buyer, make_event, start_paying
from tests.services import bank
from tests.services.refunding import ADMIN, audit_trail, intent_of, status, tickets_of, validity

pytestmark = pytest.mark.usefixtures("database", "stripe")

AT_ONCE = "4000000000000259"


@pytest.fixture
async def order_id(stripe):
    return await buy(await make_event(capacity=5), stripe)


@pytest.fixture
async def intent(order_id):
    return await db.fetchval("SELECT payment_reference FROM orders WHERE id = $1", order_id)


async def known():
    return [tuple(row) for row in await db.fetch("SELECT amount, currency, reason, status FROM dispute ORDER BY id")]


async def test_a_dispute_appears_with_what_it_is_about_and_until_when_the_bank_listens(intent, stripe):
    there = await stripe.dashboard(intent, "dispute", reason="product_not_received", amount=1000)
    await disputes.sync(intent)
    assert await known() == [(1000, "EUR", "product_not_received", "needs_response")]
    dispute = await db.fetchrow("SELECT * FROM dispute")
    assert dispute["id"] == there["id"]
    assert dispute["respond_by"] == datetime.fromtimestamp(there["evidence_details"]["due_by"], UTC)
    assert dispute["respond_by"] > datetime.now(UTC) + timedelta(days=1)
    assert dispute["payment_id"] == await db.fetchval("SELECT id FROM payment")


@pytest.mark.parametrize(("verb", "status"), [("win", "won"), ("lose", "lost")])
async def test_a_dispute_changes_and_closes(intent, stripe, verb, status):
    there = await stripe.dashboard(intent, "dispute")
    await disputes.sync(intent)
    evidence = {"evidence[product_description]": "two tickets"}
    await stripe._client.post(f"/v1/disputes/{there['id']}", data=evidence, auth=(SANDBOX_SECRET_KEY, ""))
    await disputes.sync(intent)
    assert await known() == [(2400, "EUR", "fraudulent", "under_review")]
    await bank.decide(stripe, there["id"], verb)
    await disputes.sync(intent)
    assert await known() == [(2400, "EUR", "fraudulent", status)]


async def test_a_bank_that_only_asks_is_an_inquiry(intent, stripe):
    await stripe.dashboard(intent, "dispute", inquiry=True)
    await disputes.sync(intent)
    assert await known() == [(2400, "EUR", "fraudulent", "warning_needs_response")]


async def test_a_card_may_be_disputed_the_moment_its_money_is_taken(stripe):
    intent = await start_paying(await hold_with_buyer(await make_event()))
    await stripe.pay(intent.client_secret, AT_ONCE)
    await settlement.settle(intent.reference)
    await disputes.sync(intent.reference)
    assert await known() == [(2400, "EUR", "fraudulent", "needs_response")]
    assert await db.fetchval("SELECT status FROM orders") == "COMPLETED", "the house flags it, people decide"
    assert await db.fetchval("SELECT count(*) FROM ticket WHERE refund_id IS NULL") == 1


async def test_a_payment_can_be_disputed_again(intent, stripe):
    first = await stripe.dashboard(intent, "dispute", amount=400)
    await bank.decide(stripe, first["id"], "win")
    await stripe.dashboard(intent, "dispute", amount=2000)
    await disputes.sync(intent)
    assert sorted(await known()) == [
        (400, "EUR", "fraudulent", "won"),
        (2000, "EUR", "fraudulent", "needs_response"),
    ]


async def test_looking_again_changes_nothing_not_even_when_it_was_last_news(intent, stripe):
    await stripe.dashboard(intent, "dispute")
    await asyncio.gather(*(disputes.sync(intent) for _ in range(5)))
    before = await db.fetchrow("SELECT * FROM dispute")
    await disputes.sync(intent)
    assert await db.fetchrow("SELECT * FROM dispute") == before


async def test_a_payment_without_a_dispute_has_none(intent):
    await disputes.sync(intent)
    assert await known() == []


async def test_a_dispute_of_somebody_else_s_payment_is_left_alone(intent, stripe):
    foreign = await gateway.current().create(payment_id=uuid.uuid4(), attempt=0, amount=999, currency="EUR")
    await stripe.pay(foreign.client_secret)
    await gateway.current().capture(foreign.reference)
    await stripe.dashboard(foreign.reference, "dispute")
    await disputes.sync(foreign.reference)
    assert await known() == []


async def test_a_provider_that_does_not_answer_leaves_it_open(intent, stripe):
    await stripe.fault(op="disputes.list", mode="500_before", times=2)
    with pytest.raises(OutcomeUnknown):
        await disputes.sync(intent)


@pytest.mark.parametrize("kind", ["created", "updated", "closed", "funds_withdrawn", "funds_reinstated"])
async def test_every_notice_about_a_dispute_leads_to_a_look(intent, stripe, kind):
    await stripe.dashboard(intent, "dispute")
    assert await notices.keep(gateway.Notice("evt_1", f"charge.dispute.{kind}", intent, None, False, "{}"))
    assert await notices.handle_due() == 1
    assert await known() == [(2400, "EUR", "fraudulent", "needs_response")]


async def test_notices_in_the_wrong_order_end_with_what_is_true_now(intent, stripe):
    there = await stripe.dashboard(intent, "dispute")
    await bank.decide(stripe, there["id"], "lose")
    for number, kind in enumerate(("closed", "updated", "created", "created")):
        await notices.keep(gateway.Notice(f"evt_{number}", f"charge.dispute.{kind}", intent, None, False, "{}"))
    await notices.handle_due()
    assert await known() == [(2400, "EUR", "fraudulent", "lost")]


async def test_an_answer_from_before_the_decision_that_comes_after_it_changes_nothing(intent, stripe, monkeypatch):
    there = await stripe.dashboard(intent, "dispute")
    before = await gateway.current().disputes_of(intent)
    await bank.decide(stripe, there["id"], "lose")
    await disputes.sync(intent)

    async def slowly(_):
        return before

    monkeypatch.setattr(gateway.current(), "disputes_of", slowly)
    await disputes.sync(intent)
    assert [status for *_, status in await known()] == ["lost"]


async def test_the_bank_s_own_way_of_giving_back_is_not_a_refund(intent, stripe):
    await stripe.dashboard(intent, "dispute")
    await refunds.sync(intent)
    assert await db.fetchval("SELECT count(*) FROM refund") == 0


# Tickets of one that was lost


async def lost(intent, stripe, **how):
    there = await stripe.dashboard(intent, "dispute", **how)
    await bank.decide(stripe, there["id"], "lose")
    await disputes.sync(intent)
    return there["id"]


async def won_after_all(monkeypatch, intent, dispute_id):
    """A bank that changes its mind, which Stripe tells of as won."""
    theirs = [replace(d, status="won") for d in await gateway.current().disputes_of(intent) if d.id == dispute_id]

    async def disputes_of(_):
        return theirs

    monkeypatch.setattr(gateway.current(), "disputes_of", disputes_of)
    await disputes.sync(intent)


async def test_tickets_of_a_lost_dispute_are_made_invalid_and_no_money_moves(order_id, intent, stripe):
    dispute_id = await lost(intent, stripe)
    assert await validity(order_id) == "v", "not by themselves: people decide"
    ids = frozenset(await tickets_of(order_id, valid=True))
    refund_id = await disputes.make_tickets_invalid(dispute_id, ids, actor=ADMIN)
    assert await disputes.make_tickets_invalid(dispute_id, ids, actor=ADMIN) == refund_id, "pressed twice"
    assert await validity(order_id) == "i"
    made = await db.fetchrow("SELECT amount, reason, status FROM refund")
    assert tuple(made) == (0, "DISPUTED", "SUCCEEDED")
    assert (await stripe.state())["refunds"] == []
    assert (await audit_trail())[-1] == ("Mira", "refund requested", "order")
    assert await db.fetchval("SELECT sold FROM event") == 1, "the seat stays off sale"
    assert await refunds.return_seats(refund_id, actor=ADMIN) == 1


async def test_some_of_the_tickets_may_stay_valid_and_others_may_follow(stripe):
    order_id = await buy(await make_event(), stripe, General=3)
    dispute_id = await lost(await intent_of(order_id), stripe, amount=2400)
    for valid in ("ivv", "iiv"):
        ids = frozenset((await tickets_of(order_id, valid=True))[:1])
        await disputes.make_tickets_invalid(dispute_id, ids, actor=ADMIN)
        assert await validity(order_id) == valid


@pytest.mark.parametrize("verb", [None, "win"])
async def test_only_a_lost_dispute_makes_tickets_invalid(order_id, intent, stripe, verb):
    there = await stripe.dashboard(intent, "dispute")
    if verb:
        await bank.decide(stripe, there["id"], verb)
    await disputes.sync(intent)
    ids = frozenset(await tickets_of(order_id, valid=True))
    for known_or_not in (there["id"], "du_nobody"):
        with pytest.raises(NotOnTheList):
            await disputes.make_tickets_invalid(known_or_not, ids, actor=ADMIN)
    assert await validity(order_id) == "v"


async def test_tickets_of_another_order_are_not_made_invalid(intent, stripe):
    dispute_id = await lost(intent, stripe)
    other = await buy(await make_event(), stripe)
    with pytest.raises(TicketsNotRefundable):
        await disputes.make_tickets_invalid(dispute_id, frozenset(await tickets_of(other, valid=True)), actor=ADMIN)


async def test_a_bank_that_changes_its_mind_makes_them_valid_again(order_id, intent, stripe, monkeypatch):
    dispute_id = await lost(intent, stripe)
    refund_id = await disputes.make_tickets_invalid(
        dispute_id, frozenset(await tickets_of(order_id, valid=True)), actor=ADMIN
    )
    await won_after_all(monkeypatch, intent, dispute_id)
    await won_after_all(monkeypatch, intent, dispute_id)
    assert await validity(order_id) == "v"
    assert await status(refund_id) == "FAILED"
    assert (await audit_trail())[-1] == ("Foyer", "refund failed", "refund")


async def test_a_bank_that_changes_its_mind_while_the_tickets_are_made_invalid(order_id, intent, stripe, monkeypatch):
    dispute_id = await lost(intent, stripe)
    ids = frozenset(await tickets_of(order_id, valid=True))
    with after_statement(disputes.FIND, lambda: won_after_all(monkeypatch, intent, dispute_id)):
        await disputes.make_tickets_invalid(dispute_id, ids, actor=ADMIN)
    assert await validity(order_id) == "v"
