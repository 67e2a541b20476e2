"""An offer: what goes on sale when an event is published. Nobody publishes another one than they have read."""

import hashlib

from domain.errors import Refusal
from domain.inventory import EventStock, TypeStock


class OfferChanged(Refusal):
    """Something else would go on sale than was read."""


def fingerprint(event: EventStock, currency: str) -> str:
    """The same exactly as long as buyers would be offered the same. What is sold and held plays no part."""
    types = sorted((str(t.id), *_terms(t)) for t in event.types.values() if t.is_enabled)
    said = repr((event.capacity, event.start_date, event.end_date, currency, types))
    return hashlib.blake2s(said.encode(), digest_size=12).hexdigest()


def _terms(ticket_type: TypeStock) -> tuple[object, ...]:
    t = ticket_type
    return t.name, t.price, t.allocation, t.sales_start, t.sales_end, t.min_per_order, t.max_per_order
