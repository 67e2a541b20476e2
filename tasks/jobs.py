"""Jobs: thin, safe to run twice and at once, without an opinion."""

import asyncio

import structlog

from services import (
    checkout,
    comparison,
    mail,
    notices,
    outbox,
    pace,
    reconciliation,
    refunds,
    reservations,
    tickets,
)

log = structlog.get_logger()

DEEDS = {
    "complete": tickets.issue,
    "refund": refunds.run,
    "confirmation_mail": mail.send_confirmation,
    "confirmation_again_mail": mail.send_confirmation_again,
    "not_charged_mail": mail.send_not_charged,
    "refund_mail": mail.send_refund,
    "refund_failed_mail": mail.send_refund_failed,
    "valid_again_mail": mail.send_valid_again,
}


async def expire_holds(_: dict) -> None:
    overdue = await reservations.events_with_overdue_holds()
    with pace.in_background():  # the holds are released in any case; those who are paying go first
        released = await asyncio.gather(*(checkout.expire_holds(event_id) for event_id in overdue))
    if any(released):
        log.info("holds expired", tickets=sum(released))


async def handle_notices(_: dict) -> None:
    with pace.in_background():
        await notices.handle_due()


async def drain_outbox(_: dict) -> None:
    await outbox.drain(DEEDS)


async def reconcile(_: dict) -> None:
    with pace.in_background():
        await reconciliation.reconcile()


async def follow_refunds(_: dict) -> None:
    with pace.in_background():
        await refunds.sync_pending()


async def compare(_: dict) -> None:
    with pace.in_background():
        await comparison.compare_if_due()


async def compare_now(_: dict) -> None:
    """At a person's word, whenever the last time was."""
    with pace.in_background():
        await comparison.compare()
