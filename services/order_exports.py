"""Orders that leave the house as a file: who took which, written down before the first line goes out."""

from collections.abc import Mapping

from services import audit
from services.audit import Actor
from services.transaction import transaction


async def record(*, actor: Actor, rows: str, filters: Mapping[str, str], count: int) -> None:
    """`count`: how many orders matched when the file was begun; `rows`: what its lines are."""
    async with transaction():
        after = {"rows": rows, "count": count, "filters": dict(filters)}
        await audit.write(actor, "orders exported", "orders", filters.get("event") or "all", after=after)
