"""Light or dark: the one preference we keep, in a cookie that the browser's script may also write."""

from urllib.parse import urlsplit

from litestar import Request, Response, post
from litestar.datastructures import Cookie

from web import site
from web.rendering import theme_of

A_YEAR = 365 * 24 * 3600


@post("/theme", sync_to_thread=False, status_code=303)
def switch_theme(request: Request) -> Response[None]:
    """Without JavaScript: turn the theme over and go back to where the visitor was."""
    theme = "light" if theme_of(request) == "dark" else "dark"
    cookie = Cookie("theme", value=theme, max_age=A_YEAR, samesite="lax", secure=site.here().secure)
    return Response(None, status_code=303, headers={"Location": _way_back(request)}, cookies=[cookie])


def _way_back(request: Request) -> str:
    """Only ever a path of ours: a whole address in the header could lead anywhere."""
    parts = urlsplit(request.headers.get("referer", ""))
    path = parts.path if parts.netloc == request.headers.get("host") else "/"
    if not path.startswith("/") or path.startswith("//"):
        path = "/"
    return f"{path}?{parts.query}" if parts.query and path == parts.path else path
