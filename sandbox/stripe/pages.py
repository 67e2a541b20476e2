"""The files that Stripe.js would serve."""

from pathlib import Path

from litestar import Response, get
from litestar.exceptions import NotFoundException

FOLDER = Path(__file__).parent / "js"
TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
# The card fields' own page: numbers typed there reach this process and nobody else. Fonts may be the shop's.
FRAME_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; font-src http: https: data:; "
    "img-src 'self' data:; form-action 'none'; base-uri 'none'"
)


@get("/js/{name:str}", sync_to_thread=False)
def script(name: str) -> Response[bytes]:
    path = FOLDER / name
    if path.parent != FOLDER or path.suffix not in TYPES or not path.is_file():
        raise NotFoundException("The sandbox has no such file.")
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    if path.suffix == ".html":
        headers |= {"Content-Security-Policy": FRAME_CSP, "Referrer-Policy": "no-referrer"}
    return Response(path.read_bytes(), media_type=TYPES[path.suffix], headers=headers)
