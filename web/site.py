"""What every page may know about this installation. Set once by the composition root."""

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Site:
    base_url: str
    secure: bool
    test_mode: bool
    stripe_js_url: str
    stripe_publishable_key: str

    def absolute(self, path: str) -> str:
        return self.base_url + path

    @property
    def stripe_js_origin(self) -> str:
        parts = urlsplit(self.stripe_js_url)
        return f"{parts.scheme}://{parts.netloc}"


_site: Site | None = None


def use(site: Site) -> None:
    global _site
    _site = site


def here() -> Site:
    assert _site is not None, "web.site.use() has not been called"
    return _site
