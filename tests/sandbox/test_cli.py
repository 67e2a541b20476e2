"""Stripe's official CLI against the stand-in: `stripe trigger` sends Stripe's own fixtures and reads the answers.

It proves that a client which nobody here wrote can make each kind of object with the stand-in, and that the shop is
told of it by the event of that name. It proves nothing about events that Foyer does not use.
"""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox import clients
from tests.sandbox.running import SECRET_KEY, Sandbox, Shop, eventually

State = dict[str, Any]


@pytest.fixture(scope="module")
def cli() -> Path:
    return clients.stripe_cli()


def an_intent(status: str) -> Callable[[State], bool]:
    return lambda state: [intent["status"] for intent in state["intents"]] == [status]


def a_refund(state: State) -> bool:
    (refund,), (intent,) = state["refunds"], state["intents"]
    return (refund["status"], refund["amount"], intent["status"]) == ("succeeded", intent["amount"], "succeeded")


def a_refund_with_metadata(state: State) -> bool:
    return a_refund(state) and state["refunds"][0]["metadata"] == {"order_id": "6735"}


def a_dispute(status: str, **metadata: str) -> Callable[[State], bool]:
    return lambda state: [(it["status"], it["metadata"]) for it in state["disputes"]] == [(status, metadata)]


TRIGGERS: dict[str, Callable[[State], bool]] = {
    "payment_intent.created": an_intent("requires_payment_method"),
    "payment_intent.succeeded": an_intent("succeeded"),
    "payment_intent.payment_failed": an_intent("requires_payment_method"),
    "payment_intent.canceled": an_intent("canceled"),
    "payment_intent.amount_capturable_updated": an_intent("requires_capture"),
    "payment_intent.requires_action": an_intent("requires_action"),
    "charge.succeeded": an_intent("succeeded"),
    "charge.captured": an_intent("succeeded"),
    "charge.failed": an_intent("requires_payment_method"),
    "charge.refunded": a_refund,
    "charge.refund.updated": a_refund_with_metadata,
    "charge.dispute.created": a_dispute("warning_needs_response"),
    "charge.dispute.updated": a_dispute("warning_needs_response", foo="bar"),
    "charge.dispute.closed": a_dispute("warning_closed"),
}


@pytest.mark.parametrize("event", TRIGGERS)
def test_stripes_own_cli_triggers(event: str, cli: Path, sandbox: Sandbox, shop: Shop, tmp_path: Path) -> None:
    done = run(cli, "trigger", event, sandbox=sandbox, home=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Trigger succeeded" in done.stdout + done.stderr
    assert TRIGGERS[event](sandbox.state_now())
    eventually(lambda: event in shop.types(), f"the shop to be told of {event}")


def test_the_cli_hears_of_a_refusal(cli: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    """Otherwise its successes would mean nothing."""
    sandbox.post("faults", op="refunds.create", mode="503", times=None)
    assert run(cli, "trigger", "charge.refunded", sandbox=sandbox, home=tmp_path).returncode != 0


def test_a_file_that_is_not_the_pinned_one_is_never_run(tmp_path: Path) -> None:
    (tmp_path / "cli.tgz").write_bytes(b"something else")
    _, integrity = clients.CLI_PACKAGES["Linux", "x86_64"]
    with pytest.raises(AssertionError, match="not the file that was pinned"):
        clients.check(tmp_path / "cli.tgz", integrity)


def run(cli: Path, *arguments: str, sandbox: Sandbox, home: Path) -> subprocess.CompletedProcess[str]:
    """With a home of its own: no account of the person's, nothing kept, nobody told."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "STRIPE_CLI_TELEMETRY_OPTOUT": "1",
        "NO_PROXY": "127.0.0.1",
    }
    command = [str(cli), *arguments, "--api-key", SECRET_KEY, "--api-base", sandbox.url]
    return subprocess.run(command, env=env, cwd=home, capture_output=True, text=True, timeout=60)
