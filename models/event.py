"""Event and TicketType. `held` and `sold` are counters that only models.stock moves."""

from piccolo.columns import UUID, Boolean, ForeignKey, Integer, Text, Timestamptz
from piccolo.columns.base import OnDelete
from piccolo.table import Table

from models.ids import new_id


class Event(Table, tablename="event"):
    id = UUID(primary_key=True, default=new_id)
    slug = Text(default=None)
    title = Text(default=None)
    category = Text(default="")
    summary = Text(default="")
    description = Text(default="")
    location = Text(default="")
    address = Text(default="")
    city = Text(default="")
    start_date = Timestamptz(default=None)
    end_date = Timestamptz(default=None, null=True)
    timezone = Text(default="UTC")
    currency = Text(default="EUR")
    status = Text(default="DRAFT")
    total_capacity = Integer(default=0)
    held = Integer(default=0)
    sold = Integer(default=0)
    cover = Text(default=None, null=True)  # see models.cover
    cover_seed = Integer(default=0)
    created_at = Timestamptz()
    updated_at = Timestamptz()


class TicketType(Table, tablename="ticket_type"):
    id = UUID(primary_key=True, default=new_id)
    event_id = ForeignKey(Event, default=None, on_delete=OnDelete.restrict, null=False)
    name = Text(default=None)
    description = Text(default="")
    price = Integer(default=None)
    allocation = Integer(default=None, null=True)
    is_enabled = Boolean(default=True)
    position = Integer(default=0)
    sales_start = Timestamptz(default=None, null=True)
    sales_end = Timestamptz(default=None, null=True)
    min_per_order = Integer(default=1)
    max_per_order = Integer(default=10)
    held = Integer(default=0)
    sold = Integer(default=0)
    created_at = Timestamptz()
    updated_at = Timestamptz()
