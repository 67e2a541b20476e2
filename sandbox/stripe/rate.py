"""How many calls the shop makes in any one second, and the limit that may be set on it."""

from collections import deque
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from sandbox.stripe.wire import Json

SECOND = 1.0


@dataclass
class Window:
    """The calls of the last second."""

    moments: deque[float] = field(default_factory=deque)

    def fill(self, now: float) -> int:
        while self.moments and self.moments[0] <= now - SECOND:
            self.moments.popleft()
        return len(self.moments)

    def add(self, now: float) -> int:
        self.moments.append(now)
        return self.fill(now)


@dataclass
class Limit:
    """At most so many calls of `op` in any second; refused ones do not count."""

    op: str
    per_second: int
    admitted: Window = field(default_factory=Window)

    def admits(self, now: float) -> bool:
        if self.admitted.fill(now) >= self.per_second:
            return False
        self.admitted.add(now)
        return True


class Rate:
    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.limits: list[Limit] = []
        self.seen = Window()
        self.peak = 0
        self.refused = 0

    def set(self, op: str, per_second: int) -> None:
        self.lift(op)
        self.limits.append(Limit(op, per_second))

    def lift(self, op: str) -> None:
        self.limits = [limit for limit in self.limits if op not in (limit.op, "*")]

    def refusal(self, op: str, now: float) -> str | None:
        """Count the call; the reason that Stripe would name when it is one too many."""
        self.peak = max(self.peak, self.seen.add(now))
        for limit in self.limits:
            if fnmatchcase(op, limit.op) and not limit.admits(now):
                self.refused += 1
                return "global-rate" if limit.op == "*" else "endpoint-rate"
        return None

    def as_json(self) -> Json:
        limits = [{"op": limit.op, "per_second": limit.per_second} for limit in self.limits]
        return {"limits": limits, "peak_per_second": self.peak, "refused": self.refused}
