"""The sandbox's few pages for people: plain, escaped, and without scripts."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from litestar import MediaType, Response, get

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent
CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)


def show(template: str, **values: Any) -> Response[str]:
    headers = {
        "Content-Security-Policy": CSP,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",  # with no-referrer our own forms would come from “null”
        "Cache-Control": "no-store",
    }
    html = _environment().get_template(template).render(**values)
    return Response(html, media_type=MediaType.HTML, headers=headers)


@get("/pages.css", sync_to_thread=False)
def stylesheet() -> Response[bytes]:
    css = (FOLDER / "pages.css").read_bytes()
    return Response(css, media_type="text/css", headers={"Cache-Control": "no-cache"})


def when(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%d %b, %H:%M:%S UTC")


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader  # only a sandbox that somebody looks at pays for it

    environment = Environment(loader=FileSystemLoader(FOLDER), autoescape=True)
    environment.filters["spaced"] = _spaced
    return environment


def _spaced(number: str) -> str:
    """4242424242424242 → 4242 4242 4242 4242"""
    groups: Iterable[str] = (number[at : at + 4] for at in range(0, len(number), 4))
    return " ".join(groups)
