"""What `make stripe-live-check` shows: every scenario as a sentence, with what the provider said; then the codes that
Foyer relies on, and what nobody can find out without a browser, a public address or real money."""

import ast
import re
import sys
import textwrap
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import pytest

from tests.provider.provider import Provider
from tests.provider.wire import Answer

LIVE_CHECK = "foyer-live-check"
SAID, LEFT_BEHIND = "what the provider said", "left behind"

# What the code decides by: services/stripe_gateway.py, checkout.py, comparison.py; refunds.py only needs *a* refusal.
RELIED_ON = {
    "payment_intent_unexpected_state": "a capture or cancel that came too late: we look how the intent stands",
    "resource_missing": "the provider does not know it: the daily comparison says so",
    "amount_too_small": "the page says that this amount cannot be paid by card",
    "amount_too_large": "the page says that this amount cannot be paid by card",
    "idempotency_error": "one key for two different things is refused, not obeyed",
    "charge_already_refunded": "a refund that was made elsewhere: ours is given up, no money goes twice",
    "idempotency_key_in_use": "409: two calls with one key collided; the library asks again",
    "lock_timeout": "429: two calls about one payment collided; the library asks again",
}

# Title and way to find out. The same list, with room to breathe, is in docs/going-live.md.
NOT_VERIFIED = {
    "Webhooks from the internet": "their signature, their delivery, their repetition: step 3",
    "3-D Secure in the browser": "approving and rejecting at the bank's page: step 4",
    "Wallet buttons": "Apple Pay and Google Pay need a registered domain and a device: step 4",
    "A conflict of two calls with one key (409)": "the SDK asks again by itself; seen only when two calls collide",
    "How long a dispute or a slow refund takes": "test cards decide within moments, banks within weeks",
    "An authorisation that dies": "it lives seven days; the sandbox plays it",
    "Live mode": "its rate limits, the card networks' limits, Radar's rules, your account's currencies: step 5",
    "Payouts": "when the money reaches your bank account: step 5",
}


@dataclass
class Scenario:
    sentence: str
    outcome: str = "passed"
    seconds: float = 0.0
    why: str = ""
    said: list[Answer] = field(default_factory=list)


class Report:
    """A pytest plugin that is the whole output."""

    def __init__(self, provider: Provider, out: TextIO = sys.stdout) -> None:
        self.provider = provider
        self._out = out
        self._scenarios: dict[str, Scenario] = {}
        self._left_behind: list[str] = []
        self._broken: list[str] = []
        self._scene = ""

    # ---- while it runs

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._broken.append(report.longreprtext)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        scenario = self._scenarios.setdefault(report.nodeid, Scenario(sentence_of(report.nodeid)))
        scenario.seconds += report.duration
        if report.failed:
            scenario.outcome = "failed"
            scenario.why += why_it_failed(report)
        elif report.skipped and scenario.outcome == "passed":
            scenario.outcome = "skipped"
            scenario.why = why_it_was_skipped(report)
        if report.when == "teardown":
            properties = dict(report.user_properties)
            scenario.said = [Answer(**facts) for facts in properties.get(SAID, [])]  # type: ignore[attr-defined]
            self._left_behind += properties.get(LEFT_BEHIND, [])  # type: ignore[arg-type]
            self._show_scene(report.nodeid)
            self._show(scenario)

    def open(self) -> None:
        self._say(f"Playing at {self.provider.name}.\nMoney of test mode only; the whole play takes some minutes.")

    def close(self) -> bool:
        """Say what it comes to. True when every scenario held."""
        for text in self._broken:
            self._say(f"✗ could not be read:\n{textwrap.indent(text, '    ')}")
        self._show_codes()
        self._show_left_behind()
        self._show_not_verified()
        counts = defaultdict(int, {"passed": 0})
        for scenario in self._scenarios.values():
            counts[scenario.outcome] += 1
        held = bool(counts["passed"]) and not counts["failed"] and not self._broken
        verdict = f"{counts['passed']} scenarios held" if held else f"{counts['failed']} of them did NOT hold"
        skipped = f", {counts['skipped']} left out" if counts["skipped"] else ""
        self._say(f"\n{'✓' if held else '✗'} {verdict}{skipped}. Played at {self.provider.name}.")
        return held

    # ---- its parts

    def _show_scene(self, nodeid: str) -> None:
        """The first words of a file stand above its scenarios."""
        scene = nodeid.partition("::")[0]
        if scene != self._scene:
            self._scene = scene
            self._say("\n" + (ast.get_docstring(ast.parse(Path(scene).read_text())) or scene).partition("\n")[0])

    def _show(self, scenario: Scenario) -> None:
        mark = {"passed": "✓", "failed": "✗", "skipped": "–"}[scenario.outcome]
        self._say(f"{mark} {scenario.sentence}  ({scenario.seconds:.1f} s)")
        for line in dict.fromkeys(str(answer) for answer in scenario.said):
            self._say(f"      {line}")
        if scenario.why:
            self._say(textwrap.indent(scenario.why.rstrip(), "      "))

    def _show_codes(self) -> None:
        heard = [answer for scenario in self._scenarios.values() for answer in scenario.said]
        self._say("\nThe answers that Foyer decides by, and what was really said:")
        for code, meaning in RELIED_ON.items():
            seen = next((answer for answer in heard if answer.code == code), None)
            self._say(f"  {'✓' if seen else '–'} {code}: {meaning}")
            self._say(f"      {seen}" if seen else "      not seen in this run")
        other = sorted({f"{a.status} {a.code}" for a in heard if a.status >= 400 and a.code not in RELIED_ON})
        if other:
            self._say(f"  Also said: {', '.join(other)}.")

    def _show_left_behind(self) -> None:
        if self._left_behind:
            self._say("\nLeft behind (test mode; look at them in the Dashboard):")
            for line in self._left_behind:
                self._say(f"  {line}")

    def _show_not_verified(self) -> None:
        self._say("\nWhat this could not verify (docs/going-live.md says how to):")
        for title, way in NOT_VERIFIED.items():
            self._say(f"  – {title}: {way}")

    def _say(self, text: str) -> None:
        print(text, file=self._out, flush=True)


def sentence_of(nodeid: str) -> str:
    """`…::test_a_card_is_declined[lost_card]` → “a card is declined (lost_card)”."""
    words = nodeid.rpartition("::")[2].removeprefix("test_")
    name, _, variant = words.partition("[")
    return name.replace("_", " ") + (f" ({variant.rstrip(']')})" if variant else "")


def why_it_failed(report: pytest.TestReport, longest: int = 8) -> str:
    """The broken promise and its place; never the whole stack, whose values are nobody's business."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return report.longreprtext[-500:] + "\n"
    lines = re.sub(r"\b([sr]k_test|whsec|pi)_\w+(_secret_\w+)?", r"\1_…", crash.message).splitlines()[:longest]
    return "\n".join([*lines, f"at {report.nodeid.partition('::')[0]}, line {crash.lineno}"]) + "\n"


def why_it_was_skipped(report: pytest.TestReport) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    return reason.removeprefix("Skipped: ")
