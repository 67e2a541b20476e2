"""Paying: one intent per checkout, kind words after a no, the truth while nobody knows, and an order at the end."""

import asyncio
import json
import re

import pytest
from httpx import AsyncClient

from models import database as db
from services import checkout, links, pace
from tests.makers import (
    hold,
    hold_with_buyer,
    left,
    let_time_pass,
    let_time_run_out,
    make_event,
    statuses,
    ticket_type,
)

BUYER = {"name": "Ana Kovač", "email": "ana@example.org"}
FUNDS, GENERIC, EXPIRED, CVC = "4000000000009995", "4000000000000002", "4000000000000069", "4000000000000127"
SECURE, SECURE_THEN_NO = "4000002500003155", "4000008400001629"


def page_of(checkout_id) -> str:
    return f"/checkouts/{links.checkout_token(checkout_id)}"


async def open_card(browser: AsyncClient, checkout_id, script) -> str:
    """What the page's script does once it knows the buyer; returns what Stripe.js is given."""
    answer = await browser.post(f"{page_of(checkout_id)}/payment", data=BUYER, headers=script)
    assert answer.status_code == 200, answer.text
    return answer.json()["client_secret"]


async def orders() -> int:
    return await db.fetchval("SELECT count(*) FROM orders")


async def test_a_purchase_from_the_card_field_to_the_tickets(browser, stripe, script):
    event = await make_event(capacity=5)
    checkout_id = await hold(event, General=2)
    await stripe.pay(await open_card(browser, checkout_id, script))
    answer = await browser.get(f"{page_of(checkout_id)}/status", headers=script)
    assert answer.status_code == 204
    order = await browser.get(answer.headers["hx-redirect"])
    assert order.status_code == 200
    assert "You’re going, Ana" in order.text
    assert await statuses(checkout_id) == ["CONSUMED"]
    assert await left(event) == 3


async def test_what_can_be_paid_with_is_handed_out_only_to_a_known_buyer(browser, stripe, script):
    checkout_id = await hold(await make_event())
    for buyer in ({}, {"name": "Ana"}, {"name": "Ana", "email": "ana@"}, {"name": "Ana\r\n", "email": "a@b.org"}):
        answer = await browser.post(f"{page_of(checkout_id)}/payment", data=buyer, headers=script)
        assert answer.status_code == 422
        assert "secret" not in answer.text
    assert (await stripe.state())["intents"] == [], "and until then there is nothing to pay"


async def test_the_secret_is_in_no_page_and_no_cache(browser, script):
    checkout_id = await hold_with_buyer(await make_event())
    answer = await browser.post(f"{page_of(checkout_id)}/payment", data=BUYER, headers=script)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "same-origin"
    secret = answer.json()["client_secret"]
    assert secret not in (await browser.get(page_of(checkout_id))).text


async def test_tabs_and_reloads_share_one_intent(browser, stripe, script):
    checkout_id = await hold(await make_event())
    first = await open_card(browser, checkout_id, script)
    secrets = await asyncio.gather(*(open_card(browser, checkout_id, script) for _ in range(4)))
    assert set(secrets) == {first}
    assert len((await stripe.state())["intents"]) == 1


async def test_the_price_comes_from_the_server(browser, stripe, script):
    checkout_id = await hold(await make_event(), General=2)
    lies = {**BUYER, "amount": "1", "currency": "jpy", "total": "1"}
    await browser.post(f"{page_of(checkout_id)}/payment", data=lies, headers=script)
    (intent,) = (await stripe.state())["intents"]
    assert (intent["amount"], intent["currency"], intent["capture_method"]) == (4800, "eur", "manual")


