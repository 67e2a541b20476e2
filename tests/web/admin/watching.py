"""Somebody at the desk with a live page open."""

import re
from dataclasses import dataclass

from litestar import Litestar

from services import admin_sessions
from tests.admins import MadeAdmin, make_admin, open_session
from tests.web.test_live import RawBrowser


@dataclass
class Watcher:
    """`text`: all that their stream has brought."""

    admin: MadeAdmin
    token: str
    browser: RawBrowser

    @classmethod
    async def at(cls, app: Litestar, path: str, role: str = "manager", admin: MadeAdmin | None = None) -> "Watcher":
        admin = admin or await make_admin(role)
        token = await open_session(admin)
        return cls(admin, token, RawBrowser(app, path, cookie=f"desk={token}"))

    @property
    def text(self) -> str:
        return self.browser.text

    @property
    def ended(self) -> bool:
        return self.browser.task.done()

    def sees(self, *words: str) -> bool:
        return all(said in self.text for said in words)

    def forget(self) -> None:
        """Look only at what comes from now on."""
        self.browser.text = ""

    def regions(self) -> set[str]:
        return set(re.findall(r'hx-target="#([\w-]+)"', self.text))

    async def sign_out(self) -> None:
        await admin_sessions.end(admin_sessions.hashed(self.token))

    def go_away(self) -> None:
        self.browser.go_away()
