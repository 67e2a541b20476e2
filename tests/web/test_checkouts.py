"""The checkout page: what is held and until when, who is buying, giving back, and what is said when it is over."""

import re

import pytest
from httpx import AsyncClient

from models import database as db
from services import checkout, links, refunds, settlement
from services.gateway import OutcomeUnknown
from tasks import jobs
from tests.makers import (
    hold,
    hold_with_buyer,
    key,
    left,
    let_time_pass,
    let_time_run_out,
    make_event,
    start_paying,
    statuses,
    ticket_type,
)

BUYER = {"name": "Ana Kovač", "email": "ana@example.org"}


def page_of(checkout_id) -> str:
    return f"/checkouts/{links.checkout_token(checkout_id)}"


async def buyer_of(checkout_id) -> tuple[str, str]:
    row = await db.fetchrow("SELECT buyer_name, buyer_email FROM checkout WHERE id = $1", checkout_id)
    return row["buyer_name"], row["buyer_email"]


async def test_the_page_says_what_is_held_until_when_and_what_it_costs(browser):
    event = await make_event(ticket_type(), ticket_type("Front row", price=3600), title="Winter Light")
    checkout_id = await hold(event, General=2, Front_row=1)
    answer = await browser.get(page_of(checkout_id))
    assert answer.status_code == 200
    assert "3 tickets held for you" in answer.text
    assert "2 × General" in answer.text
    assert "1 × Front row" in answer.text
    assert "€84.00" in answer.text
    seconds = int(re.search(r'data-seconds="(\d+)"', answer.text)[1])
    assert 895 <= seconds <= 900, "the server's seconds, not a clock of the browser"
    assert 'role="timer" aria-live="off"' in answer.text


async def test_the_page_is_personal(browser):
    answer = await browser.get(page_of(await hold(await make_event())))
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert 'name="robots" content="noindex"' in answer.text


async def test_only_the_page_that_takes_a_card_may_load_the_providers_script(browser, stripe_url):
    policy = (await browser.get(page_of(await hold(await make_event())))).headers["content-security-policy"]
    assert f"script-src 'self' {stripe_url}" in policy
    assert "unsafe" not in policy
    assert stripe_url not in (await browser.get("/")).headers["content-security-policy"]


@pytest.mark.parametrize("token", ["x", "a" * 64, "YWJj", "%00", "ž" * 20])
async def test_an_unknown_link_is_a_404(browser, token):
    for path in ("", "/status", "/release"):
        assert (await browser.get(f"/checkouts/{token}{path}")).status_code == 404
    for path in ("/buyer", "/payment", "/release"):
        assert (await browser.post(f"/checkouts/{token}{path}", data=BUYER)).status_code == 404


async def test_an_order_link_opens_no_checkout(browser):
    checkout_id = await hold(await make_event())
    assert (await browser.get(f"/checkouts/{links.order_token(checkout_id)}")).status_code == 404


async def test_test_mode_is_said_loudly_with_the_cards_that_can_pay(browser):
    text = (await browser.get(page_of(await hold(await make_event())))).text
    assert "Test mode" in text
    assert "4242 4242 4242 4242" in text
    assert "4000 0000 0000 9995" in text


async def test_a_good_buyer_is_remembered_for_another_device(browser, script):
    checkout_id = await hold(await make_event())
    answer = await browser.post(f"{page_of(checkout_id)}/buyer", data=BUYER, headers=script)
    assert answer.status_code == 200
    assert await buyer_of(checkout_id) == ("Ana Kovač", "ana@example.org")
    text = (await browser.get(page_of(checkout_id))).text
    assert 'value="Ana Kovač"' in text
    assert 'value="ana@example.org"' in text


