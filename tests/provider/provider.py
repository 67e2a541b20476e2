"""Where the scenarios are played: at the sandbox in `make test`, at Stripe itself in `make stripe-live-check`."""

from dataclasses import dataclass, field

from settings import STRIPE_API, STRIPE_JS


@dataclass(frozen=True)
class Provider:
    """`is_stripe`: the real one, which knows exchange rates and takes its time."""

    name: str
    api_base: str
    secret_key: str = field(repr=False)
    publishable_key: str
    script: str
    is_stripe: bool
    calls_per_second: int  # 0: as fast as it goes
    patience: float  # seconds for what the provider does by itself a moment later
    may_reset: bool = False


def stripe_in_test_mode(secret_key: str, publishable_key: str) -> Provider:
    return Provider(
        name="Stripe, in test mode",
        api_base=STRIPE_API,
        secret_key=secret_key,
        publishable_key=publishable_key,
        script=STRIPE_JS,
        is_stripe=True,
        calls_per_second=20,  # below the 25 that Stripe allows without live money
        patience=60,
    )


def somebody_who_pretends(secret_key: str, publishable_key: str, url: str) -> Provider:
    """For tests of the command itself: it is told to play at a sandbox as if that were Stripe."""
    return Provider(
        name=f"a sandbox at {url} that pretends: this proves the command, and nothing about Stripe",
        api_base=url,
        secret_key=secret_key,
        publishable_key=publishable_key,
        script=f"{url}/js/stripe.js",
        is_stripe=False,
        calls_per_second=0,
        patience=5,
    )
