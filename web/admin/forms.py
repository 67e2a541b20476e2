"""The few fields of signing in, as they were typed. Passwords are never shown again."""

from collections.abc import Mapping
from datetime import timedelta
from math import ceil
from typing import Any

from domain.access import PasswordUnfit, Role, TooManyTries, WrongCode, WrongSignIn
from domain.errors import Refusal
from web.buyer_form import LONG_NAME, MAX_NAME, NO_NAME, ODD_NAME, read_buyer
from web.buyer_form import NO_EMAIL as NO_BUYER_EMAIL
from web.words import plural

CONFIRM = "confirm-password"
LONGEST = 500  # of anything typed here; a password ends at 128

WRONG_SIGN_IN = "Check your email and password, and try again."
WRONG_PASSWORD = "That isn’t your password. Nothing was changed."
WRONG_CODE = "That code isn’t right, or was used already. Wait for the next one and type it here."
NO_EMAIL = "Enter the email of the person to invite."
NO_ROLE = "Choose what this person may do."
NAME_PROBLEMS = {
    NO_NAME: "Enter your name, as colleagues know you.",
    ODD_NAME: "Use letters and spaces only. Something in this name can’t be shown.",
    LONG_NAME: f"Shorten the name to {MAX_NAME} characters.",
}
ALREADY = "This person has been invited before. You find them in the list below; “More” there makes a new link."


def text(form: Mapping[str, Any], name: str) -> str:
    value = form.get(name)
    return value[:LONGEST] if isinstance(value, str) else ""


def role(form: Mapping[str, Any], field: str = "role") -> Role | None:
    try:
        return Role(text(form, field))
    except ValueError:
        return None


def name(form: Mapping[str, Any]) -> tuple[str, str | None]:
    """By the same rules as a buyer's, and what is wrong with it."""
    read = read_buyer(form)
    problem = read.errors.get("name")
    return read.name, NAME_PROBLEMS[problem] if problem else None


def email(form: Mapping[str, Any]) -> tuple[str, str | None]:
    read = read_buyer(form)
    return read.email, NO_EMAIL if read.errors.get("email") == NO_BUYER_EMAIL else read.errors.get("email")


def in_words(refusal: Refusal) -> str:
    """What to say beside the field."""
    if isinstance(refusal, TooManyTries):
        return f"There were too many tries. Wait {minutes(refusal.wait)}, then try again. Nothing is locked."
    if isinstance(refusal, PasswordUnfit):
        return str(refusal)
    return {WrongSignIn: WRONG_PASSWORD, WrongCode: WRONG_CODE}[type(refusal)]


def minutes(wait: timedelta) -> str:
    return plural(max(1, ceil(wait.total_seconds() / 60)), "minute")


def status_of(refusal: Refusal) -> int:
    return 429 if isinstance(refusal, TooManyTries) else 422