async def test_each_good_field_is_remembered_and_each_bad_one_is_named(browser, script):
    checkout_id = await hold(await make_event())
    answer = await browser.post(f"{page_of(checkout_id)}/buyer", data={"name": "Ana", "email": "ana@"}, headers=script)
    assert answer.status_code == 422
    assert answer.text.lstrip().startswith('<div class="stack stack--5" id="buyer">'), "one part, with its id"
    assert "Add the part after @, for example example.org." in answer.text
    assert '<a href="#email">' in answer.text, "the summary leads to the field"
    assert 'value="ana@"' in answer.text, "nothing typed is lost"
    assert await buyer_of(checkout_id) == ("Ana", "")


async def test_a_bad_field_never_takes_the_place_of_what_was_good(browser, script):
    checkout_id = await hold_with_buyer(await make_event())
    answer = await browser.post(f"{page_of(checkout_id)}/buyer", data={"name": "", "email": "x"}, headers=script)
    assert answer.status_code == 422
    assert await buyer_of(checkout_id) == ("Ana Kovač", "ana@example.org")


async def test_without_javascript_a_bad_field_comes_back_in_the_whole_page(browser):
    checkout_id = await hold(await make_event())
    answer = await browser.post(f"{page_of(checkout_id)}/payment", data={"name": "", "email": "ana"})
    assert answer.status_code == 422
    assert "<title>Error: Checkout" in answer.text
    assert "Enter your name, as it should appear on the tickets." in answer.text
    assert 'value="ana"' in answer.text
    assert "held for you" in answer.text


async def test_what_is_typed_is_never_markup(browser):
    checkout_id = await hold(await make_event())
    answer = await browser.post(f"{page_of(checkout_id)}/payment", data={"name": '"><script>1</script>', "email": "a"})
    assert "<script>1" not in answer.text


async def test_giving_back_asks_first_and_then_lets_go(browser):
    event = await make_event(capacity=3)
    checkout_id = await hold(event, General=2)
    asked = await browser.get(f"{page_of(checkout_id)}/release")
    assert asked.status_code == 200
    assert "Give these 2 tickets back?" in asked.text
    assert await left(event) == 1, "asking gives nothing back"

    answer = await browser.post(f"{page_of(checkout_id)}/release")
    assert (answer.status_code, answer.headers["location"]) == (303, page_of(checkout_id))
    assert await left(event) == 3
    page = await browser.get(page_of(checkout_id))
    assert page.status_code == 410
    assert "You gave the tickets back" in page.text
    assert "You have not been charged" in page.text


async def test_giving_back_twice_or_after_the_end_is_harmless(browser):
    event = await make_event()
    checkout_id = await hold(event)
    for _ in range(2):
        assert (await browser.post(f"{page_of(checkout_id)}/release")).status_code == 303
    assert await left(event) == 30


