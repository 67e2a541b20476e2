"""Money that comes late, changed or unasked: tickets, or nobody charged, or all of it back."""

from domain.payments import OurProblem
from models import database as db
from services import checkout
from services.gateway import current
from tasks import jobs
from tests.makers import hold, left, let_time_run_out, make_event, start_paying, statuses
from tests.provider.hands import Hands
from tests.provider.purchase import Purchase


async def test_late_money_for_a_sold_out_event_is_let_go_and_nothing_is_captured(hands: Hands):
    event = await make_event(capacity=1)
    late = await Purchase.begin(hands, event)
    await let_time_run_out(late.checkout_id)
    assert await hold(event)
    await late.authorise()
    await late.settle()
    assert await late.was_not_charged()
    assert (await late.payment())["last_error"] == OurProblem.LATE


async def test_late_money_gets_the_same_seats_when_they_are_still_there(hands: Hands):
    late = await Purchase.begin(hands)
    await let_time_run_out(late.checkout_id)
    await late.authorise()
    await late.settle()
    assert await late.has_its_tickets()
    assert sorted(await statuses(late.checkout_id)) == ["CONSUMED", "EXPIRED"]


async def test_an_unpaid_hold_that_ends_takes_its_intent_along(hands: Hands):
    purchase = await Purchase.begin(hands)
    await let_time_run_out(purchase.checkout_id)
    assert await checkout.expire_holds(purchase.event.id) == 1
    await _until_let_go()
    assert await hands.pay_too_late(purchase.reference) == (400, "payment_intent_unexpected_state")
    assert await purchase.was_not_charged()
    assert await left(purchase.event) == 5


async def test_an_intent_cancelled_in_the_dashboard_makes_room_for_a_new_one(hands: Hands):
    purchase = await Purchase.begin(hands)
    await hands.cancel(purchase.reference)
    await purchase.settle()
    assert await purchase.was_not_charged()
    new = await start_paying(purchase.checkout_id)
    assert new.reference != purchase.reference
    again = Purchase(hands, purchase.event, purchase.checkout_id, new)
    await again.authorise()
    await again.settle()
    assert await again.has_its_tickets()


async def test_an_intent_that_was_let_go_says_whether_the_bank_had_agreed(hands: Hands):
    agreed, declined = await Purchase.begin(hands), await Purchase.begin(hands)
    await agreed.authorise()
    assert await hands.pay(declined.reference, "pm_card_visa_chargeDeclined") == "generic_decline"
    for purchase in (agreed, declined):
        assert (await current().cancel(purchase.reference)).was_agreed == (purchase is agreed)
        assert (await current().retrieve(purchase.reference)).was_agreed == (purchase is agreed)
        await purchase.settle()
        assert await purchase.was_not_charged()


async def test_another_amount_than_asked_is_never_captured(hands: Hands):
    purchase = await Purchase.begin(hands)
    await hands.change_amount(purchase.reference, 2399)
    await purchase.authorise()
    await purchase.settle()
    assert await purchase.was_not_charged()
    assert (await purchase.payment())["last_error"] == OurProblem.AMOUNT_DIFFERS
    assert (await start_paying(purchase.checkout_id)).amount == 2400


async def test_money_captured_by_hand_while_the_hold_lives_is_an_order(hands: Hands):
    purchase = await Purchase.begin(hands)
    await purchase.authorise()
    await hands.capture(purchase.reference)
    await purchase.settle()
    assert await purchase.has_its_tickets()


async def test_money_captured_by_hand_without_seats_goes_back_in_full(hands: Hands):
    event = await make_event(capacity=1)
    purchase = await Purchase.begin(hands, event)
    await purchase.authorise()
    await let_time_run_out(purchase.checkout_id)
    assert await hold(event)
    await hands.capture(purchase.reference)
    await _went_back(purchase, 2400)


async def test_a_part_captured_by_hand_is_no_order_and_goes_back(hands: Hands):
    purchase = await Purchase.begin(hands)
    await purchase.authorise()
    await hands.capture(purchase.reference, amount=1000)
    assert (await hands.look(purchase.reference)).amount_received == 1000
    await _went_back(purchase, 1000)


async def _went_back(purchase: Purchase, amount: int) -> None:
    await purchase.settle()
    assert await purchase.order() is None
    payment = await purchase.payment()
    assert (payment["status"], payment["last_error"]) == ("REFUNDED", OurProblem.CAPTURED_BY_HAND)
    await jobs.drain_outbox({})
    refund = await db.fetchrow("SELECT * FROM refund WHERE payment_id = $1", payment["id"])
    assert (refund["amount"], refund["reason"]) == (amount, "NO_SEATS")
    assert refund["status"] in ("SUCCEEDED", "PENDING"), refund["last_error"]
    assert sum(r.amount for r in await purchase.refunds()) == amount


async def _until_let_go() -> None:
    """The provider may take longer than the second that a hold's end waits for it."""
    for task in list(checkout._asking):
        await task
