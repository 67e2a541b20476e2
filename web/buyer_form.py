"""Who is buying: name and e-mail, checked field by field, in words that say how to repair them."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from email_validator import EmailNotValidError, validate_email

MAX_NAME = 100  # characters; it is printed on the tickets
MAX_EMAIL = 254  # RFC 5321
ECHO = 500  # of something far too long, as much comes back to be repaired

# Control characters and lone surrogates, and what would turn the direction of the text around it.
UNPRINTABLE = frozenset({"Cc", "Cs", "Co", "Cn"})
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

NO_NAME = "Enter your name, as it should appear on the tickets."
ODD_NAME = "Use letters and spaces only. Something in this name can’t be printed."
LONG_NAME = f"Shorten the name to {MAX_NAME} characters, so that it fits on the tickets."
NO_EMAIL = "Enter your email, so we can send the tickets."
NO_DOMAIN = "Add the part after @, for example example.org."
NO_AT = "Write the whole address with an @, for example ana@example.org."
ODD_EMAIL = "Check the email address. It should look like ana@example.org."
FOREIGN_EMAIL = "Use an address with plain letters before the @, so that every mail server can deliver to it."


@dataclass(frozen=True, slots=True)
class BuyerForm:
    """The fields as they are shown again, and what is wrong with them: field → message, in the order of the form."""

    name: str = ""
    email: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        return bool(self.name and self.email and not self.errors)


def read_buyer(form: Mapping[str, Any]) -> BuyerForm:
    """Good fields come back tidied, bad ones as they were typed."""
    errors: dict[str, str] = {}
    name, email = _text(form.get("name")), _text(form.get("email"))
    try:
        name = _checked_name(name)
    except ValueError as problem:
        errors["name"] = str(problem)
    try:
        email = _checked_email(email)
    except ValueError as problem:
        errors["email"] = str(problem)
    return BuyerForm(name, email, errors)


def kept_buyer(checkout: Mapping[str, Any]) -> BuyerForm:
    """What the server remembers: good, as far as it is there at all."""
    return BuyerForm(checkout["buyer_name"], checkout["buyer_email"])


def _text(value: object) -> str:
    return value.strip(" ")[:ECHO] if isinstance(value, str) else ""


def _checked_name(typed: str) -> str:
    if not typed:
        raise ValueError(NO_NAME)
    if any(unicodedata.category(c) in UNPRINTABLE or c in TURNING for c in typed):
        raise ValueError(ODD_NAME)
    name = " ".join(unicodedata.normalize("NFC", typed).split())
    if not any(c.isalpha() for c in name):
        raise ValueError(NO_NAME)
    if len(name) > MAX_NAME:
        raise ValueError(LONG_NAME)
    return name


def _checked_email(typed: str) -> str:
    """The address in the form that every mail server takes. Whether it exists is found out by sending."""
    if not typed:
        raise ValueError(NO_EMAIL)
    before, at, after = typed.rpartition("@")
    if not at:
        raise ValueError(NO_AT)
    if before and "." not in after.strip("."):
        raise ValueError(NO_DOMAIN)
    if not before.isascii():
        raise ValueError(FOREIGN_EMAIL)
    try:
        found = validate_email(typed, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as problem:
        raise ValueError(ODD_EMAIL) from problem
    if not found.ascii_email or len(found.ascii_email) > MAX_EMAIL:
        raise ValueError(ODD_EMAIL)
    return found.ascii_email
