"""Everything that differs between installations, read once from the environment and refused when wrong.

Only the composition roots (web.app, tasks.worker, tasks.commands, piccolo_conf, sandbox) read this; everything
else is handed what it needs.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

STRIPE_API = "https://api.stripe.com"
STRIPE_JS = "https://js.stripe.com/endive/stripe.js"
MIN_SECRET_LENGTH = 32


class SettingsError(Exception):
    """The environment cannot run Foyer; the message says which setting, why, and what would do."""


@dataclass(frozen=True)
class Settings:
    environment: str
    base_url: str
    secret_keys: tuple[str, ...]
    database_url: str
    redis_url: str
    stripe_secret_key: str
    stripe_publishable_key: str
    stripe_webhook_secrets: tuple[str, ...]
    stripe_api_base: str
    stripe_js_url: str
    stripe_calls_per_second: int
    smtp_url: str
    mail_from: str
    pool_size: int

    @property
    def production(self) -> bool:
        return self.environment == "production"

    @property
    def secure(self) -> bool:
        return self.base_url.startswith("https://")

    @property
    def test_mode(self) -> bool:
        """No real money moves: a test key, whoever answers it."""
        return not self.stripe_secret_key.startswith(("sk_live_", "rk_live_"))


def load(env: Mapping[str, str] = os.environ) -> Settings:
    """Read and check the settings. Raises SettingsError naming the first setting that will not do."""
    settings = Settings(
        environment=env.get("FOYER_ENV", "development"),
        base_url=_url(env, "BASE_URL", ("http", "https")).rstrip("/"),
        secret_keys=_list(env, "SECRET_KEY"),
        database_url=database_url(env),
        redis_url=_url(env, "REDIS_URL", ("redis", "rediss", "unix")),
        stripe_secret_key=_required(env, "STRIPE_SECRET_KEY"),
        stripe_publishable_key=_required(env, "STRIPE_PUBLISHABLE_KEY"),
        stripe_webhook_secrets=_list(env, "STRIPE_WEBHOOK_SECRET"),
        stripe_api_base=_url(env, "STRIPE_API_BASE", ("http", "https"), STRIPE_API).rstrip("/"),
        stripe_js_url=_url(env, "STRIPE_JS_URL", ("http", "https"), STRIPE_JS),
        stripe_calls_per_second=_whole_number(env, "STRIPE_CALLS_PER_SECOND", 20),
        smtp_url=_url(env, "SMTP_URL", ("smtp", "smtps")),
        mail_from=env.get("MAIL_FROM", "Foyer <tickets@localhost>"),
        pool_size=_whole_number(env, "POOL_SIZE", 6),
    )
    _refuse_unsafe(settings)
    return settings


def database_url(env: Mapping[str, str] = os.environ) -> str:
    """All that migrations and table commands need to know."""
    return _url(env, "DATABASE_URL", ("postgresql", "postgres"))


def _refuse_unsafe(settings: Settings) -> None:
    live = not settings.test_mode
    if settings.environment not in ("development", "production"):
        raise SettingsError(f"FOYER_ENV is “{settings.environment}”; use development or production.")
    if live and settings.stripe_api_base != STRIPE_API:
        raise SettingsError("A live STRIPE_SECRET_KEY must not be sent to a custom STRIPE_API_BASE. Remove one.")
    if live and settings.stripe_js_url != STRIPE_JS:
        raise SettingsError(
            "Beside a live STRIPE_SECRET_KEY, cards are only typed into Stripe’s own STRIPE_JS_URL. Remove it."
        )
    if live != settings.stripe_publishable_key.startswith("pk_live_"):
        raise SettingsError("STRIPE_SECRET_KEY and STRIPE_PUBLISHABLE_KEY must both be live or both be test keys.")
    if any(len(key) < MIN_SECRET_LENGTH for key in settings.secret_keys):
        raise SettingsError(
            f"SECRET_KEY is shorter than {MIN_SECRET_LENGTH} characters. "
            "Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )
    if not settings.production:
        return
    if not live:
        raise SettingsError("FOYER_ENV is production, but STRIPE_SECRET_KEY is a test key: nobody could really pay.")
    if not settings.secure:
        raise SettingsError("FOYER_ENV is production, so BASE_URL must start with https://.")


def _required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise SettingsError(f"{name} is not set. `make run` sets it for you; for a server see .env.example.")
    return value


def _list(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Several values, comma-separated, while a secret is being rotated: the first signs, all verify."""
    parts = tuple(part.strip() for part in _required(env, name).split(",") if part.strip())
    if not parts:
        raise SettingsError(f"{name} has commas but no value in it.")
    return parts


def _url(env: Mapping[str, str], name: str, schemes: tuple[str, ...], default: str | None = None) -> str:
    value = env.get(name, "").strip() or default or _required(env, name)
    try:
        address = urlsplit(value)
    except ValueError as error:
        raise SettingsError(f"{name} is not an address: {error}.") from error
    if address.scheme not in schemes:
        raise SettingsError(f"{name} must start with {' or '.join(s + '://' for s in schemes)}.")
    # A database or Redis may be reached through a socket, whose address is a path.
    if not address.hostname and not address.path.strip("/"):
        raise SettingsError(f"{name} names no host.")
    return value


def _whole_number(env: Mapping[str, str], name: str, default: int) -> int:
    value = env.get(name, "").strip() or str(default)
    if not value.isdecimal() or not int(value):
        raise SettingsError(f"{name} is “{value}”; use a whole number above 0.")
    return int(value)
