"""Jobs: thin, safe to run twice and at once, without an opinion."""

import asyncio

import structlog

from services import checkout, mail, notices, outbox, reconciliation, reservations, tickets

log = structlog.get_logger()

DEEDS = {"complete": tickets.issue, "confirmation_mail": mail.send_confirmation}


async def expire_holds(_: dict) -> None:
    overdue = await reservations.events_with_overdue_holds()
    released = await asyncio.gather(*(checkout.expire_holds(event_id) for event_id in overdue))
    if any(released):
        log.info("holds expired", tickets=sum(released))


async def handle_notices(_: dict) -> None:
    await notices.handle_due()


async def drain_outbox(_: dict) -> None:
    await outbox.drain(DEEDS)


async def reconcile(_: dict) -> None:
    await reconciliation.reconcile()
