"""Outbox: what must still happen, written in the transaction that made it necessary."""

from piccolo.columns import UUID, BigInt, Integer, Text, Timestamptz
from piccolo.table import Table


class Outbox(Table, tablename="outbox"):
    id = BigInt(primary_key=True, default=None)
    kind = Text(default=None)
    subject = UUID(default=None)
    attempts = Integer(default=0)
    run_at = Timestamptz()
    last_error = Text(default=None, null=True)
    done_at = Timestamptz(default=None, null=True)
    created_at = Timestamptz()
