"""`make stripe-live-check`: the scenarios of this folder, played at Stripe itself in test mode.

Exit code 0: every scenario held. 1: one did not. 2: it was not played, and what was said explains why.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import stripe

from sandbox.plan import SANDBOX_SECRET_KEY
from tests.provider.provider import Provider, somebody_who_pretends, stripe_in_test_mode
from tests.provider.report import LIVE_CHECK, Report

SECRET, PUBLISHABLE = "STRIPE_TEST_SECRET_KEY", "STRIPE_TEST_PUBLISHABLE_KEY"
HERE = Path(__file__).parent
# In the order of a purchase's life.
SCENES = (
    "test_paying.py",
    "test_late_and_changed.py",
    "test_asking_twice.py",
    "test_giving_back.py",
    "test_disputes.py",
    "test_books.py",
    "test_currencies.py",
    "test_stripe_js.py",
)
NOT_PLAYED = 2

HOW_TO_GET_A_KEY = f"""\
A test key is free, needs no company and no bank account, and moves no real money:

  1. Make an account at https://dashboard.stripe.com/register, or sign in.
  2. Stay in the sandbox (“Test mode”), and open https://dashboard.stripe.com/test/apikeys
  3. Reveal the secret key. It starts with sk_test_.

    {SECRET}=sk_test_… make stripe-live-check

With {PUBLISHABLE}=pk_test_… (the key beside it) it also proves that both belong together."""


class NotPlayed(Exception):
    """The message says why, and what to do."""


def main(arguments: Sequence[str], env: Mapping[str, str]) -> int:
    ours, for_pytest = _read_arguments(arguments)
    try:
        provider = choose(env, pretender=ours.pretender)
        asyncio.run(greet(provider))
    except NotPlayed as why:
        print(why, file=sys.stderr)
        return NOT_PLAYED
    report = Report(provider)
    report.open()
    code = play(report, for_pytest)
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        print(f"No scenario is called like that: {' '.join(for_pytest)}", file=sys.stderr)
        return NOT_PLAYED
    held = report.close()
    return 0 if held and code == pytest.ExitCode.OK else 1


def choose(env: Mapping[str, str], *, pretender: str | None = None) -> Provider:
    """Who to play at, with which keys. Raises NotPlayed for every key that is not one of test mode."""
    secret, publishable = env.get(SECRET, "").strip(), env.get(PUBLISHABLE, "").strip()
    _refuse_secret(secret)
    _refuse_publishable(publishable)
    if pretender is None:
        return stripe_in_test_mode(secret, publishable)
    if urlsplit(pretender).hostname != "127.0.0.1":
        raise NotPlayed("Only a sandbox on this machine can pretend to be Stripe: http://127.0.0.1:…")
    return somebody_who_pretends(secret, publishable, pretender)


async def greet(provider: Provider) -> None:
    """One harmless question before the play. Raises NotPlayed when nobody answers, or nobody knows the key."""
    http = stripe.HTTPXClient(timeout=15)
    api = stripe.StripeClient(
        provider.secret_key, base_addresses={"api": provider.api_base}, http_client=http, max_network_retries=1
    )
    try:
        await api.v1.payment_intents.list_async({"limit": 1})
    except (stripe.AuthenticationError, stripe.PermissionError) as no:
        raise NotPlayed(
            f"Stripe does not take the key in {SECRET} (HTTP {no.http_status}).\n"
            "It may have been rolled, or be of an account that was closed. Copy it again, whole:\n"
            "https://dashboard.stripe.com/test/apikeys"
        ) from None
    except stripe.APIConnectionError:
        raise NotPlayed(
            f"{provider.api_base} cannot be reached from this machine. The check needs the internet;\n"
            "behind a proxy, set HTTPS_PROXY."
        ) from None
    except stripe.StripeError as problem:
        raise NotPlayed(f"Stripe answered, but not well (HTTP {problem.http_status}). Try again in a moment.") from None
    finally:
        await http.close_async()


def play(report: Report, arguments: Sequence[str]) -> int:
    """The scenarios, without pytest's own output."""
    return pytest.main(
        [
            *(str(HERE / scene) for scene in SCENES),
            *("-o", "addopts="),
            *("-p", "no:terminal", "-p", "no:cacheprovider"),
            "--strict-markers",
            *arguments,
        ],
        plugins=[_Named(report)],
    )


class _Named:
    """Registers the report under a name, by which the fixtures find it."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def pytest_configure(self, config: pytest.Config) -> None:
        config.pluginmanager.register(self._report, LIVE_CHECK)


def _refuse_secret(key: str) -> None:
    if not key:
        raise NotPlayed(f"{SECRET} is not set, so there is no Stripe account to play at.\n\n{HOW_TO_GET_A_KEY}")
    if "_live_" in key:
        raise NotPlayed(
            f"{SECRET} holds a live key. This check pays, refunds and disputes: it takes keys of test mode only.\n"
            f"Nothing was sent.\n\n{HOW_TO_GET_A_KEY}"
        )
    if key == SANDBOX_SECRET_KEY:
        raise NotPlayed(
            f"{SECRET} holds the key of our own sandbox, which Stripe has never seen. `make test` plays there.\n\n"
            f"{HOW_TO_GET_A_KEY}"
        )
    if key.startswith("pk_"):
        raise NotPlayed(f"{SECRET} holds a publishable key (pk_…); the secret one is needed.\n\n{HOW_TO_GET_A_KEY}")
    if key.startswith("rk_"):
        raise NotPlayed(
            f"{SECRET} holds a restricted key, which may not be allowed to do what the scenarios do.\n\n"
            f"{HOW_TO_GET_A_KEY}"
        )
    if not key.startswith("sk_test_") or not key.isascii() or any(c.isspace() for c in key):
        raise NotPlayed(f"{SECRET} does not hold a secret key of test mode (sk_test_…).\n\n{HOW_TO_GET_A_KEY}")


def _refuse_publishable(key: str) -> None:
    if key and not key.startswith("pk_test_"):
        raise NotPlayed(f"{PUBLISHABLE} must hold a publishable key of test mode (pk_test_…), or nothing.")


def _read_arguments(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(prog="make stripe-live-check", add_help=False, allow_abbrev=False)
    parser.add_argument("--pretender", help="a sandbox on this machine: for tests of this command")
    return parser.parse_known_args(arguments)
