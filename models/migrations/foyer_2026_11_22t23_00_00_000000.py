"""Payments made whole: refunds, disputes, comparison, pace, audit."""

from models.migration import runs

ID = "2026-11-22T23:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "payments made whole"
forwards = runs("whole_payments.sql", migration_id=ID, description=DESCRIPTION)
