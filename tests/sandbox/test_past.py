"""Payments that were made before the sandbox heard of them: from then on they are like any other."""

from typing import Any

import pytest

from tests.sandbox.paying import charge_of, paid
from tests.sandbox.running import Sandbox

LAST_WEEK = 1_763_000_000


def a_payment(reference: str = "pi_past", **fields: Any) -> dict[str, Any]:
    payment = {"reference": reference, "amount": 4200, "currency": "EUR", "created": LAST_WEEK}
    return {**payment, "metadata": {"payment_id": "0198"}, **fields}


async def test_it_looks_like_one_that_was_made_here(sandbox: Sandbox) -> None:
    here = await paid(sandbox)
    sandbox.post("payments", payments=[a_payment()])
    past = await sandbox.stripe().v1.payment_intents.retrieve_async("pi_past")
    assert (past.status, past.amount_received, past.currency) == ("succeeded", 4200, "eur")
    assert (past.created, past.metadata.to_dict()) == (LAST_WEEK, {"payment_id": "0198"})
    same = {"status", "capture_method", "payment_method_types", "amount_capturable", "automatic_payment_methods"}
    assert {name: past[name] for name in same} == {name: here[name] for name in same}
    assert set(past.to_dict()) == set(here.to_dict())

    charges = await charge_of(sandbox, past), await charge_of(sandbox, here)
    assert len({(charge.status, charge.paid, charge.captured, charge.outcome.type) for charge in charges}) == 1
    assert set(charges[0].to_dict()) == set(charges[1].to_dict())
    assert (charges[0].amount_captured, charges[0].created) == (4200, LAST_WEEK)


async def test_it_can_be_refunded_and_disputed(sandbox: Sandbox) -> None:
    sandbox.post("payments", payments=[a_payment("pi_1"), a_payment("pi_2")])
    refund = await sandbox.stripe().v1.refunds.create_async({"payment_intent": "pi_1", "amount": 200})
    assert (refund.status, refund.amount) == ("succeeded", 200)
    assert sandbox.post("intents/pi_2/dispute")["amount"] == 4200


async def test_it_is_listed_by_when_it_was_made(sandbox: Sandbox) -> None:
    sandbox.post("payments", payments=[a_payment(f"pi_{days}", created=LAST_WEEK + days * 86400) for days in range(3)])
    since: Any = {"created": {"gte": LAST_WEEK + 86400}}
    page = await sandbox.stripe().v1.payment_intents.list_async(since)
    assert [intent.id for intent in page.data] == ["pi_2", "pi_1"]


async def test_nobody_is_told(sandbox: Sandbox) -> None:
    sandbox.post("payments", payments=[a_payment()])
    assert (await sandbox.stripe().v1.events.list_async()).data == []
    assert sandbox.state_now()["webhooks"]["waiting"] == []


def test_what_is_known_stays_as_it_is(sandbox: Sandbox) -> None:
    twice = [a_payment(), a_payment()]
    assert sandbox.post("payments", payments=twice) == {"new": 1}
    before = sandbox.state_now()["intents"]
    assert sandbox.post("payments", payments=[a_payment(amount=9900)]) == {"new": 0}
    assert sandbox.state_now()["intents"] == before


def test_it_says_which_ones_it_has_not_heard_of(sandbox: Sandbox) -> None:
    sandbox.post("payments", payments=[a_payment("pi_2")])
    assert sandbox.post("payments/unknown", references=["pi_3", "pi_2", "pi_1"]) == {"references": ["pi_3", "pi_1"]}


def test_thousands_come_at_once(sandbox: Sandbox) -> None:
    thousands = [a_payment(f"pi_{number}") for number in range(3000)]
    assert sandbox.post("payments", payments=thousands) == {"new": 3000}
    assert sandbox.post("payments", payments=thousands) == {"new": 0}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"amount": 1}, "at least"),
        ({"currency": "gold"}, "Invalid currency"),
        ({"amount": "much"}, "Expected `int`"),
        ({"reference": "a path/"}, "matching regex"),
        ({"status": "lost"}, "unknown field `status`"),
    ],
)
def test_one_that_stripe_would_not_have_taken_is_refused_with_all_the_others(
    sandbox: Sandbox, wrong: dict[str, Any], said: str
) -> None:
    answer = sandbox.try_post("payments", payments=[a_payment("pi_1"), a_payment(**wrong)])
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]
    assert sandbox.state_now()["intents"] == []


def test_another_site_cannot_invent_payments(sandbox: Sandbox) -> None:
    for path in ("payments", "payments/unknown"):
        answer = sandbox.http.post(f"{sandbox.url}/_sandbox/{path}", headers={"Origin": "https://elsewhere.example"})
        assert answer.status_code == 403