@pytest.mark.parametrize(
    ("card", "words"),
    [
        (FUNDS, "Your bank said no (insufficient funds)."),
        (GENERIC, "Your bank said no, and did not say why."),
        (EXPIRED, "The card has expired."),
        (CVC, "The security code does not match the card."),
        ("4000000000009987", "Your bank said no, and did not say why."),
    ],
)
async def test_ac_7_a_decline_is_explained_and_the_same_hold_pays_later(browser, stripe, script, card, words):
    checkout_id = await hold(await make_event())
    secret = await open_card(browser, checkout_id, script)
    assert (await stripe.pay(secret, card))["error"]["type"] == "card_error"
    declined = await browser.get(f"{page_of(checkout_id)}/status", headers=script)
    assert declined.status_code == 402
    assert declined.text.lstrip().startswith('<div id="payment-notice">')
    assert words in declined.text
    assert "You have not been charged, and your ticket is still held until" in declined.text
    assert words in (await browser.get(page_of(checkout_id))).text, "a reload says the same"
    assert await orders() == 0

    assert await open_card(browser, checkout_id, script) == secret
    await stripe.pay(secret)
    assert (await browser.get(f"{page_of(checkout_id)}/status", headers=script)).status_code == 204
    assert await orders() == 1


async def test_a_bank_that_could_not_confirm_the_buyer_says_so_and_approves_the_next_time(browser, stripe, script):
    checkout_id = await hold(await make_event())
    secret = await open_card(browser, checkout_id, script)
    status = f"{page_of(checkout_id)}/status"
    await stripe.pay(secret, SECURE)
    assert (await browser.get(status, headers=script)).status_code == 200, "the bank is still asking"
    await stripe.answer_bank(secret, "fail")
    declined = await browser.get(status, headers=script)
    assert declined.status_code == 402
    assert "could not confirm that it is you" in declined.text
    await stripe.pay(secret, SECURE)
    await stripe.answer_bank(secret, "success")
    assert (await browser.get(status, headers=script)).status_code == 204
    assert await orders() == 1


async def test_approved_but_then_declined_is_a_decline(browser, stripe, script):
    checkout_id = await hold(await make_event())
    secret = await open_card(browser, checkout_id, script)
    await stripe.pay(secret, SECURE_THEN_NO)
    await stripe.answer_bank(secret, "success")
    assert (await browser.get(f"{page_of(checkout_id)}/status", headers=script)).status_code == 402


async def test_asking_before_anything_happened_says_nothing(browser, script):
    checkout_id = await hold(await make_event())
    for opened in (False, True):
        if opened:
            await open_card(browser, checkout_id, script)
        answer = await browser.get(f"{page_of(checkout_id)}/status", headers=script)
        assert answer.status_code == 200
        assert answer.text.split() == ["<div", 'id="payment-notice">', "</div>"]


async def test_without_the_script_asking_leads_back_to_the_page_or_on_to_the_order(browser, stripe, script):
    checkout_id = await hold(await make_event())
    secret = await open_card(browser, checkout_id, script)
    status = f"{page_of(checkout_id)}/status"
    assert (await browser.get(status)).headers["location"] == page_of(checkout_id)
    await stripe.pay(secret)
    assert (await browser.get(status)).headers["location"].startswith("/orders/")


async def test_back_from_the_banks_page_the_secret_leaves_the_address_at_once(browser, stripe, script):
    checkout_id = await hold(await make_event())
    secret = await open_card(browser, checkout_id, script)
    await stripe.pay(secret)
    back = await browser.get(
        page_of(checkout_id),
        params={"payment_intent": "pi_x", "payment_intent_client_secret": secret, "redirect_status": "succeeded"},
    )
    assert (back.status_code, back.headers["location"]) == (303, f"{page_of(checkout_id)}/status")
    assert (await browser.get(back.headers["location"])).headers["location"].startswith("/orders/")


async def test_a_forged_return_creates_nothing(browser, script):
    checkout_id = await hold(await make_event())
    await open_card(browser, checkout_id, script)
    await browser.get(f"{page_of(checkout_id)}/status?payment_intent=pi_x&redirect_status=succeeded")
    assert await orders() == 0


