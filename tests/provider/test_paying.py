"""A buyer pays: to the cent, after a decline, when the bank wants to ask, and only once the seats are nailed down."""

import pytest

from domain.reservations import HoldState
from models import database as db
from models.checkout import visit
from services import gateway
from services.gateway import IntentStatus
from tests.makers import left, make_event, start_paying, statuses, ticket_type
from tests.provider.hands import ASKS, DECLINED, VISA, Hands
from tests.provider.provider import Provider
from tests.provider.purchase import Purchase
from web.declines import decline_of


async def test_a_purchase_is_paid_to_the_cent(hands: Hands):
    event = await make_event(ticket_type("Early Bird", price=1850), ticket_type(price=2999), capacity=5)
    purchase = await Purchase.begin(hands, event, Early_Bird=1, General=2)
    before = await hands.look(purchase.reference)
    assert (before.status, before.amount, before.currency) == ("requires_payment_method", 7848, "eur")
    assert (before.capture_method, before.payment_method_types) == ("manual", ("card",))
    assert not before.livemode
    await purchase.authorise()
    agreed = await hands.look(purchase.reference)
    assert (agreed.status, agreed.amount_capturable, agreed.amount_received) == ("requires_capture", 7848, 0)
    await purchase.settle()
    assert await purchase.has_its_tickets()
    assert (await purchase.order())["total_amount"] == 7848
    assert (await hands.look(purchase.reference)).metadata == {"payment_id": str((await purchase.payment())["id"])}
    assert await left(event) == 2


async def test_a_declined_buyer_pays_with_another_card_on_the_same_intent(hands: Hands):
    purchase = await Purchase.begin(hands)
    assert await hands.pay(purchase.reference, "pm_card_visa_chargeDeclined") == "generic_decline"
    await purchase.settle()
    assert (await visit(purchase.checkout_id)).state == HoldState.HELD
    assert (await start_paying(purchase.checkout_id)).reference == purchase.reference
    await purchase.authorise(VISA)
    await purchase.settle()
    assert await purchase.has_its_tickets()


@pytest.mark.parametrize(("card", "codes"), DECLINED.items(), ids=[decline for _, decline in DECLINED.values()])
async def test_what_the_bank_says_is_what_the_buyer_is_told(hands: Hands, card, codes):
    purchase = await Purchase.begin(hands)
    await hands.pay(purchase.reference, card)
    assert hands.wire.codes("confirm") == [(402, codes[0])]
    await purchase.settle()
    problem = (await purchase.payment())["last_error"]
    assert problem == codes[1]
    assert decline_of(problem) is not None, "there are words for it"
    assert (await hands.look(purchase.reference)).status == "requires_payment_method"
    assert await statuses(purchase.checkout_id) == ["ACTIVE"]
    assert await purchase.order() is None


async def test_a_card_whose_bank_wants_to_ask_stays_unpaid_without_a_browser(hands: Hands):
    purchase = await Purchase.begin(hands)
    assert await hands.pay(purchase.reference, ASKS) == "requires_action"
    await purchase.settle()
    assert await purchase.order() is None
    assert (await purchase.payment())["status"] == "OPEN"
    taken = await gateway.current().capture(purchase.reference)
    assert taken.status == IntentStatus.AWAITING_BUYER, "it says how the intent stands"
    assert hands.wire.codes("capture") == [(400, "payment_intent_unexpected_state")]
    assert (await hands.look(purchase.reference)).amount_received == 0


async def test_money_is_taken_only_after_the_seats_are_nailed_down(hands: Hands, monkeypatch: pytest.MonkeyPatch):
    purchase = await Purchase.begin(hands)
    end = await db.fetchval("SELECT expires_at FROM reservation")
    await purchase.authorise()
    capture, seen = gateway.current().capture, []

    async def watch(reference):
        pinned = await db.fetchval("SELECT expires_at - $1 > interval '6 days' FROM reservation", end)
        seen.append(((await purchase.payment())["status"], pinned, (await hands.look(reference)).amount_received))
        return await capture(reference)

    monkeypatch.setattr(gateway.current(), "capture", watch)
    await purchase.settle()
    assert seen == [("CAPTURING", True, 0)]
    assert await purchase.has_its_tickets()


async def test_tabs_and_reloads_share_one_intent(hands: Hands):
    purchase = await Purchase.begin(hands)
    again = await start_paying(purchase.checkout_id)
    assert (again.reference, again.client_secret) == (purchase.reference, purchase.intent.client_secret)
    assert hands.wire.made == [purchase.reference]


async def test_the_publishable_key_belongs_to_the_same_account(hands: Hands, provider: Provider):
    if not provider.publishable_key:
        pytest.skip("no STRIPE_TEST_PUBLISHABLE_KEY was given")
    purchase = await Purchase.begin(hands)
    seen = await hands.seen_by_a_page(purchase.reference, purchase.intent.client_secret)
    assert seen.status_code == 200
    assert seen.json()["id"] == purchase.reference
    stranger = await hands.seen_by_a_page(purchase.reference, f"{purchase.reference}_secret_guessed")
    assert stranger.status_code >= 400, "the secret is what lets a page in"
