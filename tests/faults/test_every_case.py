"""What is told of the tests is true: each numbered case of the design has one, and each mutant is on the list."""

import re
from pathlib import Path

from tests.conftest import ROOT
from tests.faults import list_mutants

CASES = {
    1: "the happy path",
    2: "declined, tried again with the same intent",
    3: "3-D Secure fails, then succeeds",
    4: "fifty settlements at once, one order",
    5: "two tabs, one intent, one charge",
    6: "the notice is late, paid in time: the sweeper settles",
    7: "unpaid at the end: the intent is cancelled, a later attempt refused",
    8: "3-D Secure open at the end: not charged",
    9: "late, seats left: a replacement",
    10: "late, sold out: let go",
    11: "the price changed while it was held, and after",
    12: "another amount is never taken",
    13: "killed after the pin",
    14: "killed between capture and commit",
    15: "killed inside the writing down",
    16: "killed while making tickets",
    17: "killed after the intent was made",
    18: "the answer to create is lost",
    19: "the answer to capture is lost, a 5xx, or hangs",
    20: "the authorisation died before the capture",
    21: "the provider is away at the end of a hold",
    22: "captured by hand, with and without seats",
    23: "refunds: killed, answer lost, pressed twice, too much",
    24: "the intent is cancelled while the hold lives",
    25: "what the database refuses",
    26: "a hold lapses during an unknown capture",
    27: "paid and not yet completed occupies its seats",
    28: "the stampede",
    29: "kill -9 in the capture",
    30: "notices unsigned, bad, old, unreadable, huge, doubled, foreign",
    31: "Redis dead or frozen",
    32: "the browser, under its policy",
    33: "a free purchase, without the provider",
    34: "a capacity below what is promised",
    35: "the secret of another checkout",
    36: "the confirmation, once",
    37: "a live key with a custom base",
}

# Journeys are named for what a buyer sees; this one is told by two of them.
TOLD_BY = {
    32: (
        "a_decline_says_why_and_the_same_hold_is_paid_with_another_card",
        "the_bank_may_be_refused_once_and_then_told_yes",
    )
}


def test_every_case_has_a_test_that_names_its_number():
    tests = "\n".join(file.read_text() for file in Path(ROOT / "tests").rglob("test_*.py"))
    told = {int(number) for number in re.findall(r"def test_case_(\d+)_", tests)}
    told |= {case for case, names in TOLD_BY.items() if all(f"def test_{name}(" in tests for name in names)}
    assert {number: case for number, case in CASES.items() if number not in told} == {}


def test_the_list_of_mutants_says_which_there_are():
    assert list_mutants.FILE.read_text(encoding="utf-8") == list_mutants.table(), (
        "run: python -m tests.faults.list_mutants > docs/mutants.md"
    )
