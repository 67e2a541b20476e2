"""Mail to buyers, sent at least once from the outbox. The Message-ID is the order’s: a second copy is the same mail."""

from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

import aiosmtplib
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from domain.refunds import RefundStatus
from models import order, payment
from services import links, words

TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class _Post:
    smtp_url: str
    sender: str
    base_url: str


_post: _Post | None = None
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent.parent / "templates" / "mail"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.globals.update(words=words)


def set_up(*, smtp_url: str, sender: str, base_url: str) -> None:
    global _post
    _post = _Post(smtp_url, sender, base_url)


async def send_confirmation(order_id: UUID, *, again: UUID | None = None) -> None:
    """The buyer's confirmation with the link to the tickets. `again`: the request that makes it a mail of its own.

    Nothing when no ticket admits anybody any more: of that, the mail about the refund speaks.
    """
    post = _ready()
    paid = await order.paid_order(order_id)
    assert paid is not None
    if paid.tickets and all(ticket["refund_id"] for ticket in paid.tickets):
        return
    link = f"{post.base_url}/orders/{links.order_token(order_id)}"
    subject = f"Your tickets: {paid.event['title']} ({paid.order['number']})"
    await _send(
        _message(
            template="confirmation",
            to=paid.order["buyer_email"],
            subject=subject,
            message_id=f"<order-{again or order_id}@{urlsplit(post.base_url).hostname}>",
            values={"paid": paid, "link": link},
        )
    )


async def send_confirmation_again(request_id: UUID) -> None:
    """The same tickets once more, to the address that the order has now: nothing goes to one that was corrected."""
    order_id = await order.order_of_request(request_id)
    assert order_id is not None
    await send_confirmation(order_id, again=request_id)


class StillPaying(Exception):
    """Another payment for the same tickets is under way."""


async def send_not_charged(payment_id: UUID) -> None:
    """The bank agreed, there was nothing to give for it, and nobody was charged. Not to a buyer who has since paid.

    Raises StillPaying while they are trying again: what came of that decides.
    """
    post = _ready()
    purchase = await payment.purchase(payment_id)
    if purchase is None or purchase["order_id"] or purchase["charged_otherwise"]:
        return
    if purchase["still_paying"]:
        raise StillPaying
    await _send(
        _message(
            template="not_charged",
            to=purchase["buyer_email"],
            subject=f"You were not charged: {purchase['title']}",
            message_id=f"<not-charged-{payment_id}@{urlsplit(post.base_url).hostname}>",
            values={"purchase": purchase, "link": f"{post.base_url}/events/{purchase['slug']}"},
        )
    )


async def send_refund(refund_id: UUID) -> None:
    """Money is on its way back, or tickets that cost nothing were cancelled. Nothing when it has failed meanwhile."""
    refund = await order.refund_letter(refund_id)
    assert refund is not None
    if refund["status"] == RefundStatus.FAILED:
        return
    subject = "Your refund" if refund["amount"] else "Cancelled"
    await _send_about(refund, template="refund", subject=subject, message_id=f"refund-{refund_id}")


async def send_refund_failed(refund_id: UUID) -> None:
    """What was said to be on its way has not arrived: where the money is, and which tickets are valid."""
    refund = await order.refund_letter(refund_id)
    assert refund is not None
    subject = "Your refund did not arrive" if refund["amount"] else "Your tickets"
    await _send_about(refund, template="refund_failed", subject=subject, message_id=f"refund-failed-{refund_id}")


async def send_valid_again(refund_id: UUID) -> None:
    """A seat was found for a ticket whose refund had failed. Nothing when its money has gone back since."""
    refund = await order.refund_letter(refund_id)
    assert refund is not None
    if not refund["valid"]:
        return
    subject = "Your ticket is valid again" if len(refund["valid"]) == 1 else "Your tickets are valid again"
    # Another mail than the one before, when more of them are.
    message_id = f"valid-again-{refund_id}-{len(refund['valid'])}"
    await _send_about(refund, template="refund_valid_again", subject=subject, message_id=message_id)


async def _send_about(refund: Any, *, template: str, subject: str, message_id: str) -> None:
    post = _ready()
    link = f"{post.base_url}/orders/{links.order_token(refund['order_id'])}" if refund["order_id"] else None
    await _send(
        _message(
            template=template,
            to=refund["buyer_email"],
            subject=f"{subject}: {refund['title']}",
            message_id=f"<{message_id}@{urlsplit(post.base_url).hostname}>",
            values={"refund": refund, "link": link},
        )
    )


def _message(*, template: str, to: str, subject: str, message_id: str, values: dict[str, Any]) -> EmailMessage:
    message = EmailMessage()
    message["From"] = _ready().sender
    message["To"] = to
    message["Subject"] = " ".join(subject.split())  # a title may hold a line break, a header may not
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_templates.get_template(f"{template}.txt").render(values))
    message.add_alternative(_templates.get_template(f"{template}.html").render(values), subtype="html")
    return message


async def _send(message: EmailMessage) -> None:
    server = urlsplit(_ready().smtp_url)
    await aiosmtplib.send(
        message,
        sender=parseaddr(message["From"])[1],
        hostname=server.hostname or "localhost",
        port=server.port,
        username=unquote(server.username) if server.username else None,
        password=unquote(server.password) if server.password else None,
        use_tls=server.scheme == "smtps",
        timeout=TIMEOUT_SECONDS,
    )


def _ready() -> _Post:
    assert _post is not None, "the composition root sets up the mail"
    return _post
