"""Events: drafts and publication (§1.4), when they are over, and when a ticket type is on sale."""

import re
import unicodedata
from datetime import datetime
from enum import StrEnum

LONGEST_TITLE = 120
COPY_OF = "Copy of "


class EventStatus(StrEnum):
    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"


class Sale(StrEnum):
    """Whether a ticket type is sold at a moment, leaving aside how many are left."""

    OPEN = "OPEN"
    NOT_YET = "NOT_YET"
    ENDED = "ENDED"
    OFF = "OFF"


def is_over(*, start_date: datetime, end_date: datetime | None, now: datetime) -> bool:
    """An event is over at its end, or at its start when it has none."""
    return (end_date or start_date) <= now


def sale_of(
    *,
    is_enabled: bool,
    sales_start: datetime | None,
    sales_end: datetime | None,
    over: bool,
    now: datetime,
) -> Sale:
    """The sales window of one ticket type: from `sales_start` (included) to `sales_end` (excluded)."""
    if not is_enabled:
        return Sale.OFF
    if over or (sales_end is not None and sales_end <= now):
        return Sale.ENDED
    if sales_start is not None and now < sales_start:
        return Sale.NOT_YET
    return Sale.OPEN


def reasons_against_publishing(*, total_capacity: int | None, enabled_types: int) -> tuple[str, ...]:
    """§1.4: a non-negative capacity and at least one enabled ticket type."""
    reasons = []
    if total_capacity is None or total_capacity < 0:
        reasons.append("Set the total capacity.")
    if enabled_types == 0:
        reasons.append("Add at least one ticket type and put it on sale.")
    return tuple(reasons)


def copy_title(title: str) -> str:
    """What a duplicate is called until somebody gives it a name. A copy of a copy is a copy."""
    return title if title.startswith(COPY_OF) else (COPY_OF + title)[:LONGEST_TITLE].rstrip()


def slug(title: str) -> str:
    """A title as it stands in an address: “Kino Šiška, 5 €” → kino-siska-5. Never empty."""
    ascii_title = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_title.lower()).strip("-")[:80].strip("-") or "event"
