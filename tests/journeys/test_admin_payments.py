"""At the desk: something needs a person, they ask again, refund by item, and the buyer sees what became of it."""

import os
import re
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from models import database as db
from models.ids import new_id
from tests.conftest import until
from tests.journeys.conftest import Shop
from tests.journeys.steps import GOOD_CARD, buy, see_tickets
from tests.makers import Made, hold, make_event, ticket_type
from tests.services.refunding import REFUND_FAILS

# Where to leave a picture of every page that is looked at, for whoever wants to look too.
PICTURES = os.environ.get("PICTURES")


async def at_stripe(shop: Shop, kind: str, thing: str, verb: str, **form: object) -> dict:
    """What a bank, or a person in Stripe's dashboard, does by hand."""
    async with httpx.AsyncClient(base_url=shop.sandbox_url) as client:
        answer = await client.post(f"/_sandbox/{kind}/{thing}/{verb}", json=form)
        return answer.raise_for_status().json()


async def fault(shop: Shop, **switch: object) -> None:
    async with httpx.AsyncClient(base_url=shop.sandbox_url) as client:
        (await client.post("/_sandbox/faults", json=switch)).raise_for_status()


async def an_order(
    visitor, event: Made | None = None, *, card: str = GOOD_CARD, **quantities: int
) -> tuple[Page, dict]:
    """A buyer with their tickets in front of them, and their order."""
    event = event or await make_event()
    page = await visitor()
    await buy(page, event, card=card, **quantities)
    order = await db.fetchrow("SELECT * FROM orders WHERE event_id = $1", event.id)
    return page, order


# ---------------------------------------------------------------- the journey


async def test_a_dispute_appears_by_itself_is_asked_about_and_seen(visitor, signed_in, shop):
    _, order = await an_order(visitor)
    desk = await signed_in("manager")
    await desk.goto("/admin/payments")
    compare = desk.get_by_role("button", name="Compare with Stripe now")
    await compare.focus()
    dispute = await at_stripe(shop, "intents", order["payment_reference"], "dispute", reason="product_not_received")
    item = desk.locator(f"#dispute-{dispute['id']}")
    await expect(item).to_contain_text("they say they got no tickets", timeout=20_000)
    await expect(item).to_contain_text("Without an answer it is lost.")
    await expect(compare).to_be_focused()

    await fault(shop, op="disputes.list", mode="drop_before", times=2)
    await item.get_by_role("button", name="Ask Stripe again").click()
    await expect(item.locator(".item__answer")).to_contain_text("Stripe does not answer. Nothing has changed.")
    await expect(item.locator(".item__answer")).to_be_focused()

    await fault(shop, op="webhooks", mode="drop")
    await at_stripe(shop, "disputes", dispute["id"], "win")
    await fault(shop, op="webhooks", mode="deliver")
    await item.get_by_role("button", name="Ask Stripe again").click()
    await expect(item.locator(".item__answer")).to_contain_text("Stripe says: won.")
    await item.get_by_role("button", name="Seen").click()
    await expect(item).to_have_count(0)
    await expect(desk.locator(f"#done-dispute-{dispute['id']}")).to_contain_text("Seen.")
    await expect(desk.locator(f"#done-dispute-{dispute['id']}")).to_be_focused()


async def test_a_refund_by_item_is_followed_on_the_buyers_open_page(visitor, signed_in):
    event = await make_event(ticket_type("General"), ticket_type("Front row", price=3600))
    buyer, order = await an_order(visitor, event, General=2, Front_row=1)
    desk = await signed_in("manager")
    await desk.goto(f"/admin/orders/{order['id']}/refund")
    await desk.get_by_role("radio", name="These tickets").check()
    await desk.get_by_role("checkbox", name=re.compile("Front row")).check()
    await expect(desk.locator("#summary")).to_contain_text("€36.00 goes back to the card of Ana Kovač.")
    await expect(desk.locator("#summary")).to_contain_text("The seat stays off sale.")
    await desk.get_by_role("button", name="Continue").click()
    await expect(desk.get_by_role("heading", name="Send €36.00 back?")).to_be_focused()
    await desk.get_by_label("Why?").select_option(label="Goodwill")
    await desk.get_by_role("button", name="Send €36.00 back").dblclick()
    await expect(desk.get_by_text("€36.00 is on its way back")).to_be_visible()
    await expect(desk.locator("#refunds")).to_contain_text("Sent back", timeout=20_000)
    assert await db.fetchval("SELECT count(*) FROM refund WHERE order_id = $1", order["id"]) == 1

    await expect(buyer.locator("article.ticket", has_text="No longer valid")).to_have_count(1, timeout=40_000)
    await see_tickets(buyer, 3)
    await expect(buyer.get_by_text("€36.00").first).to_be_visible()


