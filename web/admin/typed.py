"""Numbers and words as people type them: in any script's digits, with stray spaces, and never trusted further."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

# Of something far too long, as much comes back to be repaired.
ECHO = 600
WHOLE = re.compile(r"[0-9]{1,15}")
YEARS = range(1970, 2200)  # in which an event takes place
SPACES = re.compile(r"\s+")


def text(form: Mapping[str, Any], name: str) -> str:
    """As it is shown again: without the spaces around it, and with nothing that cannot be kept."""
    value = form.get(name)
    if not isinstance(value, str):
        return ""
    value = value.replace("\r\n", "\n")[:ECHO]
    return "".join(c for c in value if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs")).strip()


def exactly(form: Mapping[str, Any], name: str) -> str | None:
    """What a hidden field of ours carries, to the letter."""
    value = form.get(name)
    return value.replace("\r\n", "\n") if isinstance(value, str) else None


def stored_moment(carried: str) -> datetime:
    """The moment that a hidden field of ours carries. A ValueError: it is none that can have been stored."""
    found = datetime.fromisoformat(carried)
    # A year on either side, for the clocks of every zone.
    if found.tzinfo is None or not YEARS.start - 1 <= found.year <= YEARS.stop:
        raise ValueError(carried)
    return found


def plain(typed: str) -> str:
    """Any script's digits as the ASCII ones that they mean, and no spaces: “１ 000” → “1000”, “٣٠” → “30”."""
    return SPACES.sub("", unicodedata.normalize("NFC", "".join(map(_plain, typed))))


def _plain(character: str) -> str:
    """Other signs in their usual width: “．” → “.”. What only contains a number is none: “²”, “①”."""
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    return character if character.isnumeric() else unicodedata.normalize("NFKC", character)


def whole_number(typed: str) -> int | None:
    """None when it is not a whole number of 0 or more: “-5”, “1e3”, “2.5”, “”."""
    digits = plain(typed)
    return int(digits) if WHOLE.fullmatch(digits) else None
