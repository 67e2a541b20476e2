"""A person buys tickets (§1.3.3), at the running shop, in a real browser."""

import re

import pytest
from playwright.async_api import expect

from models import database
from tests.conftest import until
from tests.journeys.steps import (
    BANK_ASKS_CARD,
    DECLINED_CARD,
    GOOD_CARD,
    availability,
    bank,
    buy,
    card_fields,
    choose,
    enter_card,
    give_back,
    go_to_card,
    hold,
    open_event,
    pay,
    quantity,
    reach_the_card,
    say_who,
    see_tickets,
    tab_to,
)
from tests.makers import left, make_event, ticket_type


async def test_1_3_3_a_buyer_gets_a_ticket_and_a_mail(visitor, mailbox):
    event = await make_event(capacity=5, title="Glass and Strings")
    page = await visitor()
    await open_event(page, event)
    await choose(page, event, General=1)
    await expect(page.locator("[data-summary-total]").first).to_have_text("€24.00")
    await hold(page)
    await expect(page.get_by_text("1 ticket held for you")).to_be_visible()
    await say_who(page, email="first@example.org")
    await go_to_card(page)
    await enter_card(page)
    await pay(page)
    await see_tickets(page, 1)
    await expect(page.get_by_role("img", name=re.compile("QR code"))).to_be_visible()
    assert await left(event) == 4

    await page.reload()
    await expect(page.locator("article.ticket")).to_have_count(1)
    await until(lambda: mailbox("first@example.org"))
    (mail,) = await mailbox("first@example.org")
    assert "Glass and Strings" in mail["subject"]


async def test_three_ticket_types_in_one_purchase_on_a_phone_in_the_dark(visitor):
    event = await make_event(
        ticket_type("Early Bird", price=1800, allocation=5),
        ticket_type("General", price=2400),
        ticket_type("Front row", price=3600, allocation=3),
    )
    page = await visitor(phone=True, dark=True)
    await buy(page, event, Early_Bird=2, General=1, Front_row=1)
    order = await database.fetchrow("SELECT * FROM orders WHERE event_id = $1", event.id)
    assert (order["total_quantity"], order["total_amount"]) == (4, 2 * 1800 + 2400 + 3600)


async def test_a_decline_says_why_and_the_same_hold_is_paid_with_another_card(visitor):
    event = await make_event()
    page = await visitor()
    await reach_the_card(page, event, General=2)
    await enter_card(page, DECLINED_CARD)
    await pay(page)
    alert = page.get_by_role("alert").filter(has_text="The payment didn’t go through")
    await expect(alert).to_contain_text("insufficient funds")
    await expect(alert).to_contain_text("You have not been charged")
    await expect(alert).to_contain_text("still held until")
    await enter_card(page, GOOD_CARD)
    await pay(page)
    await see_tickets(page, 2)
    assert (
        await database.fetchval(
            "SELECT count(*) FROM payment p JOIN checkout c ON c.id = p.checkout_id WHERE c.event_id = $1", event.id
        )
        == 1
    )


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_the_card_fields_wear_the_colours_of_the_page_also_without_motion(visitor, dark):
    page = await visitor(dark=dark)
    await reach_the_card(page, await make_event(), General=1)
    background, text = "e => getComputedStyle(e).backgroundColor", "e => getComputedStyle(e).color"
    number = card_fields(page).get_by_label("Card number")

    async def wears_it() -> bool:  # once the frame has heard of it
        shade = [int(part) for part in re.findall(r"\d+", await number.evaluate(background))]
        return (sum(shade) < 3 * 128) == dark

    await until(wears_it)
    assert await number.evaluate(text) != await number.evaluate(background)


async def test_the_bank_may_be_refused_once_and_then_told_yes(visitor):
    event = await make_event()
    page = await visitor()
    await reach_the_card(page, event, General=1)
    await enter_card(page, BANK_ASKS_CARD)
    await pay(page)
    await bank(page).get_by_role("button", name="Reject").click()
    await expect(page.get_by_role("alert").filter(has_text="The payment didn’t go through")).to_be_visible()
    assert await database.fetchval("SELECT count(*) FROM orders WHERE event_id = $1", event.id) == 0
    await pay(page)
    await bank(page).get_by_role("button", name="Approve").click()
    await see_tickets(page, 1)