async def test_another_site_can_neither_give_back_nor_pay(browser):
    checkout_id = await hold(await make_event())
    for path in ("/release", "/buyer", "/payment"):
        answer = await browser.post(f"{page_of(checkout_id)}{path}", headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403
    assert await statuses(checkout_id) == ["ACTIVE"]


async def test_ac_7_an_ended_hold_says_so_and_offers_the_same_choice_again(browser):
    event = await make_event(ticket_type(), ticket_type("Front row", price=3600), capacity=10)
    checkout_id = await hold_with_buyer(event, General=2, Front_row=1)
    await let_time_run_out(checkout_id)
    answer = await browser.get(page_of(checkout_id))
    assert answer.status_code == 410
    assert "Your hold has ended" in answer.text
    assert "You have not been charged" in answer.text
    assert "10 tickets are left, from €24.00" in answer.text
    assert f'action="/events/{event.slug}/checkouts"' in answer.text
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', answer.text))
    assert fields[f"qty-{event.types['General']}"] == "2"
    assert fields[f"qty-{event.types['Front row']}"] == "1"
    assert fields["from"] == links.checkout_token(checkout_id)

    again = await browser.post(f"/events/{event.slug}/checkouts", data=fields)
    assert again.status_code == 303
    assert again.headers["location"] != page_of(checkout_id)
    assert await left(event) == 7


async def test_a_new_hold_can_take_over_who_is_buying_but_not_from_another_event(browser):
    event = await make_event()
    before, new = await hold_with_buyer(event), await hold(event)
    foreign = await hold(await make_event())
    await checkout.take_over_buyer(foreign, from_checkout=before)
    await checkout.take_over_buyer(new, from_checkout=before)
    assert await buyer_of(new) == ("Ana Kovač", "ana@example.org")
    assert await buyer_of(foreign) == ("", "")


async def test_an_ended_hold_whose_tickets_are_gone_lists_what_is_left(browser):
    event = await make_event(ticket_type(), ticket_type("Early Bird", allocation=1), capacity=5)
    checkout_id = await hold(event, Early_Bird=1)
    await let_time_run_out(checkout_id)
    await hold(event, Early_Bird=1)
    answer = await browser.get(page_of(checkout_id))
    assert answer.status_code == 410
    assert "These tickets have since been taken" in answer.text
    assert "4 left" in answer.text
    assert "Start again with" not in answer.text


async def test_an_ended_hold_of_a_sold_out_event_points_to_returns(browser):
    event = await make_event(capacity=1)
    checkout_id = await hold(event)
    await let_time_run_out(checkout_id)
    await hold(event)
    text = (await browser.get(page_of(checkout_id))).text
    assert "These tickets have since been taken" in text
    assert "Watch for returns" in text


async def test_an_ended_hold_of_an_event_off_sale_offers_nothing_that_would_fail(browser):
    event = await make_event()
    checkout_id = await hold(event)
    await let_time_run_out(checkout_id)
    await db.execute("UPDATE event SET status = 'DRAFT' WHERE id = $1", event.id)
    text = (await browser.get(page_of(checkout_id))).text
    assert "no longer sold" in text
    assert "Start again with" not in text


async def test_ac_7_nothing_can_be_saved_or_paid_after_the_end(browser, script, stripe):
    checkout_id = await hold(await make_event())
    await let_time_run_out(checkout_id)
    for path in ("/buyer", "/payment"):
        answer = await browser.post(f"{page_of(checkout_id)}{path}", data=BUYER, headers=script)
        assert (answer.status_code, answer.headers["hx-redirect"]) == (204, page_of(checkout_id))
    assert (await stripe.state())["intents"] == []


async def test_who_paid_in_time_is_never_told_that_the_hold_has_ended(browser, stripe):
    checkout_id = await hold_with_buyer(await make_event())
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await let_time_run_out(checkout_id)
    answer = await browser.get(page_of(checkout_id))
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/orders/")


async def test_when_the_provider_is_silent_nobody_is_told_that_they_were_not_charged(browser, stripe):
    checkout_id = await hold_with_buyer(await make_event())
    await start_paying(checkout_id)
    await let_time_run_out(checkout_id)
    await stripe.fault(op="payment_intents.retrieve", mode="500_before", times=4)
    answer = await browser.get(page_of(checkout_id))
    assert answer.status_code == 202
    assert "asking whether your payment went through" in answer.text
    assert "not been charged" not in answer.text
    assert 'http-equiv="refresh"' in answer.text, "it goes on without JavaScript"


async def test_a_payment_that_came_too_late_for_tickets_that_are_gone_is_explained(browser, stripe):
    event = await make_event(capacity=1)
    checkout_id = await hold_with_buyer(event)
    intent = await start_paying(checkout_id)
    await let_time_run_out(checkout_id)
    await hold(event)
    await stripe.pay(intent.client_secret)
    answer = await browser.get(page_of(checkout_id))
    assert answer.status_code == 410
    assert "Your payment came too late" in answer.text
    assert "You were not charged" in answer.text
    assert "€24.00" in answer.text


async def pin_without_capture(stripe, checkout_id) -> str:
    """The bank agrees, the seats are nailed down, and the taking of the money stays unanswered. Returns the intent."""
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await stripe.fault(op="payment_intents.capture", mode="drop_before", times=2)
    with pytest.raises(OutcomeUnknown):
        await settlement.settle(intent.reference)
    return intent.reference


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ticket_type SET price = 2500",
        "UPDATE event SET status = 'DRAFT'",
        "UPDATE ticket_type SET sales_end = now()",
    ],
)
async def test_late_money_that_buys_nothing_any_more_is_never_called_charged(browser, stripe, change):
    checkout_id = await hold_with_buyer(await make_event(ticket_type(), ticket_type("Other")))
    intent = await start_paying(checkout_id)
    await let_time_run_out(checkout_id)
    await db.execute(change)
    await stripe.pay(intent.client_secret)
    text = (await browser.get(page_of(checkout_id))).text
    assert "Your payment came too late" in text
    assert "You were not charged: if your bank shows €24.00 as reserved" in text


