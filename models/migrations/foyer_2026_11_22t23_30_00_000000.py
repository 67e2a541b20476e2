"""The people behind the desk and how they come in."""

from models.migration import runs

ID = "2026-11-22T23:30:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "admins"
forwards = runs("admins.sql", migration_id=ID, description=DESCRIPTION)
