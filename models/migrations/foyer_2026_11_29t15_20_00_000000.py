"""Indexes from whose newest end the live desk reads."""

from models.migration import runs

ID = "2026-11-29T15:20:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "sales lately"
forwards = runs("sales_lately.sql", migration_id=ID, description=DESCRIPTION)
