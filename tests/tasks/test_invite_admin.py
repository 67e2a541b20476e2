"""The commands that let somebody into the desk, as an operator runs them."""

import asyncio
import os
import re
import sys

import pytest

from models import database as db
from sandbox.plan import SANDBOX_PUBLISHABLE_KEY, SANDBOX_SECRET_KEY
from services import sign_in
from tests.admins import make_admin
from tests.conftest import ROOT, SECRET_KEY

LINK = re.compile(r"https://shop\.example/admin/enter/([\w-]{43})\n")


@pytest.fixture
def run(database, postgres_url):
    async def run(*arguments: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *arguments),
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "BASE_URL": "https://shop.example",
                "SECRET_KEY": SECRET_KEY,
                "DATABASE_URL": postgres_url,
                "REDIS_URL": "redis://127.0.0.1:1",
                "STRIPE_SECRET_KEY": SANDBOX_SECRET_KEY,
                "STRIPE_PUBLISHABLE_KEY": SANDBOX_PUBLISHABLE_KEY,
                "STRIPE_WEBHOOK_SECRET": "whsec_x",
                "SMTP_URL": "smtp://127.0.0.1:1",
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()

    return run


async def link_in(said: str) -> object:
    found = LINK.fullmatch(said)
    assert found, said
    return await sign_in.link_behind(found[1])


async def test_the_first_owner_comes_in_by_a_link(run):
    code, said, _ = await run("tasks.commands", "invite-admin", "ana@example.org")
    link = await link_in(said)
    assert (code, link["email"], link["role"], link["purpose"]) == (0, "ana@example.org", "owner", "invitation")


async def test_a_known_admin_keeps_the_role_and_loses_the_second_factor_only_when_asked(run):
    admin = await make_admin("manager", protected=True)
    has = "SELECT totp_secret IS NOT NULL FROM admin"
    _, said, _ = await run("tasks.commands", "invite-admin", admin.email, "--role", "door")
    assert (await link_in(said))["role"] == "manager"
    assert await db.fetchval(has)
    _, said, _ = await run("tasks.commands", "invite-admin", admin.email, "--without-second-factor")
    assert (await link_in(said))["role"] == "manager"
    assert not await db.fetchval(has)


async def test_what_is_no_address_is_refused_in_words(run):
    code, said, complaint = await run("tasks.commands", "invite-admin", "ana@")
    assert (code, said) == (1, "")
    assert "is not an e-mail address" in complaint
    assert "Traceback" not in complaint


async def test_the_demo_s_owner_needs_one_click_every_time(run):
    for _ in range(2):
        _, said, _ = await run("sandbox.desk")
        link = await link_in(said)
        assert (link["name"], link["role"], link["purpose"]) == ("Mira Novak", "owner", "entrance")
    assert await db.fetchval("SELECT count(*) FROM admin") == 1
