"""How long ago, and in how long: the desk speaks of the present, whatever time zone its reader is in."""

from datetime import timedelta


def ago(passed: timedelta) -> str:
    """40 s ago, 3 min ago, 2 h ago, 5 days ago."""
    return "just now" if passed.total_seconds() < 2 else f"{_say(passed)} ago"


def ahead(left: timedelta) -> str:
    """in 40 s, in 3 min, in 2 h, in 5 days; now"""
    return "now" if left.total_seconds() < 1 else f"in {_say(left)}"


def _say(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    if seconds < 90:
        return f"{seconds} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    if seconds < 48 * 3600:
        return f"{round(seconds / 3600)} h"
    return f"{round(seconds / 86400)} days"
