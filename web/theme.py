"""Light or dark: the one preference we keep, in a cookie that the browser's script may also write."""

import re
from urllib.parse import urlsplit

from litestar import Request, Response, post
from litestar.datastructures import Cookie

from web import site
from web.rendering import theme_of

# Neither //elsewhere nor /\\elsewhere, which browsers read alike.
OUR_PATH = re.compile(r"/(?![/\\])[^\\]*")
A_YEAR = 365 * 24 * 3600


@post("/theme", sync_to_thread=False, status_code=303)
def switch_theme(request: Request) -> Response[None]:
    """Without JavaScript: turn the theme over and go back to where the visitor was."""
    theme = "light" if theme_of(request) == "dark" else "dark"
    cookie = Cookie("theme", value=theme, max_age=A_YEAR, samesite="lax", secure=site.here().secure)
    return Response(None, status_code=303, headers={"Location": _way_back(request)}, cookies=[cookie])


def _way_back(request: Request) -> str:
    """Only ever a path of ours: a whole address in the header could lead anywhere."""
    try:
        parts = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return "/"
    ours = parts.netloc == request.headers.get("host") and OUR_PATH.fullmatch(parts.path)
    if not ours:
        return "/"
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
