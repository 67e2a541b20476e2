"""AuditEntry: who did what, from what to what. Written with the change, and never rewritten."""

from piccolo.columns import JSONB, UUID, BigInt, Text, Timestamptz
from piccolo.table import Table


class AuditEntry(Table, tablename="audit_entry"):
    id = BigInt(primary_key=True, default=None)
    actor_id = UUID(default=None, null=True)
    actor_name = Text(default=None)
    action = Text(default=None)
    subject_kind = Text(default=None)
    subject_id = Text(default=None)
    before = JSONB(default="{}")
    after = JSONB(default="{}")
    created_at = Timestamptz()
