from models.migration import runs

ID = "2026-11-30T14:40:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "refused notices are counted, and changed payments are seen"

forwards = runs("payments_in_sight.sql", migration_id=ID, description=DESCRIPTION)