async def test_an_unreachable_provider_is_said_and_the_hold_stays(browser, stripe, script):
    checkout_id = await hold(await make_event())
    await stripe.fault(op="payment_intents.create", mode="500_before", times=2)
    answer = await browser.post(f"{page_of(checkout_id)}/payment", data=BUYER, headers=script)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "3"
    assert "We can’t reach the payment service right now" in answer.text
    assert "your ticket is still held until" in answer.text
    assert await statuses(checkout_id) == ["ACTIVE"]
    await open_card(browser, checkout_id, script)
    assert len((await stripe.state())["intents"]) == 1


async def test_not_knowing_is_not_an_answer(browser, stripe, script):
    checkout_id = await hold(await make_event())
    secret = await open_card(browser, checkout_id, script)
    await stripe.pay(secret)
    await stripe.fault(op="payment_intents.retrieve", mode="500_before", times=2)
    assert (await browser.get(f"{page_of(checkout_id)}/status", headers=script)).status_code == 503
    assert (await browser.get(f"{page_of(checkout_id)}/status", headers=script)).status_code == 204


async def test_while_the_capture_is_unanswered_the_tickets_are_being_made(browser, stripe, script):
    event = await make_event(capacity=1)
    checkout_id = await hold(event)
    secret = await open_card(browser, checkout_id, script)
    await stripe.pay(secret)
    await stripe.fault(op="payment_intents.capture", mode="429")
    status = f"{page_of(checkout_id)}/status"
    waiting = await browser.get(status, headers=script)
    assert waiting.status_code == 202
    assert "Your bank has agreed" in waiting.text
    page = await browser.get(page_of(checkout_id))
    assert (page.status_code, "data-seconds" in page.text) == (202, False), "the clock no longer matters"
    assert f'content="3; url={status}"' in page.text
    await let_time_run_out(checkout_id, seconds_ago=-600)
    release = await browser.post(f"{page_of(checkout_id)}/release")
    assert release.headers["location"] == page_of(checkout_id)
    assert await statuses(checkout_id) == ["ACTIVE"], "nothing is given back while money is being taken"
    assert (await browser.get(status, headers=script)).status_code == 204


async def test_a_decline_after_the_end_leads_to_the_page_that_says_so(browser, stripe, script):
    checkout_id = await hold(await make_event())
    secret = await open_card(browser, checkout_id, script)
    await stripe.pay(secret, FUNDS)
    await let_time_run_out(checkout_id)
    answer = await browser.get(f"{page_of(checkout_id)}/status", headers=script)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, page_of(checkout_id))


async def test_free_tickets_are_done_at_once_without_a_payment(browser, stripe):
    event = await make_event(ticket_type(price=0))
    checkout_id = await hold(event, General=2)
    page = await browser.get(page_of(checkout_id))
    assert "There is nothing to pay." in page.text
    assert "data-card" not in page.text
    assert "Get my tickets" in page.text
    answer = await browser.post(f"{page_of(checkout_id)}/payment", data=BUYER)
    assert answer.status_code == 303
    assert "You’re going, Ana" in (await browser.get(answer.headers["location"])).text
    assert (await stripe.state())["intents"] == []
    assert await statuses(checkout_id) == ["CONSUMED"]


async def test_a_double_click_on_free_tickets_makes_one_order(browser, script):
    checkout_id = await hold(await make_event(ticket_type(price=0)))
    path = f"{page_of(checkout_id)}/payment"
    answers = await asyncio.gather(*(browser.post(path, data=BUYER, headers=script) for _ in range(5)))
    assert {a.status_code for a in answers} == {204}
    assert len({a.headers["hx-redirect"] for a in answers}) == 1
    assert await orders() == 1


