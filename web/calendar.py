"""An event as a calendar file (RFC 5545)."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from icalendar import Calendar, Event
from litestar import Response

from web import site


def invitation(event: Mapping[str, Any], *, url: str, note: str = "") -> Response[bytes]:
    """`event` is a row with id, slug, title, summary, location, address, city, start_date, end_date, updated_at.

    Times are UTC: every calendar shows them in its owner's zone, and no zone table can be out of date.
    """
    entry = Event()
    entry.add("uid", f"{event['id']}@foyer")
    entry.add("dtstamp", event["updated_at"].astimezone(UTC))
    entry.add("dtstart", event["start_date"].astimezone(UTC))
    if event["end_date"]:
        entry.add("dtend", event["end_date"].astimezone(UTC))
    entry.add("summary", event["title"])
    entry.add("location", ", ".join(p for p in (event["location"], event["address"], event["city"]) if p))
    entry.add("description", "\n\n".join(p for p in (event["summary"], note, site.here().absolute(url)) if p))
    entry.add("url", site.here().absolute(url))
    calendar = Calendar()
    calendar.add("prodid", "-//Foyer//Tickets//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add_component(entry)
    return Response(
        calendar.to_ical(),
        media_type="text/calendar",
        headers={"Content-Disposition": f'attachment; filename="{event["slug"]}.ics"'},
    )
