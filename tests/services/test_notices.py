"""Notices: verified, kept once, answered; acted upon by asking, in whatever order and however often they come."""

import asyncio
import json
import random
import time
import uuid

import pytest
import stripe as library

from models import database as db
from sandbox.plan import SANDBOX_SECRET_KEY
from services import disputes, gateway, lanes, notices, refunds, settlement
from services.audit import Actor
from services.gateway import Notice, NoticeRefused
from services.stripe_gateway import StripeGateway
from services.transaction import transaction
from tests.conftest import WEBHOOK_SECRET
from tests.makers import buy, hold_with_buyer, let_time_pass, make_event, start_paying
from tests.services import bank

OLD_SECRET = "whsec_the_one_before"
EVENT = {
    "id": "evt_1",
    "type": "payment_intent.succeeded",
    "livemode": False,
    "data": {"object": {"id": "pi_1", "object": "payment_intent", "metadata": {"payment_id": str(uuid.UUID(int=7))}}},
}


def body(**changes):
    return json.dumps(EVENT | changes).encode()


def signed(raw, *, secret=WEBHOOK_SECRET, at=None):
    at = int(time.time()) if at is None else at
    seal = library.WebhookSignature._compute_signature(f"{at}.{raw.decode('utf-8', 'replace')}", secret)
    return f"t={at},v1={seal}"


@pytest.fixture
async def door():
    ours = StripeGateway(
        secret_key="sk_test_x", api_base="http://127.0.0.1:1", webhook_secrets=(WEBHOOK_SECRET, OLD_SECRET)
    )
    yield ours
    await ours.close()


# At the door


async def test_a_genuine_notice_is_read(door):
    raw = body()
    read = door.read_notice(raw, signed(raw))
    assert (read.id, read.type, read.reference, read.livemode) == ("evt_1", "payment_intent.succeeded", "pi_1", False)
    assert read.payment_id == uuid.UUID(int=7)


async def test_while_secrets_are_changed_both_are_good(door):
    raw = body()
    assert door.read_notice(raw, signed(raw, secret=OLD_SECRET)).id == "evt_1"


async def test_a_charge_leads_to_its_intent(door):
    raw = body(type="charge.refunded", data={"object": {"id": "ch_1", "object": "charge", "payment_intent": "pi_9"}})
    assert door.read_notice(raw, signed(raw)).reference == "pi_9"


@pytest.mark.parametrize(
    ("raw", "signature"),
    [
        pytest.param(body(), "", id="unsigned"),
        pytest.param(body(), "t=1,v1=", id="empty seal"),
        pytest.param(body(), "nonsense", id="nonsense"),
        pytest.param(body(), "t=x,v1=y", id="no time"),
        pytest.param(body(), signed(body(), secret="whsec_guess"), id="another secret"),
        pytest.param(body(id="evt_2"), signed(body()), id="another body"),
        pytest.param(body(), signed(body(), at=int(time.time()) - 302), id="301 s old"),
        pytest.param(body(), signed(body(), at=int(time.time()) + 3600), id="from the future"),
        pytest.param(b"\xff\xfe{", signed(b"\xff\xfe{"), id="not UTF-8"),
        pytest.param(b"{", signed(b"{"), id="not JSON"),
        pytest.param(b"[]", signed(b"[]"), id="a list"),
        pytest.param(b"{}", signed(b"{}"), id="nothing in it"),
        pytest.param(b"null", signed(b"null"), id="null"),
        pytest.param(body(data={"object": []}), signed(body(data={"object": []})), id="no subject"),
        pytest.param(b'{"data": 1, "id": 1}', signed(b'{"data": 1, "id": 1}'), id="numbers"),
    ],
)
async def test_case_30_what_is_not_genuine_fresh_and_readable_is_refused(door, raw, signature):
    with pytest.raises(NoticeRefused):
        door.read_notice(raw, signature)


async def test_without_a_secret_nothing_is_genuine():
    ours = StripeGateway(secret_key="sk_test_x", api_base="http://127.0.0.1:1", webhook_secrets=())
    raw = body()
    with pytest.raises(NoticeRefused):
        ours.read_notice(raw, signed(raw, secret="whsec_anything"))
    await ours.close()


# Kept


@pytest.fixture
async def purchase(database, stripe):
    checkout_id = await hold_with_buyer(await make_event(capacity=3))
    return await start_paying(checkout_id)


def notice(notice_id, reference, kind="payment_intent.amount_capturable_updated", payment_id=None):
    return Notice(notice_id, kind, reference, payment_id, False, "{}")


async def test_a_notice_is_kept_once_however_often_it_comes(purchase):
    kept = [await notices.keep(notice("evt_1", purchase.reference)) for _ in range(3)]
    assert kept == [True, False, False]
    assert await db.fetchval("SELECT count(*) FROM payment_notice") == 1


async def test_the_same_notice_many_times_at_once_is_kept_once(purchase):
    kept = await asyncio.gather(*(notices.keep(notice("evt_1", purchase.reference)) for _ in range(10)))
    assert sum(kept) == 1


