"""Writes docs/access.md: who gets through which door, from the routes that there are.

    python -m tests.web.admin.list_access

test_access.py walks every one of these doors with everybody, and compares this file with the routes.
"""

from pathlib import Path

from litestar import Litestar

import settings as configuration
from domain.access import Permission
from tests.web.admin.doors import HALFWAY, IN, NOBODY, REFUSED, SIGN_IN, desk_routes, expected
from web.admin import access, roles
from web.admin.access import Door

FILE = Path(__file__).parents[3] / "docs" / "access.md"
DOORS = {
    Door.PUBLIC: "everybody",
    Door.FIRST_FACTOR: "the password",
    Door.ENROLLING: "the password, and the second factor if there is one",
    Door.ANY_ADMIN: "any role",
}
SIGNS = {IN: "✓", SIGN_IN: "sign in", REFUSED: "–"}
COLUMNS = [NOBODY, HALFWAY, "door", "readonly", "manager", "owner"]
HEAD = """# Who gets through which door

Made by `python -m tests.web.admin.list_access` from the routes that there are, and compared with them by
tests/web/admin/test_access.py, which walks every door with everybody, to what is not there and to what is: also with a
buyer who holds all their links, a made-up session, one that has ended, and the form token of another admin.

✓: in. –: refused with 403. “sign in”: led to the page that lets them in. *Halfway*: the password was right, the second
factor is still to be shown. A buyer is nobody at the desk. What a role may do is said in domain/access.py.

## The desk

"""
SHOP = """
## The shop

Links of a checkout and an order carry a sealed token; whoever has the link is let in, and nobody else
(docs/decisions/0005-links-are-sealed-ids.md).

| Address | Methods | Open to |
| --- | --- | --- |
"""


def table(app: Litestar) -> str:
    return HEAD + "\n".join(_desk(app)) + "\n" + SHOP + "\n".join(_shop(app)) + "\n"


def _desk(app: Litestar) -> list[str]:
    names = ["Nobody, buyers", "Halfway", *(roles.name_of(role) for role in COLUMNS[2:])]
    lines = [_row("Address", "Method", "Asks for", *names), _row(*["---"] * (3 + len(names)))]
    for route in desk_routes(app):
        asked = route.asked.value if isinstance(route.asked, Permission) else DOORS[route.asked]
        signs = [SIGNS[expected(route.asked, who)] for who in COLUMNS]
        lines.append(_row(f"`{_plain(route.path)}`", route.method, asked, *signs))
    return lines


def _shop(app: Litestar) -> list[str]:
    lines = []
    for route in sorted(app.routes, key=lambda each: each.path):
        if not route.path.startswith(access.HOME):
            methods = sorted({str(method) for each in access._handlers(route) for method in each.http_methods})
            lines.append(_row(f"`{_plain(route.path)}`", ", ".join(methods), _open_to(route.path)))
    return lines


def _open_to(path: str) -> str:
    if "{token:" in path:
        return "whoever has the link"
    return "Stripe, by its signature" if path.startswith("/stripe") else "everybody"


def _plain(path: str) -> str:
    """{event_id:uuid} → {event_id}"""
    return path.replace(":uuid}", "}").replace(":str}", "}").replace(":path}", "}").replace(":int}", "}")


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _app() -> Litestar:
    """The routes need no database."""
    from web.app import create_app

    here = {
        "BASE_URL": "http://shop.localhost",
        "SECRET_KEY": "only-to-list-the-routes-of-the-application",
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
        "REDIS_URL": "redis://127.0.0.1:1",
        "STRIPE_SECRET_KEY": "sk_test_nothing",
        "STRIPE_PUBLISHABLE_KEY": "pk_test_nothing",
        "STRIPE_WEBHOOK_SECRET": "whsec_nothing",
        "SMTP_URL": "smtp://127.0.0.1:1",
    }
    return create_app(configuration.load(here))


if __name__ == "__main__":
    FILE.write_text(table(_app()), encoding="utf-8")
