from models.migration import runs

ID = "2026-11-29T15:30:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "the audit is searched and append-only to the last; an event's own cover"

forwards = runs("audit_and_covers.sql", migration_id=ID, description=DESCRIPTION)
