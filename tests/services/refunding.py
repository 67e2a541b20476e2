"""Refunds as the desk asks for them and as the worker does them, for every test about money that goes back."""

import uuid

import pytest

from domain.refunds import Everything, RefundReason, RefundStatus
from models import database as db
from models import invariants
from services import outbox, refunds, settlement
from services.audit import Actor
from tests.makers import hold_with_buyer, key, make_event, start_paying
from tests.services import bank

ADMIN = Actor(uuid.uuid4(), "Mira")
REQUESTED, PENDING, SUCCEEDED, FAILED = RefundStatus
REFUND_FAILS, REFUND_PENDS = "4000000000005126", "4000000000007726"


async def refund(order_id, wish=None, *, seats_return=False, request_key=None, reason=RefundReason.REQUESTED, note=""):
    """As the desk asks for it. Everything, unless told otherwise."""
    return await refunds.request(
        order_id,
        wish or Everything(),
        reason=reason,
        note=note,
        seats_return=seats_return,
        request_key=request_key or key(),
        actor=ADMIN,
    )


async def refund_and_run(order_id, wish=None, **options):
    refund_id = await refund(order_id, wish, **options)
    await refunds.run(refund_id)
    return refund_id


async def work():
    """The worker's outbox, without its mails. Returns how many deeds were done."""
    return await outbox.drain({"refund": refunds.run})


async def row(refund_id):
    return await db.fetchrow("SELECT * FROM refund WHERE id = $1", refund_id)


async def status(refund_id):
    return (await row(refund_id))["status"]


async def known():
    """Every refund in our books: amount, status and reason, oldest first."""
    rows = await db.fetch("SELECT amount, status, reason FROM refund ORDER BY created_at, id")
    return [tuple(found) for found in rows]


async def at_stripe(stripe):
    """The refunds in the provider's books, oldest first."""
    return (await stripe.state())["refunds"][::-1]


async def amounts(stripe):
    return [r["amount"] for r in await at_stripe(stripe) if r["status"] in ("succeeded", "pending")]


async def calls(stripe, op):
    return [c for c in (await stripe.state())["calls"] if c["op"] == op]


async def tickets_of(order_id, *, valid):
    rows = await db.fetch(
        "SELECT id FROM ticket WHERE order_id = $1 AND (refund_id IS NULL) = $2 ORDER BY position", order_id, valid
    )
    return [found["id"] for found in rows]


async def validity(order_id):
    """One letter per ticket: v(alid), i(nvalid), r(eturned to sale)."""
    rows = await db.fetch("SELECT refund_id, returned FROM ticket WHERE order_id = $1 ORDER BY position", order_id)
    return "".join("v" if found["refund_id"] is None else "r" if found["returned"] else "i" for found in rows)


async def intent_of(order_id):
    return await db.fetchval("SELECT payment_reference FROM orders WHERE id = $1", order_id)


async def mails():
    rows = await db.fetch("SELECT subject FROM outbox WHERE kind = 'refund_mail'")
    return [found["subject"] for found in rows]


async def audit_trail():
    rows = await db.fetch("SELECT actor_name, action, subject_kind FROM audit_entry ORDER BY id")
    return [tuple(found) for found in rows]


async def pay_with(stripe, card, event=None, **quantities):
    """A purchase with a certain card; returns the order."""
    checkout_id = await hold_with_buyer(event or await make_event(capacity=5), **quantities)
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret, card)
    await settlement.settle(intent.reference)
    return await db.fetchval("SELECT id FROM orders WHERE checkout_id = $1", checkout_id)


async def fail(stripe, refund_id):
    """The bank sends it back. Nobody has heard of it yet."""
    await bank.decide(stripe, (await row(refund_id))["reference"], "fail")


@pytest.fixture
async def at_every_instant(monkeypatch):
    """The promises are asked about after every commit, not only in the end."""
    run, leave, asking = db._run, db.Transaction.__aexit__, False

    async def ask():
        nonlocal asking
        if not asking and not db.in_transaction():
            asking = True
            assert await invariants.broken() == {}
            asking = False

    async def run_and_ask(method, sql, *args):
        answer = await run(method, sql, *args)
        await ask()
        return answer

    async def leave_and_ask(self, *error):
        await leave(self, *error)
        await ask()
        return False

    monkeypatch.setattr(db, "_run", run_and_ask)
    monkeypatch.setattr(db.Transaction, "__aexit__", leave_and_ask)
