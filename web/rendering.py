"""HTML out of templates: the environment, its filters, and the two ways to answer with it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Request, Response

from web import assets, covers, site, words

FOLDER = Path(__file__).parent.parent / "templates"


def page(
    request: Request,
    template: str,
    *,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> Response[str]:
    """A whole page. It knows the visitor's theme, the only thing that a page takes from a cookie by itself."""
    body = render(template, theme=theme_of(request), nav=values.pop("nav", None), **values)
    return html(body, status_code=status_code, headers=headers)


def html(body: str, *, status_code: int = 200, headers: Mapping[str, str] | None = None) -> Response[str]:
    return Response(body, media_type=MediaType.HTML, status_code=status_code, headers=dict(headers or {}))


def fragment(
    template: str, *, status_code: int = 200, headers: Mapping[str, str] | None = None, **values: Any
) -> Response[str]:
    """The part of a page that an htmx request swaps in."""
    all_headers = {"Vary": "HX-Request", "Cache-Control": "no-store", **(headers or {})}
    return Response(render(template, **values), media_type=MediaType.HTML, status_code=status_code, headers=all_headers)


def render(template: str, **values: Any) -> str:
    return environment.get_template(template).render(**values)


def is_htmx(request: Request) -> bool:
    """Whether htmx asks for a part. Restoring history it wants the whole page."""
    headers = request.headers
    return headers.get("hx-request") == "true" and headers.get("hx-history-restore-request") != "true"


def redirect(request: Request, path: str) -> Response[None]:
    """Go to another page: 303, or for htmx the header that makes the browser really navigate."""
    if is_htmx(request):
        return Response(None, status_code=204, headers={"HX-Redirect": path})
    return Response(None, status_code=303, headers={"Location": path})


def theme_of(request: Request) -> str | None:
    theme = request.cookies.get("theme")
    return theme if theme in ("light", "dark") else None


def _environment() -> Environment:
    env = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
        undefined=StrictUndefined,
    )
    env.globals.update(asset=assets.url, site=site.here, plural=words.plural, cover_of=covers.cover_of)
    env.filters.update(
        money=words.money,
        price=words.price,
        when=words.when,
        day=words.day,
        short_day=words.short_day,
        clock=words.clock,
        zone_name=words.zone_name,
        iso=words.iso,
        paid_by=words.paid_by,
        markdown=words.markdown,
    )
    return env


environment = _environment()
