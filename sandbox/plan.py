"""Which parts of production this machine plays itself, and what every process is told about them.

Whatever the person sets in the environment replaces the embedded part, one by one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.state import CHECKOUT, CannotStart, kept_secret

# Any two keys would do for the stand-in; these say what they are.
SANDBOX_SECRET_KEY = "sk_test_foyer_sandbox"
SANDBOX_PUBLISHABLE_KEY = "pk_test_foyer_sandbox"

# Would change what our children do behind our back.
_NOT_INHERITED = ("PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")


@dataclass(frozen=True)
class Plan:
    """What to start here; a part is False when the person brought their own."""

    host: str
    port: int
    database: bool
    redis: bool
    stripe: bool
    mail: bool

    @property
    def sandbox(self) -> bool:
        return self.stripe or self.mail


@dataclass(frozen=True)
class Ports:
    shop: int
    sandbox: int
    smtp: int


def read(env: Mapping[str, str]) -> Plan:
    given = _given(env)
    port = given.get("PORT", "8000")
    if not port.isdecimal() or int(port) > 65535:
        raise CannotStart(f"PORT is “{port}”. Choose a number from 1024 to 65535, or 0 for any free one.")
    return Plan(
        host=given.get("HOST", "127.0.0.1"),
        port=int(port),
        database="DATABASE_URL" not in given,
        redis="REDIS_URL" not in given,
        stripe="STRIPE_SECRET_KEY" not in given and "STRIPE_API_BASE" not in given,
        mail="SMTP_URL" not in given,
    )


def shop_address(plan: Plan, port: int) -> str:
    """Where a browser on this machine finds the shop."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(plan.host, plan.host)
    return f"http://{f'[{host}]' if ':' in host and '[' not in host else host}:{port}"


def sandbox_address(ports: Ports) -> str:
    return f"http://127.0.0.1:{ports.sandbox}"


def environment(env: Mapping[str, str], plan: Plan, ports: Ports, state: Path, **services: str) -> dict[str, str]:
    """The environment of every child. `services` are the addresses of the embedded parts that run."""
    shop, sandbox = shop_address(plan, ports.shop), sandbox_address(ports)
    defaults = {
        "FOYER_ENV": "development",
        "BASE_URL": shop,
        "SECRET_KEY": kept_secret(state / "secret-key"),
        "STRIPE_WEBHOOK_SECRET": "whsec_" + kept_secret(state / "webhook-secret"),
        "SMTP_URL": f"smtp://127.0.0.1:{ports.smtp}",
        **services,
    }
    given = _given(env)
    if "STRIPE_SECRET_KEY" not in given:
        defaults |= {"STRIPE_SECRET_KEY": SANDBOX_SECRET_KEY, "STRIPE_PUBLISHABLE_KEY": SANDBOX_PUBLISHABLE_KEY}
    if plan.stripe:
        defaults |= {"STRIPE_API_BASE": sandbox, "STRIPE_JS_URL": f"{sandbox}/js/stripe.js"}
    ours = {
        "PYTHONPATH": str(CHECKOUT),
        # Each arena of glibc keeps its own spare memory; two are plenty for processes that mostly wait.
        "MALLOC_ARENA_MAX": "2",
        "SANDBOX_PORT": str(ports.sandbox),
        "SANDBOX_SMTP_PORT": str(ports.smtp),
        "SANDBOX_STATE": str(state / "sandbox"),
        "SANDBOX_WEBHOOK_URL": f"{shop}/stripe/webhook",
    }
    return defaults | given | ours


def for_sandbox(environment: Mapping[str, str]) -> dict[str, str]:
    """The stand-in never sees a real account's key, also when it only catches mails."""
    return {
        **environment,
        "STRIPE_SECRET_KEY": SANDBOX_SECRET_KEY,
        "STRIPE_PUBLISHABLE_KEY": SANDBOX_PUBLISHABLE_KEY,
    }


def _given(env: Mapping[str, str]) -> dict[str, str]:
    """An empty setting is a missing one."""
    return {name: value for name, value in env.items() if value.strip() and name not in _NOT_INHERITED}