async def test_a_notice_about_nobody_of_ours_is_kept_and_left_alone(purchase):
    assert not await notices.keep(notice("evt_1", "pi_of_somebody_else"))
    assert await notices.handle_due() == 0


@pytest.mark.parametrize("kind", notices.TELL_OF_AN_INTENT)
async def test_a_notice_that_only_tells_of_an_intent_is_news_until_we_know_the_intent(purchase, kind):
    assert not await notices.keep(notice("evt_1", purchase.reference, kind=kind, payment_id=purchase.payment_id))
    async with transaction():
        await db.execute("SET LOCAL session_replication_role = replica")
        await db.execute("UPDATE payment SET status = 'CREATING', reference = NULL")
    assert await notices.keep(notice("evt_2", purchase.reference, kind=kind, payment_id=purchase.payment_id))


async def test_a_kind_of_notice_that_means_nothing_to_us_is_kept_and_left_alone(purchase):
    assert not await notices.keep(notice("evt_1", purchase.reference, kind="charge.updated"))
    assert await notices.handle_due() == 0


async def test_a_notice_that_comes_before_the_answer_to_create_is_about_one_of_ours(database, stripe):
    checkout_id = await hold_with_buyer(await make_event())
    await stripe.fault(op="payment_intents.create", mode="drop_after", times=2)
    with pytest.raises(gateway.OutcomeUnknown):
        await start_paying(checkout_id)
    payment_id = await db.fetchval("SELECT id FROM payment")
    (there,) = (await stripe.state())["intents"]
    assert await notices.keep(notice("evt_1", there["id"], kind="payment_intent.created", payment_id=payment_id))


# Handled


async def test_a_notice_leads_to_the_order(purchase, stripe):
    await stripe.pay(purchase.client_secret)
    await notices.keep(notice("evt_1", purchase.reference))
    assert await notices.handle_due() == 1
    assert await db.fetchval("SELECT status FROM orders") == "COMPLETED"
    assert await notices.handle_due() == 0


async def test_what_a_notice_says_is_never_believed(purchase, stripe):
    """A forged or outdated “succeeded” makes nothing: the provider is asked, and says otherwise."""
    await notices.keep(notice("evt_1", purchase.reference, kind="payment_intent.succeeded"))
    assert await notices.handle_due() == 1
    assert await db.fetchval("SELECT count(*) FROM orders") == 0


@pytest.mark.parametrize("order", range(4))
async def test_duplicate_late_and_reordered_notices_are_one_order(purchase, stripe, order):
    await stripe.pay(purchase.client_secret)
    kinds = ["succeeded", "amount_capturable_updated", "created", "payment_failed", "canceled"]
    random.Random(order).shuffle(kinds)
    for number, kind in enumerate(kinds * 2):
        await notices.keep(notice(f"evt_{number}", purchase.reference, kind=f"payment_intent.{kind}"))
    await asyncio.gather(notices.handle_due(), notices.handle_due(3), notices.handle_due(1))
    assert await db.fetchval("SELECT count(*) FROM payment_notice WHERE handled_at IS NULL") == 0
    assert await db.fetchval("SELECT count(*) FROM orders") == 1
    assert await db.fetchval("SELECT count(*) FROM ticket") == 1
    assert sum(i["amount_received"] for i in (await stripe.state())["intents"]) == 2400


async def test_a_notice_whose_handling_fails_is_tried_again_later(purchase, stripe):
    await stripe.pay(purchase.client_secret)
    await notices.keep(notice("evt_1", purchase.reference))
    await stripe.fault(op="payment_intents.retrieve", mode="429")
    assert await notices.handle_due() == 0
    assert "rate limit" in await db.fetchval("SELECT last_error FROM payment_notice")
    assert await notices.handle_due() == 0, "not at once"
    await let_time_pass(seconds=5)
    assert await notices.handle_due() == 1
    assert await db.fetchval("SELECT status FROM orders") == "COMPLETED"


async def test_i7_a_notice_that_never_can_be_handled_stays_in_sight(purchase, stripe):
    await notices.keep(notice("evt_1", purchase.reference))
    await stripe.reset()
    for _ in range(lanes.MAX_ATTEMPTS):
        await db.execute("UPDATE payment_notice SET run_at = now()")
        await notices.handle_due()
    dead = await db.fetchrow("SELECT handled_at, run_at = 'infinity' AS given_up, last_error FROM payment_notice")
    assert (dead["handled_at"], dead["given_up"]) == (None, True)
    assert "No such payment_intent" in dead["last_error"]


async def test_a_worker_that_dies_with_a_notice_in_hand_loses_nothing(purchase, stripe, monkeypatch):
    class Killed(BaseException):
        pass

    async def killed(_):
        raise Killed

    await stripe.pay(purchase.client_secret)
    await notices.keep(notice("evt_1", purchase.reference))
    with monkeypatch.context() as patch:
        patch.setitem(notices.DEEDS, "payment_intent.", killed)
        with pytest.raises(Killed):
            await notices.handle_due()
    assert await notices.handle_due() == 0, "its lease has to run out first"
    await let_time_pass(seconds=lanes.LEASE_SECONDS)
    assert await notices.handle_due() == 1
    assert await db.fetchval("SELECT status FROM orders") == "COMPLETED"


