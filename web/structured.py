"""The event as search engines and other machines read it (schema.org, JSON-LD)."""

import json
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from domain.inventory import Level
from domain.money import decimals
from web import site, words
from web.availability import Availability, Row
from web.covers import cover_of

SCHEMA = "https://schema.org/"
AVAILABILITY = {
    Level.PLENTY: "InStock",
    Level.FEW: "LimitedAvailability",
    Level.HELD: "LimitedAvailability",
    Level.OUT: "SoldOut",
    Level.NOT_YET: "PreOrder",
    Level.ENDED: "OutOfStock",
}


def structured_data(event: Mapping[str, Any], shown: Availability) -> Markup:
    """JSON that cannot end its script element, whatever an organiser typed."""
    address = f"/events/{event['slug']}"
    data = {
        "@context": "https://schema.org",
        "@type": "Event",
        "name": event["title"],
        "description": event["summary"] or event["title"],
        "startDate": words.iso(event["start_date"], event["timezone"]),
        "eventStatus": SCHEMA + "EventScheduled",
        "eventAttendanceMode": SCHEMA + "OfflineEventAttendanceMode",
        "url": site.here().absolute(address),
        "image": [site.here().absolute(cover_of(event).shared)],
        "location": {
            "@type": "Place",
            "name": event["location"] or event["city"] or event["title"],
            "address": ", ".join(part for part in (event["address"], event["city"]) if part),
        },
        "offers": [_offer(row, shown, address) for row in shown.rows],
    }
    if event["end_date"]:
        data["endDate"] = words.iso(event["end_date"], event["timezone"])
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _offer(row: Row, shown: Availability, address: str) -> dict[str, Any]:
    digits = decimals(shown.currency)
    offer = {
        "@type": "Offer",
        "name": row.name,
        "price": f"{row.price / 10**digits:.{digits}f}",
        "priceCurrency": shown.currency,
        "availability": SCHEMA + AVAILABILITY[row.pill.level],
        "url": site.here().absolute(address),
    }
    if row.opens_at:
        offer["validFrom"] = row.opens_at.isoformat(timespec="seconds")
    return offer