async def test_without_javascript_the_details_are_kept_and_the_page_is_honest(browser, stripe):
    checkout_id = await hold(await make_event())
    answer = await browser.post(f"{page_of(checkout_id)}/payment", data=BUYER)
    assert (answer.status_code, answer.headers["location"]) == (303, page_of(checkout_id))
    text = (await browser.get(page_of(checkout_id))).text
    assert "The card field needs JavaScript" in text
    assert "we have your details" in text
    assert (await stripe.state())["intents"] == []
    assert await statuses(checkout_id) == ["ACTIVE"]


async def test_a_paid_checkout_hands_out_nothing_more_to_pay_with(browser, stripe, script):
    checkout_id = await hold(await make_event())
    secret = await open_card(browser, checkout_id, script)
    await stripe.pay(secret)
    answer = await browser.post(f"{page_of(checkout_id)}/payment", data=BUYER, headers=script)
    assert answer.status_code == 204, "paid in another tab: this one goes to the tickets"
    assert answer.headers["hx-redirect"].startswith("/orders/")
    assert await orders() == 1


async def test_the_worker_is_rung_for_the_mail(browser, stripe, script, monkeypatch):
    heard = []

    async def ring(job: str) -> None:
        heard.append(job)

    monkeypatch.setattr("tasks.queue.ring", ring)
    checkout_id = await hold(await make_event())
    await stripe.pay(await open_card(browser, checkout_id, script))
    await browser.get(f"{page_of(checkout_id)}/status", headers=script)
    assert heard == ["drain_outbox"]


async def test_no_secret_and_no_name_reaches_the_log(browser, stripe, script, capfd):
    checkout_id = await hold(await make_event())
    secret = await open_card(browser, checkout_id, script)
    await stripe.pay(secret)
    await browser.get(f"{page_of(checkout_id)}?payment_intent_client_secret={secret}&payment_intent=pi_x")
    await browser.get(f"{page_of(checkout_id)}/status", headers=script)
    logged = "".join(capfd.readouterr())
    assert secret not in logged
    assert "Kovač" not in logged
    assert links.checkout_token(checkout_id) not in logged
    for line in filter(None, logged.splitlines()):
        if line.startswith("{"):
            json.loads(line)


@pytest.fixture
def paced():
    """`paced(2)`: Stripe may be asked twice a second; unpaced again afterwards."""
    before = pace._per_second
    yield pace.use_rate
    pace.use_rate(before)


async def stand_in_line(places: int) -> None:
    """So many others want to start paying, too."""
    for _ in range(places):
        await pace.place_in_line()


async def end_of_hold(checkout_id):
    return await db.fetchval("SELECT expires_at FROM checkout WHERE id = $1", checkout_id)


async def test_more_buyers_than_stripe_may_be_asked_for_are_told_how_long_it_takes(browser, stripe, script, paced):
    checkout_id = await hold(await make_event())
    before = await end_of_hold(checkout_id)
    paced(10)
    await stand_in_line(40)
    answer = await browser.post(f"{page_of(checkout_id)}/payment", data=BUYER, headers=script)
    assert answer.status_code == 202
    assert 10 <= int(answer.headers["retry-after"]) <= 12
    assert "Preparing your payment… about 12 seconds" in answer.text
    assert "Your hold waits with you: your ticket is now held until" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "secret" not in answer.text
    assert (await stripe.state())["intents"] == [], "nobody was asked for anything yet"
    longer = (await end_of_hold(checkout_id) - before).total_seconds()
    assert 10 <= longer <= 13
    assert 'hx-target="#hold"' in answer.text
    assert 910 <= int(re.search(r'data-seconds="(\d+)"', answer.text)[1]) <= 913, "the countdown grows by the wait"