# About money that goes back


async def test_the_provider_s_own_words_about_refunds_and_disputes_lead_to_the_intent(stripe, door):
    """Every event that the stand-in writes for them, read as it would come."""
    order_id = await buy(await make_event(), stripe)
    intent = await db.fetchval("SELECT payment_reference FROM orders WHERE id = $1", order_id)
    made = await stripe.dashboard(intent, "refund", amount=100)
    await bank.decide(stripe, made["id"], "fail")
    dispute = await stripe.dashboard(intent, "dispute")
    await bank.decide(stripe, dispute["id"], "win")
    answer = await stripe._client.get("/v1/events", params={"limit": 100}, auth=(SANDBOX_SECRET_KEY, ""))
    led = {}
    for event in answer.json()["data"]:
        raw = json.dumps(event).encode()
        read = door.read_notice(raw, signed(raw))
        led[read.type] = (read.reference, notices._deed(read.type))
    assert {reference for reference, _ in led.values()} == {intent}
    to_refunds = {"refund.created", "refund.updated", "refund.failed", "charge.refunded", "charge.refund.updated"}
    to_disputes = {kind for kind in led if kind.startswith("charge.dispute.")}
    assert to_refunds <= led.keys()
    assert len(to_disputes) >= 3
    assert {kind for kind, (_, deed) in led.items() if deed is refunds.sync} == to_refunds
    assert {kind for kind, (_, deed) in led.items() if deed is disputes.sync} == to_disputes
    assert led["payment_intent.succeeded"][1] is settlement.settle
    assert led["charge.succeeded"][1] is None, "its intent says the same"


async def test_a_notice_about_somebody_else_s_refund_is_kept_and_done_with(stripe):
    assert not await notices.keep(notice("evt_1", "pi_foreign", kind="refund.created"))
    assert not await notices.keep(notice("evt_2", None, kind="refund.created"))
    assert await notices.handle_due() == 0
    assert await db.fetchval("SELECT count(*) FROM payment_notice WHERE handled_at IS NOT NULL") == 2


async def test_refunds_and_disputes_told_twice_late_and_in_any_order_are_known_once(stripe):
    order_id = await buy(await make_event(), stripe, General=2)
    intent = await db.fetchval("SELECT payment_reference FROM orders WHERE id = $1", order_id)
    await stripe.dashboard(intent, "refund", amount=100)
    await stripe.dashboard(intent, "dispute")
    kinds = ["refund.created", "charge.refunded", "refund.updated", "charge.dispute.created", "charge.dispute.updated"]
    for number, kind in enumerate(random.sample(kinds * 3, 15)):
        await notices.keep(notice(f"evt_{number}", intent, kind=kind))
    await asyncio.gather(*(notices.handle_due() for _ in range(3)))
    assert await db.fetchval("SELECT count(*) FROM payment_notice WHERE handled_at IS NULL") == 0
    assert [tuple(row) for row in await db.fetch("SELECT amount, reason FROM refund")] == [(100, "OUTSIDE")]
    assert await db.fetchval("SELECT count(*) FROM dispute") == 1


async def test_a_notice_that_was_given_up_is_taken_up_at_a_person_s_word(purchase, stripe):
    await stripe.pay(purchase.client_secret)
    await notices.keep(notice("evt_1", purchase.reference))
    await db.execute("UPDATE payment_notice SET run_at = 'infinity', attempts = 12")
    assert await notices.handle_due() == 0
    for _ in range(2):
        await notices.try_again("evt_1", actor=Actor(uuid.UUID(int=1), "Mira"))
        await notices.handle_due()
    await notices.try_again("evt_unknown", actor=Actor(uuid.UUID(int=1), "Mira"))
    assert await db.fetchval("SELECT status FROM orders") == "COMPLETED"
    entries = await db.fetch("SELECT actor_name, action, subject_kind, subject_id FROM audit_entry")
    assert [tuple(entry) for entry in entries] == [("Mira", "tried again", "notice", "evt_1")], "what is done is done"


@pytest.mark.parametrize("spacing", ["", " ", "\n  "])
async def test_the_secret_of_a_payment_form_is_not_kept(door, spacing):
    subject = EVENT["data"]["object"] | {"client_secret": 'pi_1_secret_"quoted\\', "description": "client_secret"}
    raw = json.dumps(EVENT | {"data": {"object": subject}}, indent=2, separators=(",", f":{spacing}")).encode()
    kept = door.read_notice(raw, signed(raw)).payload
    assert "pi_1_secret" not in kept
    assert json.loads(kept) == EVENT | {"data": {"object": subject | {"client_secret": "redacted"}}}


async def test_a_notice_without_a_secret_is_kept_to_the_letter(door):
    raw = body(odd="\ud800 \u0000", data={"object": EVENT["data"]["object"] | {"client_secret": None}})
    assert door.read_notice(raw, signed(raw)).payload == raw.decode()
