"""Settings are refused with a message that says which, why, and what would do."""

from unittest.mock import patch

import pytest

import settings
from settings import SettingsError
from tests.mutants import breaks

GOOD = {
    "FOYER_ENV": "development",
    "BASE_URL": "http://127.0.0.1:8000",
    "SECRET_KEY": "k" * 32,
    "DATABASE_URL": "postgresql://foyer@127.0.0.1/foyer",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "STRIPE_SECRET_KEY": "sk_test_1",
    "STRIPE_PUBLISHABLE_KEY": "pk_test_1",
    "STRIPE_WEBHOOK_SECRET": "whsec_1",
    "SMTP_URL": "smtp://127.0.0.1:1025",
}
LIVE = {"STRIPE_SECRET_KEY": "sk_live_1", "STRIPE_PUBLISHABLE_KEY": "pk_live_1"}
PRODUCTION = LIVE | {"FOYER_ENV": "production", "BASE_URL": "https://tickets.example.org"}


def refusal(**changes: str) -> str:
    try:
        settings.load(GOOD | changes)
    except SettingsError as refused:
        return str(refused)
    raise AssertionError("opened with settings that nobody should trade with")


def test_good_settings_are_read_with_sensible_defaults():
    read = settings.load(GOOD)
    assert (read.environment, read.production, read.secure, read.test_mode) == ("development", False, False, True)
    assert (read.stripe_api_base, read.pool_size) == ("https://api.stripe.com", 6)


def test_settings_of_a_real_shop_are_accepted():
    read = settings.load(GOOD | PRODUCTION)
    assert (read.production, read.secure, read.test_mode) == (True, True, False)


@pytest.mark.parametrize("name", [name for name in GOOD if name != "FOYER_ENV"])
@pytest.mark.parametrize("value", ["", "   "])
def test_a_missing_setting_is_named(name, value):
    assert refusal(**{name: value}).startswith(f"{name} is not set.")


@pytest.mark.parametrize(
    "name", ["BASE_URL", "DATABASE_URL", "REDIS_URL", "SMTP_URL", "STRIPE_API_BASE", "STRIPE_JS_URL"]
)
def test_an_address_of_the_wrong_kind_is_refused_with_the_kinds_that_would_do(name):
    message = refusal(**{name: "ftp://somewhere"})
    assert message.startswith(f"{name} must start with ")
    assert "://" in message


def test_an_unknown_environment_is_refused():
    assert "FOYER_ENV is “staging”" in refusal(FOYER_ENV="staging")


def test_a_short_secret_key_is_refused_with_a_way_to_make_a_good_one():
    message = refusal(SECRET_KEY="too-short")
    assert "32 characters" in message
    assert "token_urlsafe" in message


def test_every_one_of_several_secret_keys_must_be_long():
    assert "32 characters" in refusal(SECRET_KEY="k" * 32 + ",old")


def test_case_37_a_live_key_with_a_custom_api_base_refuses_to_start():
    assert "STRIPE_API_BASE" in refusal(**LIVE, STRIPE_API_BASE="http://127.0.0.1:9000")


def test_case_37_a_live_key_with_a_card_form_from_elsewhere_refuses_to_start():
    assert "STRIPE_JS_URL" in refusal(**LIVE, STRIPE_JS_URL="https://js.stripe.example/v3")


def test_a_restricted_live_key_is_a_live_key():
    assert "STRIPE_API_BASE" in refusal(
        STRIPE_SECRET_KEY="rk_live_1", STRIPE_PUBLISHABLE_KEY="pk_live_1", STRIPE_API_BASE="http://127.0.0.1:9000"
    )


@pytest.mark.parametrize("name", LIVE)
def test_a_live_and_a_test_key_are_not_mixed(name):
    assert "both be live or both be test" in refusal(**{name: LIVE[name]})


def test_production_with_a_test_key_is_refused():
    test_keys = {name: GOOD[name] for name in LIVE}
    assert "nobody could really pay" in refusal(**(PRODUCTION | test_keys))


def test_production_without_https_is_refused():
    assert "https://" in refusal(**(PRODUCTION | {"BASE_URL": "http://tickets.example.org"}))


@pytest.mark.parametrize(
    "refused",
    [
        test_case_37_a_live_key_with_a_custom_api_base_refuses_to_start,
        test_case_37_a_live_key_with_a_card_form_from_elsewhere_refuses_to_start,
        test_a_restricted_live_key_is_a_live_key,
        test_a_short_secret_key_is_refused_with_a_way_to_make_a_good_one,
        test_production_with_a_test_key_is_refused,
        test_production_without_https_is_refused,
    ],
)
def test_a_start_that_does_not_look_at_what_is_unsafe_opens_all_the_same(refused):
    with breaks("nobody should trade with"), patch.object(settings, "_refuse_unsafe", lambda _: None):
        refused()


def test_a_start_that_takes_any_base_for_the_provider_s_own_sends_it_the_live_key():
    with breaks("nobody should trade with"), patch.object(settings, "STRIPE_API", "http://127.0.0.1:9000"):
        test_case_37_a_live_key_with_a_custom_api_base_refuses_to_start()


@pytest.mark.parametrize("size", ["0", "-1", "six", "1.5"])
def test_a_pool_of_no_size_is_refused(size):
    assert f"POOL_SIZE is “{size}”" in refusal(POOL_SIZE=size)


def test_several_secrets_are_read_in_order_the_first_signs():
    read = settings.load(GOOD | {"STRIPE_WEBHOOK_SECRET": "whsec_new, whsec_old ,"})
    assert read.stripe_webhook_secrets == ("whsec_new", "whsec_old")


@pytest.mark.parametrize("rate", ["0", "-1", "fast", "1.5"])
def test_a_pace_that_is_no_whole_number_of_calls_is_refused(rate):
    assert f"STRIPE_CALLS_PER_SECOND is “{rate}”" in refusal(STRIPE_CALLS_PER_SECOND=rate)


@pytest.mark.parametrize("name", ["SECRET_KEY", "STRIPE_WEBHOOK_SECRET"])
def test_a_list_without_a_secret_in_it_is_refused(name):
    assert name in refusal(**{name: " , "})


def test_a_broken_address_is_refused_with_its_name():
    assert "BASE_URL" in refusal(BASE_URL="http://[::1")


def test_an_address_without_a_host_is_refused():
    assert "BASE_URL" in refusal(BASE_URL="https://")