async def test_a_line_longer_than_a_hold_may_wait_is_said_as_what_it_is(browser, stripe, script, paced):
    checkout_id = await hold(await make_event())
    before = await end_of_hold(checkout_id)
    paced(10)
    await db.execute("INSERT INTO pace (lane, next_at) VALUES ('starts', clock_timestamp() + interval '11 minutes')")
    answer = await browser.post(f"{page_of(checkout_id)}/payment", data=BUYER, headers=script)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert "Very many people are paying right now" in answer.text
    assert "your ticket is still held until" in answer.text
    assert await end_of_hold(checkout_id) == before


async def test_coming_again_keeps_the_place_and_prolongs_nothing_twice(browser, script, paced):
    checkout_id = await hold(await make_event())
    paced(10)
    await stand_in_line(40)
    path = f"{page_of(checkout_id)}/payment"
    first = await browser.post(path, data=BUYER, headers=script)
    until = await end_of_hold(checkout_id)
    await stand_in_line(40)
    again = await browser.post(path, data=BUYER, headers=script)
    assert int(again.headers["retry-after"]) <= int(first.headers["retry-after"])
    assert await end_of_hold(checkout_id) == until


async def test_when_its_turn_has_come_the_payment_starts(browser, script, paced):
    checkout_id = await hold(await make_event())
    paced(10)
    await stand_in_line(40)
    path = f"{page_of(checkout_id)}/payment"
    assert (await browser.post(path, data=BUYER, headers=script)).status_code == 202
    await let_time_pass(seconds=13)
    assert (await browser.post(path, data=BUYER, headers=script)).status_code == 200


async def test_in_line_what_is_typed_is_kept_and_checked(browser, script, paced):
    checkout_id = await hold(await make_event())
    paced(10)
    await stand_in_line(40)
    await browser.post(f"{page_of(checkout_id)}/payment", data=BUYER, headers=script)
    text = (await browser.get(page_of(checkout_id))).text
    assert 'value="Ana Kovač"' in text
    wrong = await browser.post(f"{page_of(checkout_id)}/payment", data=BUYER | {"email": "ana@"}, headers=script)
    assert wrong.status_code == 422


async def test_nobody_waits_longer_than_a_minute_before_they_hear_again(browser, script, paced):
    checkout_id = await hold(await make_event())
    paced(1)
    await stand_in_line(60)
    answer = await browser.post(f"{page_of(checkout_id)}/payment", data=BUYER, headers=script)
    assert answer.headers["retry-after"] == "60"
    assert "about 3 minutes" in answer.text


async def test_free_tickets_never_stand_in_line(browser, paced):
    checkout_id = await hold(await make_event(ticket_type(price=0)))
    paced(1)
    await stand_in_line(60)
    answer = await browser.post(f"{page_of(checkout_id)}/payment", data=BUYER)
    assert answer.headers["location"].startswith("/orders/")


async def test_a_long_line_at_stripe_is_no_silence_of_stripe(browser, script, paced):
    checkout_id = await hold(await make_event())
    await open_card(browser, checkout_id, script)
    paced(1)
    for _ in range(5):
        await pace._take(pace.CALLS, 1)
    answer = await browser.get(f"{page_of(checkout_id)}/status", headers=script)
    assert (answer.status_code, answer.headers["retry-after"]) == (202, "3")
    assert "We’re asking whether your payment went through" in answer.text
    for untrue in ("can’t reach", "agreed", "charged", "making your ticket"):
        assert untrue not in answer.text, "nobody knows that"
    page = await browser.get(f"{page_of(checkout_id)}/status")
    assert page.status_code == 202, "back from the bank's own page"
    assert "asking whether your payment went through" in page.text
    assert "Your ticket stays held until" in page.text
    assert "agreed" not in page.text