async def test_money_that_was_not_what_we_asked_for_is_let_go_and_that_is_said(browser, stripe):
    checkout_id = await hold_with_buyer(await make_event())
    intent = await start_paying(checkout_id)
    await stripe.change_amount(intent.reference, 100)
    await stripe.pay(intent.client_secret)
    await settlement.settle(intent.reference)
    assert "The payment came to nothing" in (await browser.get(page_of(checkout_id))).text, "while the hold lives"
    await let_time_run_out(checkout_id)
    text = (await browser.get(page_of(checkout_id))).text
    assert "It was not for the €24.00 that the ticket cost" in text
    assert "You were not charged" in text


async def test_case_20_an_authorisation_that_died_after_the_hold_is_not_called_a_late_payment(browser, stripe):
    event = await make_event()
    checkout_id = await hold_with_buyer(event)
    reference = await pin_without_capture(stripe, checkout_id)
    await let_time_pass(minutes=16)
    assert "Your bank has agreed" in (await browser.get(page_of(checkout_id))).text, "pinned, the clock does not matter"
    await stripe.dashboard(reference, "expire_authorisation")
    await settlement.settle(reference)
    answer = await browser.get(page_of(checkout_id))
    assert answer.status_code == 410
    assert "Your payment came to nothing" in answer.text
    assert "You were not charged" in answer.text


async def test_while_late_money_is_being_let_go_nobody_is_called_charged(browser, stripe):
    event = await make_event(capacity=1)
    checkout_id = await hold_with_buyer(event)
    intent = await start_paying(checkout_id)
    await let_time_run_out(checkout_id)
    await hold(event)
    await stripe.pay(intent.client_secret)
    await stripe.fault(op="payment_intents.cancel", mode="drop_before", times=2)
    text = (await browser.get(f"{page_of(checkout_id)}/status")).text
    assert "Your payment came too late" in text
    assert "You were not charged" in text


async def test_given_back_in_one_tab_and_paid_in_another_nobody_is_charged(browser, stripe):
    checkout_id = await hold_with_buyer(await make_event())
    intent = await start_paying(checkout_id)
    await stripe.fault(op="*", mode="drop_before", times=4)
    await checkout.give_back(checkout_id)
    await stripe.fault(op="*", mode="none")
    await stripe.pay(intent.client_secret)
    await settlement.settle(intent.reference)
    text = (await browser.get(page_of(checkout_id))).text
    assert "You gave the ticket back" in text
    assert "You have not been charged: if your bank shows €24.00 as reserved" in text


async def taken_by_hand_after_the_tickets_were_gone(stripe) -> tuple:
    event = await make_event(ticket_type(), ticket_type("Front row", price=3600), capacity=3)
    checkout_id = await hold_with_buyer(event, General=2, Front_row=1)
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await let_time_run_out(checkout_id)
    await hold(event)
    await stripe.dashboard(intent.reference, "capture")
    await settlement.settle(intent.reference)
    return checkout_id, intent.reference