async def test_back_after_sending_a_refund_leads_to_what_was_made_and_then_to_the_form(visitor, signed_in):
    _, order = await an_order(visitor)
    desk = await signed_in("manager")
    await desk.goto(f"/admin/orders/{order['id']}/refund")
    await desk.get_by_role("radio", name="An amount").check()
    await desk.get_by_label("Amount in EUR").fill("€5")
    await desk.get_by_role("button", name="Continue").click()
    await desk.get_by_role("link", name="Change something").click()
    await expect(desk.get_by_label("Amount in EUR")).to_have_value("€5")
    await desk.get_by_role("button", name="Continue").click()
    await desk.get_by_role("button", name="Send €5.00 back").click()
    await expect(desk.get_by_text("€5.00 is on its way back")).to_be_visible()
    await desk.go_back()
    await expect(desk.get_by_text("€5.00 is on its way back")).to_be_visible()
    await desk.go_back()
    await expect(desk.get_by_role("button", name="Continue")).to_be_visible()
    assert await db.fetchval("SELECT count(*) FROM refund WHERE order_id = $1", order["id"]) == 1


async def test_a_refund_that_fails_after_its_seat_was_sold_on(visitor, signed_in, shop, mailbox):
    """The bank sends it back; the desk takes a seat back once there is one; the buyer reads how it stands."""
    event = await make_event(capacity=1)
    buyer, order = await an_order(visitor, event, card=REFUND_FAILS)
    desk = await signed_in("manager")
    await desk.goto(f"/admin/orders/{order['id']}/refund")
    await desk.get_by_role("radio", name="All that is left").check()
    await desk.get_by_role("checkbox", name="Put the seats back on sale").check()
    await desk.get_by_role("button", name="Continue").click()
    await desk.get_by_role("button", name="Send €24.00 back").click()
    await expect(desk.locator("#refunds")).to_contain_text("Sent back", timeout=20_000)
    refund = await db.fetchrow("SELECT * FROM refund WHERE order_id = $1", order["id"])
    await hold(event)
    await at_stripe(shop, "refunds", refund["reference"], "fail")

    await expect(buyer.get_by_role("heading", name="Your ticket has no seat at the moment")).to_be_visible(
        timeout=60_000
    )
    await desk.goto("/admin/payments")
    item = desk.locator(f"#refund-{refund['id']}")
    await expect(item).to_contain_text("No seat is free now.", timeout=20_000)
    await db.execute("UPDATE event SET total_capacity = 2 WHERE id = $1", event.id)
    await item.get_by_role("button", name="Take the seat back").click(timeout=20_000)
    await expect(item.locator(".item__answer")).to_contain_text("1 ticket is valid again. The buyer is told.")
    await expect(item.locator(".item__answer")).to_be_focused()
    await expect(buyer.get_by_role("heading", name="You’re going")).to_be_visible(timeout=60_000)
    await see_tickets(buyer, 1)
    written = [mail["subject"].partition(":")[0] for mail in await mailbox(order["buyer_email"])]
    assert written.count("Your refund did not arrive") == 1


