"""The command itself: whom it refuses, what it says, how it ends. Stripe is not asked here: a sandbox pretends."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sandbox.plan import SANDBOX_SECRET_KEY
from sandbox.processes import answers, free_port, launch, wait_until
from tests.conftest import ROOT
from tests.provider import live_check
from tests.provider.live_check import NotPlayed, choose
from tests.provider.report import NOT_VERIFIED, sentence_of
from tests.provider.wire import Answer, name_of

KEY = "sk_test_51PretendToBeAnAccount"
ENV = {"STRIPE_TEST_SECRET_KEY": KEY}


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("", "is not set"),
        ("   ", "is not set"),
        ("sk_live_51Real", "a live key"),
        ("rk_live_51Real", "a live key"),
        ("pk_live_51Real", "a live key"),
        ("pk_test_51Pretend", "a publishable key"),
        ("rk_test_51Pretend", "a restricted key"),
        (SANDBOX_SECRET_KEY, "the key of our own sandbox"),
        ("whsec_123", "does not hold a secret key"),
        ("sk_test_51 with a space", "does not hold a secret key"),
        ("“sk_test_51”", "does not hold a secret key"),
    ],
)
def test_a_key_that_will_not_do_is_refused_with_the_way_to_one_that_will(key, why, capsys):
    assert live_check.main([], {"STRIPE_TEST_SECRET_KEY": key}) == 2
    said = capsys.readouterr().err
    assert why in said
    assert "https://dashboard.stripe.com/test/apikeys" in said
    assert "STRIPE_TEST_SECRET_KEY=sk_test_… make stripe-live-check" in said
    assert not key.strip() or key.strip() not in said, "a key is never repeated"


@pytest.mark.parametrize("key", ["sk_test_51", "pk_live_51", "pk"])
def test_a_publishable_key_that_is_none_is_refused(key, capsys):
    assert live_check.main([], ENV | {"STRIPE_TEST_PUBLISHABLE_KEY": key}) == 2
    assert "STRIPE_TEST_PUBLISHABLE_KEY must hold" in capsys.readouterr().err


def test_with_a_key_of_test_mode_it_is_played_at_stripe_itself():
    provider = choose(ENV | {"STRIPE_TEST_PUBLISHABLE_KEY": "pk_test_51"})
    assert (provider.api_base, provider.is_stripe) == ("https://api.stripe.com", True)
    assert provider.script.startswith("https://js.stripe.com/")
    assert not provider.may_reset
    assert KEY not in repr(provider)


def test_a_key_is_sent_to_stripe_or_to_this_machine_and_nowhere_else():
    with pytest.raises(NotPlayed):
        choose(ENV, pretender="http://api.stripe.com.example.org")


def test_where_nobody_answers_it_says_so(capsys):
    assert live_check.main(["--pretender", f"http://127.0.0.1:{free_port()}"], ENV) == 2
    assert "cannot be reached" in capsys.readouterr().err


def test_a_key_that_the_provider_does_not_know_is_said_to_be_wrong(pretender, capsys):
    assert live_check.main(["--pretender", pretender], {"STRIPE_TEST_SECRET_KEY": "sk_test_51Rolled"}) == 2
    assert "does not take the key" in capsys.readouterr().err


def test_what_held_is_reported_as_sentences_with_what_was_said(pretender):
    done = play(pretender, "-k", "declined_buyer or publishable_key or heard_of or tabs_and_reloads")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "that pretends: this proves the command, and nothing about Stripe" in done.stdout
    assert "✓ a declined buyer pays with another card on the same intent" in done.stdout
    assert "confirm   402 card_declined / generic_decline  “Your card was declined.”" in done.stdout
    assert "– the publishable key belongs to the same account" in done.stdout
    assert "no STRIPE_TEST_PUBLISHABLE_KEY was given" in done.stdout
    assert "✓ resource_missing:" in done.stdout
    assert "retrieve  404 resource_missing" in done.stdout
    assert "– amount_too_small:" in done.stdout, "not seen in a part of the play, and said so"
    assert all(title in done.stdout for title in NOT_VERIFIED)
    assert "✓ 3 scenarios held, 1 left out." in done.stdout
    assert KEY not in done.stdout + done.stderr
    assert "_secret_" not in done.stdout + done.stderr
    assert "Left behind" not in done.stdout
    intents = httpx.get(f"{pretender}/_sandbox/state", trust_env=False).json()["intents"]
    assert sorted(intent["status"] for intent in intents) == ["canceled", "succeeded"], "nothing stays open"
    assert all("payment_id" not in intent["metadata"] for intent in intents), "no shop takes them for its own"
    assert all(intent["metadata"]["foyer_live_check"] for intent in intents)


def test_what_did_not_hold_is_shown_and_ends_in_an_error(pretender):
    switch = {"op": "payment_intents.capture", "mode": "500_before", "times": None}
    httpx.post(f"{pretender}/_sandbox/faults", json=switch, trust_env=False).raise_for_status()
    done = play(pretender, "-k", "declined_buyer")
    httpx.post(f"{pretender}/_sandbox/reset", trust_env=False).raise_for_status()
    assert done.returncode == 1
    assert "✗ a declined buyer pays with another card on the same intent" in done.stdout
    assert re.search(r"at tests/provider/\w+\.py, line \d+|at services/\w+\.py", done.stdout)
    assert "✗ 1 of them did NOT hold" in done.stdout
    assert KEY not in done.stdout + done.stderr


def test_a_play_without_scenarios_is_no_proof(pretender):
    assert play(pretender, "-k", "nothing_is_called_like_that").returncode == 2


def test_every_scenario_is_in_the_play():
    here = Path(live_check.__file__).parent
    assert {path.name for path in here.glob("test_*.py")} == {*live_check.SCENES, Path(__file__).name}


def test_the_guide_says_how_to_find_out_what_the_command_cannot():
    guide = (ROOT / "docs" / "going-live.md").read_text()
    assert [title for title in NOT_VERIFIED if title not in guide] == []


def test_make_knows_the_command():
    env = {name: value for name, value in os.environ.items() if name != "STRIPE_TEST_SECRET_KEY"}
    done = subprocess.run(
        [sys.executable, "sandbox/bootstrap.py", "stripe-live-check"], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "STRIPE_TEST_SECRET_KEY is not set" in done.stderr


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("post", "/v1/payment_intents", "create"),
        ("get", "/v1/payment_intents?limit=1", "list"),
        ("get", "/v1/payment_intents/pi_1", "retrieve"),
        ("post", "/v1/payment_intents/pi_1", "update"),
        ("post", "/v1/payment_intents/pi_1/capture", "capture"),
        ("post", "/v1/refunds", "refund"),
        ("get", "/v1/refunds", "refunds"),
        ("post", "/v1/disputes/dp_1/close", "close"),
    ],
)
def test_a_call_has_a_name(method, path, name):
    assert name_of(method, f"https://api.stripe.com{path}") == name


def test_a_scenario_is_a_sentence():
    assert sentence_of("a/b.py::test_yen_have_no_cents[JPY]") == "yen have no cents (JPY)"


def test_an_answer_without_a_code_says_so():
    assert "(no code)" in str(Answer("refund", 400, message="No."))


@pytest.fixture(scope="module")
def pretender(scratch: Path) -> Iterator[str]:
    """A sandbox that takes the key of the tests above for its account's."""
    port, state = free_port(), scratch / "pretender"
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SANDBOX_PORT": str(port),
        "SANDBOX_SMTP_PORT": str(free_port()),
        "SANDBOX_STATE": str(state),
        "SANDBOX_WEBHOOK_URL": "",
        "STRIPE_SECRET_KEY": KEY,
        "STRIPE_PUBLISHABLE_KEY": "pk_test_51Pretend",
    }
    log = scratch / "pretender.log"
    process = launch([sys.executable, "-m", "sandbox.server"], log=log, env=env)
    wait_until(lambda: answers(("127.0.0.1", port), "/_sandbox/health"), process, name="the pretender", log=log)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(10)


def play(pretender: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As `make stripe-live-check` does, in a process of its own: it brings its own database."""
    env = {**os.environ, **ENV, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.provider", "--pretender", pretender, *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
