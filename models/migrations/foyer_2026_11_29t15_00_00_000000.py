"""Finding orders in any spelling, and the order in which lists show them."""

from models.migration import runs

ID = "2026-11-29T15:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "order search"
forwards = runs("order_search.sql", migration_id=ID, description=DESCRIPTION)