async def test_tickets_of_a_lost_dispute_are_made_invalid_without_javascript(visitor, signed_in, shop):
    _, order = await an_order(visitor, General=2)
    dispute = await at_stripe(shop, "intents", order["payment_reference"], "dispute")
    desk = await signed_in("manager", javascript=False)
    await until(lambda: db.fetchval("SELECT count(*) FROM dispute WHERE id = $1", dispute["id"]), patience=30)
    await desk.goto(f"/admin/orders/{order['id']}/refund")
    await expect(desk.locator("#dispute-warning")).to_contain_text("a dispute is open")
    await at_stripe(shop, "disputes", dispute["id"], "lose")
    lost = "SELECT count(*) FROM dispute WHERE id = $1 AND status = 'lost'"
    await until(lambda: db.fetchval(lost, dispute["id"]), patience=30)
    await desk.goto("/admin/payments")
    await desk.locator(f"#dispute-{dispute['id']}").get_by_role("link", name="Make tickets invalid").click()
    await desk.get_by_role("checkbox").first.uncheck()
    await desk.get_by_role("button", name="Make them invalid").click()
    await expect(desk.locator(f"#dispute-{dispute['id']}")).to_contain_text("1 of 2 tickets are still valid.")


async def test_the_books_are_compared_at_a_press_and_say_so(visitor, signed_in):
    await an_order(visitor)
    desk = await signed_in("owner")
    await desk.goto("/admin/payments")
    await desk.get_by_role("button", name="Compare with Stripe now").click()
    await expect(desk.locator("#book")).to_contain_text(re.compile(r"ended (just now|\d+ s ago)"), timeout=30_000)


async def test_all_of_it_works_without_javascript(visitor, signed_in):
    _, order = await an_order(visitor)
    refund_id = await a_failed_refund(order)
    desk = await signed_in("manager", javascript=False)
    await desk.goto("/admin/payments")
    await desk.locator(f"#refund-{refund_id}").get_by_role("button", name="Seen").click()
    await expect(desk.locator(f"#done-refund-{refund_id}")).to_contain_text("Seen.")
    await desk.goto(f"/admin/orders/{order['id']}/refund")
    await desk.get_by_role("radio", name="An amount").check()
    await desk.get_by_label("Amount in EUR").fill("24,005")
    await desk.get_by_role("button", name="Continue").click()
    await expect(desk.locator("#amount-error")).to_contain_text("Write the amount in digits")
    await expect(desk.get_by_label("Amount in EUR")).to_have_value("24,005")
    await desk.get_by_label("Amount in EUR").fill("4")
    await desk.get_by_role("button", name="Continue").click()
    await desk.get_by_role("button", name="Send €4.00 back").click()
    await expect(desk.get_by_text("€4.00 is on its way back")).to_be_visible()


# ---------------------------------------------------------------- every page, looked at


async def the_list_with_one_of_each(desk: Page, order: dict) -> None:
    await one_of_each(order)
    await desk.goto("/admin/payments")
    await expect(desk.get_by_role("heading", name="Refunds", exact=True)).to_be_visible()


async def the_list_after_an_answer(desk: Page, order: dict) -> None:
    await one_of_each(order)
    await desk.goto("/admin/payments")
    await desk.locator(".item").get_by_role("button", name="Ask Stripe again").first.click()
    await expect(desk.locator(".item__answer, .items--done").first).to_be_visible()


async def the_refund_form(desk: Page, order: dict) -> None:
    await desk.goto(f"/admin/orders/{order['id']}/refund")
    await desk.get_by_role("radio", name="All that is left").check()
    await expect(desk.locator("#summary")).to_contain_text("Nothing of it stays with you.")


async def the_refund_form_with_mistakes(desk: Page, order: dict) -> None:
    await a_failed_refund(order)
    await desk.goto(f"/admin/orders/{order['id']}/refund")
    await desk.get_by_role("radio", name="An amount").check()
    await desk.get_by_label("Amount in EUR").fill("9999")
    await desk.get_by_role("button", name="Continue").click()
    await expect(desk.locator("#amount-error")).to_be_visible()


async def the_question(desk: Page, order: dict) -> None:
    await the_refund_form(desk, order)
    await desk.get_by_role("button", name="Continue").click()
    await expect(desk.get_by_role("heading", name=re.compile("Send"))).to_be_visible()


async def the_form_of_a_disputed_payment(desk: Page, order: dict) -> None:
    await one_of_each(order)
    await desk.goto(f"/admin/orders/{order['id']}/refund")
    await expect(desk.locator("#dispute-warning")).to_be_visible()


async def the_question_with_mistakes(desk: Page, order: dict) -> None:
    await the_question(desk, order)
    await desk.get_by_label("Note").evaluate("(note) => { note.removeAttribute('maxlength'); }")
    await desk.get_by_label("Note").fill("x" * 501)
    await desk.get_by_role("button", name="Send").click()
    await expect(desk.locator("#note-error")).to_be_visible()