async def test_case_22_money_that_was_taken_without_seats_is_never_called_not_charged(browser, stripe):
    checkout_id, reference = await taken_by_hand_after_the_tickets_were_gone(stripe)
    answer = await browser.get(page_of(checkout_id))
    assert answer.status_code == 410
    assert "We’re sending your money back" in answer.text
    assert "We are sending €84.00 back to the card that you paid with; it usually takes five to ten days" in answer.text
    assert reference in answer.text, "what to name when asking about it"
    for untrue in ("not charged", "not been charged"):
        assert untrue not in answer.text


async def test_money_that_has_gone_back_is_said_to_have_gone(browser, stripe):
    checkout_id, _ = await taken_by_hand_after_the_tickets_were_gone(stripe)
    await jobs.drain_outbox({})
    assert await db.fetchval("SELECT status FROM refund") == "SUCCEEDED"
    assert "We have sent €84.00 back" in (await browser.get(page_of(checkout_id))).text


async def test_money_that_could_not_go_back_is_not_called_gone(browser, stripe):
    checkout_id, reference = await taken_by_hand_after_the_tickets_were_gone(stripe)
    await jobs.drain_outbox({})
    refund = await db.fetchval("SELECT reference FROM refund")
    await stripe._client.post(f"/_sandbox/refunds/{refund}/fail", json={})
    await refunds.sync(reference)
    text = (await browser.get(page_of(checkout_id))).text
    assert "€84.00 should have gone back to the card that you paid with, but did not reach it" in text
    assert "not been charged" not in text


async def test_a_let_go_payment_that_was_taken_by_hand_all_the_same_is_told(browser, stripe):
    event = await make_event(capacity=1)
    checkout_id = await hold_with_buyer(event)
    intent = await start_paying(checkout_id)
    await let_time_run_out(checkout_id)
    await hold(event)
    await stripe.pay(intent.client_secret)
    await stripe.fault(op="payment_intents.cancel", mode="drop_before", times=2)
    assert "You were not charged" in (await browser.get(f"{page_of(checkout_id)}/status")).text
    await stripe.dashboard(intent.reference, "capture")
    text = (await browser.get(f"{page_of(checkout_id)}/status")).text
    assert "We are sending €24.00 back" in text
    assert "not charged" not in text


async def test_a_hold_that_waited_in_line_is_not_said_to_have_lasted_fifteen_minutes(browser):
    checkout_id = await hold(await make_event())
    await let_time_run_out(checkout_id)
    text = (await browser.get(page_of(checkout_id))).text
    assert "15 minutes" not in text
    assert "It ran out at" in text


async def test_a_paid_checkout_leads_to_its_order(browser, stripe):
    checkout_id = await hold_with_buyer(await make_event())
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await settlement.settle(intent.reference)
    answer = await browser.get(page_of(checkout_id))
    assert (answer.status_code, answer.headers["location"][:8]) == (303, "/orders/")
    release = await browser.post(f"{page_of(checkout_id)}/release")
    assert (release.status_code, release.headers["location"][:8]) == (303, "/orders/")


async def hold_in_browser(browser: AsyncClient, event) -> str:
    """As the event's page does it: the visitor gets the cookie of their own hold."""
    fields = {f"qty-{event.types['General']}": "1", "request_key": key()}
    answer = await browser.post(f"/events/{event.slug}/checkouts", data=fields)
    return answer.headers["location"]


async def test_the_cookie_of_the_own_hold_goes_with_the_tickets(browser):
    event = await make_event()
    path = await hold_in_browser(browser, event)
    assert "hold" in browser.cookies
    await browser.post(f"{path}/release")
    assert "hold" not in browser.cookies


async def test_giving_back_older_tickets_leaves_the_cookie_of_newer_ones(browser):
    event = await make_event()
    older, _ = await hold_in_browser(browser, event), await hold_in_browser(browser, event)
    await browser.post(f"{older}/release")
    assert "hold" in browser.cookies
