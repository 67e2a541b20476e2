"""Switches that make the stand-in fail on purpose.

POST /_sandbox/faults {"op": …, "mode": …, "times": 1, "seconds": 60, "by": "server" | "page"}

`op` is a name from the call log (payment_intents.create, refunds.list, …) or a pattern: "disputes.*", "*".
`times` null: until taken back. `by` leaves the other side alone: the shop's server, or Stripe.js in a browser.

| op          | mode        | what the next `times` calls of op see                                              |
|-------------|-------------|------------------------------------------------------------------------------------|
| a call's    | drop_before | connection cut, nothing done                                                       |
|             | drop_after  | done, then the connection is cut: the answer is lost                               |
|             | hang        | done, then silence for `seconds`, then the answer; the same key gets 409 meanwhile |
|             | late        | silence for `seconds`, and only then done; the same key gets 409 meanwhile         |
|             | 500_before  | 500, nothing done; the key replays the 500                                         |
|             | 500_after   | 500, although it was done; the key replays the 500                                 |
|             | 503         | 503, nothing done, the key stays free                                              |
|             | 429         | 429 rate_limit, nothing done, the key stays free                                   |
|             | lock        | 429 lock_timeout, which the SDK tries again by itself                              |
|             | expired     | 400 capture_charge_authorization_expired, nothing done: the bank's word is over     |
|             | down        | connection cut, nothing done, until taken back, or for `seconds` when given        |
|             | rate        | 429 above `per_second` calls of op in any second (calls with the secret key only)  |
|             | none        | takes back what was set for op ("*": everything)                                   |
| webhooks    | deliver     | (the rule) new events are sent at once                                             |
|             | drop        | new events are never sent                                                          |
|             | hold        | new events wait                                                                    |
|             | duplicate   | new events are sent twice                                                          |
|             | release     | sends what was held, in order, then delivers again                                 |
|             | reverse     | sends what was held, newest first, then delivers again                             |

`release` and `reverse` answer when each held event was tried once. Faults live in memory: a restart clears them, but
not what is held. POST /_sandbox/reset forgets everything.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import get_args

from sandbox.stripe.webhooks import Mode
from sandbox.stripe.wire import ApiError, Json

CALL_MODES = (
    "drop_before", "drop_after", "hang", "late", "500_before", "500_after", "503", "429", "lock", "expired", "down",
)  # fmt: skip
HOOK_MODES = (*get_args(Mode), "release", "reverse")
SILENCE = 60.0


@dataclass
class Fault:
    op: str
    mode: str
    times: int | None = 1
    seconds: float | None = None
    by: str | None = None
    ends: float | None = None  # when it takes itself back

    def concerns(self, op: str, by: str) -> bool:
        return fnmatchcase(op, self.op) and self.by in (None, by)

    @property
    def silence(self) -> float:
        return SILENCE if self.seconds is None else self.seconds

    def as_json(self) -> Json:
        return {"op": self.op, "mode": self.mode, "times": self.times, "seconds": self.seconds, "by": self.by}


class Faults:
    def __init__(self) -> None:
        self.waiting: list[Fault] = []

    def add(self, fault: Fault, now: float) -> None:
        if fault.mode == "down":
            fault.times = None
            fault.ends = None if fault.seconds is None else now + fault.seconds
        self.waiting.append(fault)

    def take_back(self, op: str) -> None:
        self.waiting = [fault for fault in self.waiting if op not in (fault.op, "*")]

    def take(self, op: str, by: str, now: float) -> Fault | None:
        """The first fault that is set for this call, used up by one."""
        for fault in self.standing(now):
            if fault.concerns(op, by):
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    def standing(self, now: float) -> list[Fault]:
        """What is set and neither used up nor over."""
        self.waiting = [
            fault
            for fault in self.waiting
            if (fault.times is None or fault.times > 0) and (fault.ends is None or fault.ends > now)
        ]
        return self.waiting

    def as_json(self, now: float) -> list[Json]:
        return [fault.as_json() for fault in self.standing(now)]


def rate_limited(reason: str | None = None) -> ApiError:
    """Stripe's 429, with the header that says which limit it was. https://docs.stripe.com/rate-limits"""
    return ApiError(
        429,
        "Request rate limit exceeded. You can learn more about rate limits at https://docs.stripe.com/rate-limits.",
        code="rate_limit",
        saved=False,
        headers={"Stripe-Rate-Limited-Reason": reason or "global-rate"},
    )


def locked() -> ApiError:
    """Somebody else is changing the same object just now; Stripe asks its SDKs to try again."""
    return ApiError(
        429,
        "This object cannot be accessed right now because another API request or Stripe process is currently "
        "accessing it.",
        code="lock_timeout",
        saved=False,
        headers={"Stripe-Should-Retry": "true"},
    )


def expired() -> ApiError:
    """A capture that came too late, whatever the intent says. https://docs.stripe.com/error-codes"""
    return ApiError(
        400,
        "The charge cannot be captured as the authorization has expired. Auth and capture charges must be captured "
        "within a set number of days.",
        code="capture_charge_authorization_expired",
        saved=False,
    )
