"""The QR code of a ticket as inline SVG: sharp on paper, no script, dark on white whatever the theme."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

import segno
from markupsafe import Markup

from services import ticket_codes

QUIET_ZONE = 2  # modules; the ticket around it is white


def code_of(ticket: Mapping[str, Any]) -> Markup | None:
    """The code of a ticket's row; None when its money has gone, or goes, back: it admits nobody."""
    return None if ticket["refund_id"] else qr(ticket["id"], ticket["number"])


def qr(ticket_id: UUID, number: str) -> Markup:
    """An <svg> that says which ticket it belongs to. `number` is also printed beside it as text."""
    label = Markup('<svg role="img" aria-label="QR code of ticket {}" shape-rendering="crispEdges" ').format(number)
    return label + _drawn(ticket_codes.sign(ticket_id))


@lru_cache(maxsize=1024)
def _drawn(code: str) -> Markup:
    """Everything after “<svg ”. Drawing takes some milliseconds, and a confirmation page is reloaded a lot."""
    drawing = segno.make(code, error="m", micro=False, boost_error=False)
    svg = drawing.svg_inline(border=QUIET_ZONE, omitsize=True, svgclass=None, lineclass=None)
    return Markup(svg.removeprefix("<svg "))
