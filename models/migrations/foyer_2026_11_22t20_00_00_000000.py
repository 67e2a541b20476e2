"""The box office. The SQL lies beside this file: it is reviewed as SQL, not generated."""

from models.migration import runs

ID = "2026-11-22T20:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "the box office"
forwards = runs("box_office.sql", migration_id=ID, description=DESCRIPTION)
