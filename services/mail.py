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


async def send_confirmation(order_id: UUID) -> None:
    """The buyer's confirmation with the link to the tickets."""
    post = _ready()
    paid = await order.paid_order(order_id)
    assert paid is not None
    link = f"{post.base_url}/orders/{links.order_token(order_id)}"
    subject = f"Your tickets: {paid.event['title']} ({paid.order['number']})"
    await _send(
        _message(
            template="confirmation",
            to=paid.order["buyer_email"],
            subject=subject,
            message_id=f"<order-{order_id}@{urlsplit(post.base_url).hostname}>",
            values={"paid": paid, "link": link},
        )
    )


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
    post = _ready()
    refund = await order.refund_letter(refund_id)
    assert refund is not None
    if refund["status"] == RefundStatus.FAILED:
        return
    link = f"{post.base_url}/orders/{links.order_token(refund['order_id'])}" if refund["order_id"] else None
    subject = "Your refund" if refund["amount"] else "Cancelled"
    await _send(
        _message(
            template="refund",
            to=refund["buyer_email"],
            subject=f"{subject}: {refund['title']}",
            message_id=f"<refund-{refund_id}@{urlsplit(post.base_url).hostname}>",
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
