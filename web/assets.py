"""Static files, held in memory under names that carry a hash of their content.

A hashed name never changes its meaning, so browsers keep it for a year without asking. The plain name answers too,
but is asked for again each time.
"""

import gzip
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

FOLDER = Path(__file__).parent.parent / "static"
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "public, no-cache"
SHRINKS = (".css", ".js", ".svg", ".txt")
CSS_URL = re.compile(r'url\("(?!data:)([^"]+)"\)')

mimetypes.add_type("font/woff2", ".woff2")
mimetypes.add_type("text/javascript", ".js")


@dataclass(frozen=True, slots=True)
class Asset:
    body: bytes
    gzipped: bytes | None
    media_type: str
    etag: str
    hashed_name: str


def url(name: str) -> str:
    """The lasting address of a static file: app.css → /static/app.1a2b3c4d5e.css. Unknown names raise KeyError."""
    return f"/static/{_assets[name].hashed_name}"


@get("/static/{path:path}", sync_to_thread=False, opt={"quiet": True, "no_compression": True}, include_in_schema=False)
def serve(request: Request, path: FromPath[str]) -> Response[bytes]:
    name = path.lstrip("/")
    asset = _by_hashed_name.get(name)
    lasting = asset is not None
    asset = asset or _assets.get(name)
    if asset is None:
        raise NotFoundException
    headers = {"Cache-Control": FOR_EVER if lasting else ASK_AGAIN, "ETag": asset.etag, "Vary": "Accept-Encoding"}
    if asset.media_type.startswith("font/"):
        # The provider's card fields wear our font, in their own frame on their own origin.
        headers |= {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
    if request.headers.get("if-none-match") == asset.etag:
        return Response(b"", status_code=304, headers=headers)
    body = asset.body
    if asset.gzipped and "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["Content-Encoding"] = asset.gzipped, "gzip"
    return Response(body, media_type=asset.media_type, headers=headers)


def _read_folder(folder: Path) -> dict[str, Asset]:
    """Style sheets last: they name other files, whose hashed names must be known by then."""
    names = sorted((p for p in folder.rglob("*") if p.is_file()), key=lambda p: (p.suffix == ".css", p))
    assets: dict[str, Asset] = {}
    for path in names:
        name = path.relative_to(folder).as_posix()
        body = path.read_bytes()
        if path.suffix == ".css":
            body = CSS_URL.sub(lambda m: f'url("/static/{assets[m[1]].hashed_name}")', body.decode()).encode()
        assets[name] = _asset(name, body)
    return assets


def _asset(name: str, body: bytes) -> Asset:
    digest = hashlib.blake2s(body, digest_size=5).hexdigest()
    stem, dot, suffix = name.rpartition(".")
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Asset(
        body=body,
        gzipped=gzip.compress(body, 9, mtime=0) if f".{suffix}" in SHRINKS else None,
        media_type=media_type,
        etag=f'"{digest}"',
        hashed_name=f"{stem}.{digest}{dot}{suffix}",
    )


_assets = _read_folder(FOLDER)
_by_hashed_name = {asset.hashed_name: asset for asset in _assets.values()}