async def test_a_free_ticket_needs_no_card(visitor):
    event = await make_event(ticket_type("Guest", price=0))
    page = await visitor()
    await open_event(page, event)
    await choose(page, event, Guest=1)
    await hold(page)
    await expect(page.get_by_label("Card number")).to_have_count(0)
    await say_who(page)
    await page.get_by_role("button", name="Get my ticket").click()
    await see_tickets(page, 1)


async def test_the_buyers_details_are_checked_in_place_and_nothing_typed_is_lost(visitor):
    event = await make_event()
    page = await visitor()
    await open_event(page, event)
    await choose(page, event, General=1)
    await hold(page)
    await say_who(page, name="Ana", email="ana@")
    await page.get_by_role("button", name="Continue to payment").click()
    await expect(page.locator("#email-error")).to_be_visible()
    await expect(page.get_by_label("Full name")).to_have_value("Ana")
    await expect(page.get_by_label("Email")).to_have_value("ana@")
    await page.get_by_label("Email").fill("ana@example.org")
    await go_to_card(page)


async def test_a_checkout_can_be_finished_on_another_device(visitor):
    event = await make_event()
    laptop, phone = await visitor(), await visitor(phone=True)
    await open_event(laptop, event)
    await choose(laptop, event, General=2)
    await hold(laptop)
    await say_who(laptop, name="Ana Kovač")
    await go_to_card(laptop)
    await phone.goto(laptop.url)
    await expect(phone.get_by_label("Full name")).to_have_value("Ana Kovač")
    await go_to_card(phone)
    await enter_card(phone)
    await pay(phone)
    await see_tickets(phone, 2)
    await laptop.reload()
    await see_tickets(laptop, 2)
    assert await database.fetchval("SELECT count(*) FROM orders WHERE event_id = $1", event.id) == 1


async def test_tickets_can_be_given_back_and_are_on_sale_at_once(visitor):
    event = await make_event(capacity=3)
    page, other = await visitor(), await visitor()
    await open_event(page, event)
    await open_event(other, event)
    await choose(page, event, General=3)
    await hold(page)
    await expect(availability(other, event)).to_contain_text("All held right now")
    await give_back(page)
    await expect(page.get_by_role("heading", name="You gave the tickets back")).to_be_visible()
    await expect(availability(other, event)).to_contain_text("3 left")


async def test_without_javascript_tickets_are_held_and_free_ones_issued(visitor):
    event = await make_event(ticket_type("General", price=2400), ticket_type("Guest", price=0))
    page = await visitor(javascript=False)
    await page.goto(f"/events/{event.slug}")
    await quantity(page, event).fill("2")
    await page.get_by_role("button", name="Hold my tickets").first.click()
    await expect(page.get_by_text("2 tickets held for you")).to_be_visible()
    await expect(page.get_by_text("The card field needs JavaScript")).to_be_visible()
    await say_who(page)
    await page.get_by_role("button", name="Save my details").click()
    await expect(page.get_by_label("Full name")).to_have_value("Ana Kovač")

    await page.goto(f"/events/{event.slug}")
    await quantity(page, event, "Guest").fill("1")
    await page.get_by_role("button", name="Hold my tickets").first.click()
    await say_who(page)
    await page.get_by_role("button", name="Get my ticket").click()
    await see_tickets(page, 1)


async def test_a_purchase_can_be_made_with_the_keyboard_alone(visitor):
    event = await make_event()
    page = await visitor()
    await open_event(page, event)
    await tab_to(page, page.get_by_role("button", name="One more General"))
    await page.keyboard.press("Enter")
    await tab_to(page, page.get_by_role("button", name="Hold my tickets").first)
    await page.keyboard.press("Enter")
    await page.wait_for_url(re.compile("/checkouts/"))
    await tab_to(page, page.get_by_label("Full name"))
    await page.keyboard.type("Ana Kovač")
    await page.keyboard.press("Tab")
    await page.keyboard.type("ana@example.org")
    await page.keyboard.press("Enter")
    number = card_fields(page).get_by_label("Card number")
    await expect(number).to_be_visible()
    await number.focus()
    await page.keyboard.type("4242424242424242")
    await page.keyboard.press("Tab")
    await page.keyboard.type("1240")
    await page.keyboard.press("Tab")
    await page.keyboard.type("123")
    await page.keyboard.press("Enter")
    await see_tickets(page, 1)
