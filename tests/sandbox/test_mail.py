"""The mail catcher: what is sent over SMTP can be read on a page, and nothing in it can act."""

import smtplib
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

from sandbox.mail import Mailbox
from tests.sandbox.running import Sandbox

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def site(sandbox: Sandbox) -> httpx.Client:
    return httpx.Client(base_url=sandbox.url, trust_env=False)


def test_a_mail_arrives_and_is_found_by_its_recipient(sandbox: Sandbox, site: httpx.Client) -> None:
    send(sandbox, a_mail(to="Ana@example.org", subject="Your tickets – Łódź"))
    send(sandbox, a_mail(to="other@example.org", subject="Other"))
    everything = site.get("/mail.json").json()
    assert [mail["subject"] for mail in everything] == ["Other", "Your tickets – Łódź"]
    (mine,) = site.get("/mail.json", params={"to": "ana@example.org"}).json()
    assert mine["text"].strip() == "Three tickets"
    assert "Three <b>tickets</b>" in mine["html"]
    assert mine["attachments"] == [
        {"name": "image/png", "type": "image/png"},
        {"name": "t.ics", "type": "text/calendar"},
    ]


def test_the_list_and_the_mail_are_escaped(sandbox: Sandbox, site: httpx.Client) -> None:
    send(sandbox, a_mail(subject=HOSTILE, text=HOSTILE))
    (mail,) = site.get("/mail.json").json()
    for path in ("/mail", f"/mail/{mail['id']}"):
        page = site.get(path)
        assert page.status_code == 200
        assert HOSTILE not in page.text
        assert "&lt;script&gt;" in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_the_html_part_is_shown_where_it_can_do_nothing(sandbox: Sandbox, site: httpx.Client) -> None:
    send(sandbox, a_mail(html=f"<p>{HOSTILE}<img src='cid:qr@foyer'></p>"))
    (mail,) = site.get("/mail.json").json()
    assert 'sandbox="allow-popups' in site.get(f"/mail/{mail['id']}").text
    html = site.get(f"/mail/{mail['id']}/html")
    policy = html.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "allow-scripts" not in policy
    picture = f"/mail/{mail['id']}/parts/0"
    assert picture in html.text
    assert site.get(picture).headers["Content-Type"] == "image/png"


def test_there_is_no_way_out_of_the_folder(site: httpx.Client) -> None:
    for path in ("/mail/..%2f..%2fstripe", "/mail/nothing", "/js/..%2fapi.py", "/js/nothing.js"):
        assert site.get(path).status_code == 404


def test_only_the_newest_mails_stay(tmp_path: Path) -> None:
    mailbox = Mailbox(tmp_path, kept=3)
    for number in range(5):
        mailbox.keep(a_mail(subject=str(number)).as_bytes(), ["a@example.org"])
    assert [mail.subject for mail in mailbox.list()] == ["4", "3", "2"]


def test_a_mail_that_cannot_be_decoded_is_still_shown(tmp_path: Path) -> None:
    mailbox = Mailbox(tmp_path)
    mailbox.keep(
        b"Subject: =?klingon?q?x?=\r\nContent-Type: text/plain; charset=klingon\r\n\r\nnuqneH \xff", ["a@b.example"]
    )
    (mail,) = mailbox.list("a@b.example")
    assert "nuqneH" in mail.text


def a_mail(
    *,
    to: str = "ana@example.org",
    subject: str = "Hello",
    text: str = "Three tickets",
    html: str = "Three <b>tickets</b>",
) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Foyer <tickets@example.org>", to, subject
    mail.set_content(text)
    mail.add_alternative(html, subtype="html")
    mail.get_payload()[1].add_related(b"\x89PNG", "image", "png", cid="<qr@foyer>")  # type: ignore[union-attr, index]
    mail.add_attachment("BEGIN:VCALENDAR", subtype="calendar", filename="t.ics")
    return mail


def send(sandbox: Sandbox, mail: EmailMessage) -> None:
    with smtplib.SMTP("127.0.0.1", sandbox.smtp_port) as smtp:
        smtp.send_message(mail)
