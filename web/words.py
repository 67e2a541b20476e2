"""What pages say: money and time as in mails (services.words), and counts, searches and an organiser's own text."""

import re
from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

from services.words import (
    clock,
    day,
    fold,
    iso,
    money,
    month,
    paid_by,
    price,
    round_price,
    short_day,
    span,
    when,
    when_in_words,
    zone,
    zone_name,
    zone_offset,
)

__all__ = [
    "clock",
    "day",
    "fold",
    "iso",
    "markdown",
    "money",
    "month",
    "paid_by",
    "plural",
    "price",
    "round_price",
    "short_day",
    "span",
    "when",
    "when_in_words",
    "zone",
    "zone_name",
    "zone_offset",
]


def plural(count: int, one: str, many: str | None = None) -> str:
    """1 ticket, 2 tickets, 1,200 tickets."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


_markdown = MarkdownIt("commonmark", {"html": False})
HEADING = re.compile("h[1-6]")
SAFE_TAGS = {"p", "br", "strong", "em", "ul", "ol", "li", "blockquote", "h3", "h4", "a", "hr", "code", "pre"}


@lru_cache(maxsize=256)
def markdown(text: str) -> Markup:
    """An organiser's text as safe HTML: no raw HTML, pictures or scripts, and links that tell nobody where from."""
    tokens = _markdown.parse(text)
    headings = [token for token in tokens if HEADING.fullmatch(token.tag)]
    # The page has its h1 and h2: whatever level an organiser begins with becomes the next, the others the one below.
    highest = min((token.tag for token in headings), default="")
    for token in headings:
        token.tag = "h3" if token.tag == highest else "h4"
    html = nh3.clean(
        _markdown.renderer.render(tokens, _markdown.options, {}),
        tags=SAFE_TAGS,
        attributes={"a": {"href"}},
        url_schemes={"https", "http", "mailto"},
        link_rel="nofollow ugc noopener noreferrer",
    )
    return Markup(html)
