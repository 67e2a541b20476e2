"""What stands in the desk's rail, in order. An entry is shown to whom its page is open."""

from dataclasses import dataclass

from domain.access import Permission, may


@dataclass(frozen=True, slots=True)
class Entry:
    section: str
    href: str
    words: str
    icon: str
    permission: Permission


ENTRIES: list[Entry] = [
    Entry("home", "/admin/home", "Today", "layout-dashboard", Permission.SEE_SALES),
    Entry("events", "/admin/events", "Events", "calendar-days", Permission.SEE_EVENTS),
    Entry("orders", "/admin/orders", "Orders", "receipt-text", Permission.SEE_ORDERS),
    Entry("payments", "/admin/payments", "Payments", "credit-card", Permission.SEE_PAYMENTS),
    Entry("audit", "/admin/audit", "Audit", "archive", Permission.SEE_AUDIT),
    Entry("admins", "/admin/admins", "People", "users", Permission.MANAGE_ADMINS),
]


def seen_by(role: str) -> list[Entry]:
    return [entry for entry in ENTRIES if may(role, entry.permission)]


def home_of(role: str) -> str:
    """Where the desk begins for this role. Everybody has at least their own account."""
    return next((entry.href for entry in seen_by(role)), "/admin/account")
