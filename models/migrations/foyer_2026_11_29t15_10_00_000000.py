"""Orders that are sold at the desk, refunds that are given back by hand, tickets that are sent again."""

from models.migration import runs

ID = "2026-11-29T15:10:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "desk sales"
forwards = runs("desk_sales.sql", migration_id=ID, description=DESCRIPTION)
