"""What a process finds that is going to be killed: purchases and refunds as they stand just before."""

from uuid import UUID

from domain.refunds import Everything, RefundReason
from models import database as db
from services import audit, disputes, notices, refunds
from services.gateway import Notice
from tests.faults import scenarios
from tests.faults.conftest import Shop
from tests.makers import Made, buy, hold, hold_with_buyer, key, let_time_run_out, start_paying
from tests.services import bank
from tests.services.refunding import REFUND_FAILS, fail, pay_with

# Payments


async def authorised(shop: Shop, event: Made) -> None:
    await _bank_agrees(shop, event)
    await _notice_comes("payment_intent.amount_capturable_updated")


async def authorised_without_a_notice(shop: Shop, event: Made) -> None:
    await _bank_agrees(shop, event)
    await _is_asked_about_now()


async def authorised_too_late(shop: Shop, event: Made) -> None:
    await authorised_late_with_seats_left(shop, event)
    await hold(event, General=4)


async def authorised_late_with_seats_left(shop: Shop, event: Made) -> None:
    await authorised(shop, event)
    await let_time_run_out(await _checkout())


async def authorised_and_called_off(shop: Shop, event: Made) -> None:
    """In the very moment in which the bank agreed; nobody of ours has heard of either."""
    await _bank_agrees(shop, event)
    await shop.stripe.dashboard(await _intent(), "cancel")
    await let_time_run_out(await _checkout())
    await _notice_comes("payment_intent.canceled")


async def authorised_and_never_to_be_money(shop: Shop, event: Made) -> None:
    """The bank's word is over, although the intent does not say so; the hold lasts for another minute."""
    await shop.stripe.fault(op="payment_intents.capture", mode="expired", times=None)
    await authorised(shop, event)
    await let_time_run_out(await _checkout(), seconds_ago=-60)


async def pinned_for_longer_than_a_pin_lasts(shop: Shop, event: Made) -> None:
    """The money was taken, the answer lost, the house closed for eight days, and the sweeper was first to wake."""
    await _bank_agrees(shop, event)
    await shop.stripe.fault(op="payment_intents.capture", mode="drop_after", times=2)
    await scenarios._settle_whatever_happens(await _intent())
    await let_time_run_out(await _checkout())
    await scenarios._sweep(event)
    await _is_asked_about_now()


async def overdue(shop: Shop, event: Made) -> None:
    await start_paying(await hold_with_buyer(event, General=2))
    await let_time_run_out(await _checkout())


# Orders, and money that goes back


async def bought(shop: Shop, event: Made) -> None:
    await buy(event, shop.stripe, General=2)


async def bought_long_ago(shop: Shop, event: Made) -> UUID:
    """The buyer has their confirmation."""
    order_id = await buy(event, shop.stripe, General=2)
    await _mails_are_sent()
    return order_id


async def money_wanted_back(shop: Shop, event: Made) -> None:
    await _everything_is_to_go_back(await bought_long_ago(shop, event))


async def money_wanted_back_that_has_gone(shop: Shop, event: Made) -> None:
    await money_wanted_back(shop, event)
    await shop.stripe.dashboard(await _intent(), "refund")


async def given_back_elsewhere(shop: Shop, event: Made) -> None:
    await bought_long_ago(shop, event)
    await shop.stripe.dashboard(await _intent(), "refund")


async def refund_that_failed_after_all(shop: Shop, event: Made) -> UUID:
    """With its seats on sale again. Nobody has heard of the failure."""
    order_id = await pay_with(shop.stripe, REFUND_FAILS, event, General=2)
    refund_id = await _everything_is_to_go_back(order_id)
    await refunds.run(refund_id)
    await _mails_are_sent()
    await fail(shop.stripe, refund_id)
    await _notice_comes("refund.failed")
    return refund_id


async def refund_that_failed_and_a_seat_that_is_free(shop: Shop, event: Made) -> UUID:
    """When it failed, others held all there was; since then there is room."""
    refund_id = await refund_that_failed_after_all(shop, event)
    await hold(event, General=5)
    await refunds.sync(await _intent())
    await db.execute("UPDATE event SET total_capacity = 7")
    return refund_id


async def refunded_with_the_seats_kept(shop: Shop, event: Made) -> UUID:
    refund_id = await _everything_is_to_go_back(await bought_long_ago(shop, event), seats_return=False)
    await refunds.run(refund_id)
    return refund_id


async def dispute_lost_and_won_after_all(shop: Shop, event: Made) -> None:
    """A bank that changes its mind, after its holder's tickets were made invalid."""
    dispute_id, tickets = await lost_dispute(shop, event)
    await disputes.make_tickets_invalid(dispute_id, tickets, actor=audit.SYSTEM)
    await _mails_are_sent()
    await bank.decide(shop.stripe, dispute_id, "win")
    await _notice_comes("charge.dispute.closed")


async def lost_dispute(shop: Shop, event: Made) -> tuple[str, set[UUID]]:
    """Lost in our books alone: the provider's stand-in decides once and for all. Returns it and its tickets."""
    await bought(shop, event)
    dispute = await shop.stripe.dashboard(await _intent(), "dispute")
    await disputes.sync(await _intent())
    await db.execute("UPDATE dispute SET status = 'lost'")
    return dispute["id"], {row["id"] for row in await db.fetch("SELECT id FROM ticket")}


async def _bank_agrees(shop: Shop, event: Made) -> None:
    intent = await start_paying(await hold_with_buyer(event, General=2))
    await shop.stripe.pay(intent.client_secret)


async def _everything_is_to_go_back(order_id: UUID, *, seats_return: bool = True) -> UUID:
    return await refunds.request(
        order_id,
        Everything(),
        reason=RefundReason.REQUESTED,
        note="",
        seats_return=seats_return,
        request_key=key(),
        actor=audit.SYSTEM,
    )


async def _notice_comes(kind: str) -> None:
    await notices.keep(Notice(key(), kind, await _intent(), None, False, "{}"))


async def _is_asked_about_now() -> None:
    await db.execute("UPDATE payment SET next_check_at = clock_timestamp()")


async def _mails_are_sent() -> None:
    await db.execute("UPDATE outbox SET done_at = clock_timestamp() WHERE kind LIKE '%mail'")


async def _intent() -> str:
    return await db.fetchval("SELECT reference FROM payment")


async def _checkout() -> UUID:
    return await db.fetchval("SELECT checkout_id FROM payment")