async def the_tickets_of_a_lost_dispute(desk: Page, order: dict) -> None:
    await one_of_each(order)
    await db.execute("UPDATE dispute SET status = 'lost' WHERE payment_id = $1", order["payment_id"])
    await desk.goto(f"/admin/payments/disputes/du_{order['id'].hex}/tickets")
    await expect(desk.get_by_role("heading", name="Make these tickets invalid?")).to_be_visible()


async def the_promises(desk: Page, order: dict) -> None:
    await desk.goto("/admin/payments/promises")


PAGES = [
    the_list_with_one_of_each,
    the_list_after_an_answer,
    the_refund_form,
    the_refund_form_with_mistakes,
    the_question,
    the_form_of_a_disputed_payment,
    the_question_with_mistakes,
    the_tickets_of_a_lost_dispute,
    the_promises,
]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_axe_finds_nothing_and_nothing_is_wider_than_a_phone(visitor, signed_in, dark):
    event = await make_event(ticket_type("General"), ticket_type("Front row", price=3600))
    _, order = await an_order(visitor, event, General=2, Front_row=1)
    for arrive in PAGES:
        desk = await signed_in("owner", dark=dark)
        await arrive(desk, order)
        for width in (1280, 390):
            await desk.set_viewport_size({"width": width, "height": 900})
            await expect(desk.locator("[aria-busy=true], .htmx-request")).to_have_count(0)
            await _picture(desk, f"{arrive.__name__}-{width}-{'dark' if dark else 'light'}")
            found = (await Axe().run(desk)).response["violations"]
            assert [(v["id"], [n["target"] for n in v["nodes"]]) for v in found] == [], arrive.__name__
        await desk.set_viewport_size({"width": 320, "height": 700})
        assert await desk.evaluate("document.documentElement.scrollWidth") <= 320, arrive.__name__
        await desk.context.close()


async def _picture(page: Page, name: str) -> None:
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


# ---------------------------------------------------------------- helpers


async def a_failed_refund(order: dict) -> UUID:
    """As if a bank had sent one back."""
    refund_id = new_id()
    await db.execute(
        "INSERT INTO refund (id, payment_id, order_id, amount, currency, reason, status, reference, last_error)"
        " VALUES ($1, $2, $3, 500, 'EUR', 'REQUESTED', 'FAILED', $4, 'expired_or_canceled_card')",
        refund_id,
        order["payment_id"],
        order["id"],
        f"re_{refund_id.hex}",
    )
    return refund_id


async def one_of_each(order: dict) -> None:
    """Facts as they would lie in the database after a bad day."""
    await a_failed_refund(order)
    await db.execute(
        "INSERT INTO dispute (id, payment_id, amount, currency, reason, status, respond_by)"
        " VALUES ('du_' || $1, $2, 8400, 'EUR', 'fraudulent', 'needs_response', clock_timestamp() + interval '6 days')"
        " ON CONFLICT DO NOTHING",
        order["id"].hex,
        order["payment_id"],
    )
    await db.execute(
        "INSERT INTO outbox (kind, subject, run_at, attempts, last_error)"
        " VALUES ('refund_mail', $1, 'infinity', 12, 'SMTPConnectError: no route to the mail server')"
        " ON CONFLICT DO NOTHING",
        order["id"],
    )
    await db.execute(
        "INSERT INTO payment_notice (id, type, reference, payload, run_at, attempts, last_error)"
        " VALUES ('evt_' || $1, 'charge.refunded', $2, '{}', 'infinity', 12, 'OutcomeUnknown: no answer')"
        " ON CONFLICT DO NOTHING",
        order["id"].hex,
        order["payment_reference"],
    )
    await db.execute(
        "INSERT INTO discrepancy (id, kind, reference, payment_id, theirs, ours)"
        " VALUES ($1, 'refunds', $2, $3, '€84.00 was taken, €12.00 went back', '€84.00 was taken')"
        " ON CONFLICT DO NOTHING",
        new_id(),
        f"pi_{order['id'].hex}",
        order["payment_id"],
    )
