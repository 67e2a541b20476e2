"""The mail catcher: takes every mail over SMTP, delivers none, and shows them on a page.

Mails are kept as .eml files, named so that they sort by arrival; the newest 500 stay.
"""

import re
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session
from litestar import MediaType, Response, get
from litestar.exceptions import NotFoundException

from sandbox import pages

KEPT = 500
LARGEST = 20 * 1024 * 1024
ENVELOPE = "X-Sandbox-To"
# The mail's own page: its styles and pictures, but no script, and no request to anywhere else.
MAIL_CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)


@dataclass(frozen=True)
class Part:
    name: str
    type: str
    content: bytes
    content_id: str


@dataclass(frozen=True)
class Mail:
    id: str
    to: tuple[str, ...]
    sender: str
    subject: str
    time: datetime
    headers: tuple[tuple[str, str], ...]
    text: str
    html: str
    parts: tuple[Part, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "to": list(self.to),
            "from": self.sender,
            "subject": self.subject,
            "message_id": dict(self.headers).get("Message-ID", ""),
            "time": self.time.isoformat(),
            "text": self.text,
            "html": self.html,
            "attachments": [{"name": part.name, "type": part.type} for part in self.parts],
        }


class Mailbox:
    """Also aiosmtpd's handler: `handle_DATA` is called for every mail."""

    def __init__(self, folder: Path, *, kept: int = KEPT) -> None:
        self.folder = folder
        self.kept = kept
        folder.mkdir(parents=True, exist_ok=True)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.original_content or b""
        self.keep(content, [str(recipient) for recipient in envelope.rcpt_tos])
        return "250 Kept by the sandbox"

    def keep(self, content: bytes, recipients: list[str]) -> str:
        """Write the mail, whole or not at all, and let the oldest go."""
        id = f"{time.time_ns() // 1000:016d}-{secrets.token_hex(3)}"
        envelope = f"{ENVELOPE}: {', '.join(recipients)}\r\n".encode()
        draft = self.folder / f".{id}.part"
        draft.write_bytes(envelope + content)
        draft.rename(self.folder / f"{id}.eml")
        for old in self.ids()[self.kept :]:
            (self.folder / f"{old}.eml").unlink(missing_ok=True)
        return id

    def ids(self) -> list[str]:
        """Newest first."""
        return sorted((path.stem for path in self.folder.glob("*.eml")), reverse=True)

    def read(self, id: str) -> Mail | None:
        path = self.folder / f"{id}.eml"
        if not re.fullmatch(r"[\w-]+", id) or not path.is_file():
            return None
        return _parse(id, path.read_bytes())

    def list(self, to: str | None = None) -> list[Mail]:
        mails = (self.read(id) for id in self.ids())
        return [mail for mail in mails if mail and (to is None or to.lower() in mail.to)]

    def clear(self) -> None:
        for id in self.ids():
            (self.folder / f"{id}.eml").unlink(missing_ok=True)


def smtp_session(mailbox: Mailbox) -> SMTP:
    return SMTP(mailbox, hostname="sandbox", ident="Foyer sandbox", enable_SMTPUTF8=True, data_size_limit=LARGEST)


@get("/mail", sync_to_thread=True)
def show_mails(mailbox: Mailbox) -> Response[str]:
    return pages.show("mails.html", mails=mailbox.list())


@get("/mail.json", sync_to_thread=True)
def list_mails(mailbox: Mailbox, to: str | None = None) -> Response[list[dict[str, Any]]]:
    """For tests: newest first, only those sent to one address when `to` is given."""
    return Response([mail.as_json() for mail in mailbox.list(to)], headers={"Cache-Control": "no-store"})


@get("/mail/{mail_id:str}", sync_to_thread=True)
def show_mail(mailbox: Mailbox, mail_id: str) -> Response[str]:
    return pages.show("mail.html", mail=_found(mailbox, mail_id))


@get("/mail/{mail_id:str}/html", sync_to_thread=True)
def show_html(mailbox: Mailbox, mail_id: str) -> Response[str]:
    """The HTML part as the reader would see it, in a page that can do nothing."""
    mail = _found(mailbox, mail_id)
    places = {part.content_id: number for number, part in enumerate(mail.parts) if part.content_id}
    html = re.sub(r"cid:([^\"'\s)>]+)", lambda match: f"/mail/{mail.id}/parts/{places.get(match[1], '')}", mail.html)
    return Response(
        '<base target="_blank">' + html,
        media_type=MediaType.HTML,
        headers={"Content-Security-Policy": MAIL_CSP, "X-Content-Type-Options": "nosniff"},
    )


@get("/mail/{mail_id:str}/parts/{number:int}", sync_to_thread=True)
def show_part(mailbox: Mailbox, mail_id: str, number: int) -> Response[bytes]:
    """A picture inside the mail or a file attached to it."""
    mail = _found(mailbox, mail_id)
    if not 0 <= number < len(mail.parts):
        raise NotFoundException("This mail has no such part.")
    part = mail.parts[number]
    safe = part.type if part.type.startswith("image/") and "svg" not in part.type else "application/octet-stream"
    headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": MAIL_CSP}
    return Response(part.content, media_type=safe, headers=headers)


MAIL_PAGES = [show_mails, list_mails, show_mail, show_html, show_part]


def _found(mailbox: Mailbox, mail_id: str) -> Mail:
    mail = mailbox.read(mail_id)
    if mail is None:
        raise NotFoundException("There is no such mail.")
    return mail


def _parse(id: str, content: bytes) -> Mail:
    message = message_from_bytes(content, _class=EmailMessage, policy=policy.default)
    recipients = getaddresses([str(message.get(ENVELOPE, ""))])
    return Mail(
        id=id,
        to=tuple(address.lower() for _, address in recipients if address),
        sender=str(message.get("From", "")),
        subject=str(message.get("Subject", "")) or "(no subject)",
        time=datetime.fromtimestamp(int(id.split("-")[0]) / 1_000_000, UTC),
        headers=tuple((name, str(value)) for name, value in message.items() if name != ENVELOPE),
        text=_body(message, "plain"),
        html=_body(message, "html"),
        parts=tuple(_part(part) for part in message.walk() if _is_file(part)),
    )


def _body(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    if body is None:
        return ""
    try:
        return str(body.get_content())
    except (LookupError, UnicodeError):  # a charset nobody knows
        return bytes(body.get_payload(decode=True) or b"").decode("utf-8", "replace")


def _is_file(part: EmailMessage) -> bool:
    if part.is_multipart():
        return False
    return part.get_content_maintype() != "text" or part.get_content_disposition() == "attachment"


def _part(part: EmailMessage) -> Part:
    content = part.get_payload(decode=True)
    return Part(
        name=part.get_filename() or part.get_content_type(),
        type=part.get_content_type(),
        content=content if isinstance(content, bytes) else b"",
        content_id=str(part.get("Content-ID", "")).strip("<>"),
    )
