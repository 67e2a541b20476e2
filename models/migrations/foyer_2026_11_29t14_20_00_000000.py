"""A ticket whose refund failed takes a seat back; tickets of a lost dispute; notices keep no secrets."""

from models.migration import runs

ID = "2026-11-29T14:20:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "seats taken back"
forwards = runs("seats_taken_back.sql", migration_id=ID, description=DESCRIPTION)