async def test_the_page_that_only_waits_is_not_drawn_anew_while_nothing_changes(browser, stripe, script, paced):
    checkout_id = await hold(await make_event())
    await stripe.pay(await open_card(browser, checkout_id, script))
    paced(1)
    for _ in range(5):
        await pace._take(pace.CALLS, 1)
    status = f"{page_of(checkout_id)}/status"
    assert (await browser.get(f"{status}?waiting=held", headers=script)).status_code == 204
    paced(0)
    await stripe.fault(op="payment_intents.capture", mode="429", times=4)
    agreed = await browser.get(f"{status}?waiting=held", headers=script)
    assert agreed.status_code == 202
    assert "Your bank has agreed" in agreed.text
    assert 'status?waiting=agreed"' in agreed.text
    await stripe.fault(op="*", mode="none")
    assert (await browser.get(f"{status}?waiting=agreed", headers=script)).headers["hx-redirect"].startswith("/orders/")


async def test_the_page_that_only_waits_leaves_for_the_checkout_when_the_bank_takes_its_word_back(
    browser, stripe, script
):
    checkout_id = await hold(await make_event())
    reference = await pay_without_capture(browser, stripe, script, checkout_id)
    await stripe.dashboard(reference, "expire_authorisation")
    answer = await browser.get(f"{page_of(checkout_id)}/status?waiting=agreed", headers=script)
    assert answer.headers["hx-redirect"] == page_of(checkout_id)


async def pay_without_capture(browser, stripe, script, checkout_id) -> str:
    """The bank agrees, and the taking of the money stays unanswered. Returns the intent."""
    secret = await open_card(browser, checkout_id, script)
    await stripe.pay(secret)
    await stripe.fault(op="payment_intents.capture", mode="drop_before", times=2)
    assert (await browser.get(f"{page_of(checkout_id)}/status", headers=script)).status_code == 202
    return secret.split("_secret_")[0]


async def test_case_20_an_authorisation_that_died_is_said_and_the_same_hold_pays_anew(browser, stripe, script):
    checkout_id = await hold(await make_event())
    reference = await pay_without_capture(browser, stripe, script, checkout_id)
    await stripe.dashboard(reference, "expire_authorisation")
    status = f"{page_of(checkout_id)}/status"
    for answer in (await browser.get(status, headers=script), await browser.get(page_of(checkout_id))):
        assert answer.status_code in (402, 200)
        assert "The payment came to nothing" in answer.text
        assert "You have not been charged, and your ticket is still held until" in answer.text
        assert "data-over" in answer.text, "the card fields of the dead intent are taken away"
    await stripe.pay(await open_card(browser, checkout_id, script))
    assert (await browser.get(status, headers=script)).status_code == 204
    assert await orders() == 1


async def test_money_taken_by_hand_for_another_amount_is_told_before_anybody_pays_again(browser, stripe, script):
    checkout_id = await hold(await make_event())
    secret = await open_card(browser, checkout_id, script)
    await stripe.pay(secret)
    reference = secret.split("_secret_")[0]
    await stripe.dashboard(reference, "capture", amount_to_capture=1000)
    answer = await browser.get(f"{page_of(checkout_id)}/status", headers=script)
    assert answer.status_code == 402
    assert "We’re sending €10.00 back" in answer.text
    assert reference in answer.text
    assert "You have not been charged" not in answer.text
    await open_card(browser, checkout_id, script)
    await let_time_run_out(checkout_id)
    await checkout.expire_holds(await db.fetchval("SELECT event_id FROM checkout"))
    ended = await browser.get(page_of(checkout_id))
    assert ended.status_code == 410
    assert "We are sending €10.00 back" in ended.text, "whatever was tried after it"
    assert "not been charged" not in ended.text


async def test_who_pays_in_another_tab_is_not_told_to_try_again_while_the_money_is_taken(browser, stripe, script):
    checkout_id = await hold(await make_event())
    secret = await open_card(browser, checkout_id, script)
    await stripe.pay(secret)
    await stripe.fault(op="payment_intents.capture", mode="drop_before", times=2)
    answer = await browser.post(f"{page_of(checkout_id)}/payment", data=BUYER, headers=script)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, page_of(checkout_id))
    assert "Your bank has agreed" in (await browser.get(page_of(checkout_id))).text
