"""Switches that make the stand-in fail on purpose.

POST /_sandbox/faults {"op": …, "mode": …, "times": 1, "seconds": 60}

| op                                        | mode          | what the next `times` calls of op see                    |
|-------------------------------------------|---------------|----------------------------------------------------------|
| payment_intents.capture, refunds.create … | drop_before   | connection cut, nothing done                             |
| (the names in the call log; "*" is all)   | drop_after    | done, then the connection is cut: the answer is lost     |
|                                           | hang          | done, then silence for `seconds`; the same key gets 409  |
|                                           | 500_before    | 500, nothing done; the key replays the 500               |
|                                           | 500_after     | 500, although it was done; the key replays the 500       |
|                                           | 429           | 429, nothing done, the key stays free                    |
|                                           | none          | takes back what was set for op                           |
| webhooks                                  | deliver       | (the rule) new events are sent at once                   |
|                                           | drop          | new events are never sent                                |
|                                           | hold          | new events wait                                          |
|                                           | duplicate     | new events are sent twice                                |
|                                           | release       | sends what was held, in order, then delivers again       |
|                                           | reverse       | sends what was held, newest first, then delivers again   |

`release` and `reverse` answer when each held event was tried once. Faults live in memory: a restart clears them, but
not what is held. POST /_sandbox/reset forgets everything.
"""

from dataclasses import asdict, dataclass
from typing import get_args

from sandbox.stripe.webhooks import Mode

CALL_MODES = ("drop_before", "drop_after", "hang", "500_before", "500_after", "429")
HOOK_MODES = (*get_args(Mode), "release", "reverse")


@dataclass
class Fault:
    op: str
    mode: str
    times: int = 1
    seconds: float = 60.0


class Faults:
    def __init__(self) -> None:
        self.waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        if fault.mode == "none":
            self.waiting = [other for other in self.waiting if fault.op not in (other.op, "*")]
        else:
            self.waiting.append(fault)

    def take(self, op: str) -> Fault | None:
        """The first fault that is set for this call, used up by one."""
        for fault in self.waiting:
            if fault.op in (op, "*"):
                fault.times -= 1
                self.waiting = [other for other in self.waiting if other.times > 0]
                return fault
        return None

    def as_json(self) -> list[dict[str, object]]:
        return [asdict(fault) for fault in self.waiting]
