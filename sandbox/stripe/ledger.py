"""One call's hand on the books: finds objects, saves them, and notes what the shop must be told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.stripe import shapes
from sandbox.stripe.store import Page, Store
from sandbox.stripe.webhooks import Outbox
from sandbox.stripe.wire import ApiError, Json, public, refuse_parameter

COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
PATH_PARAMETER = {"payment_intent": "intent"}
# The store has columns for these; every other parameter of a list names a field of its objects.
NOT_FILTERS = ("limit", "starting_after", "ending_before", "created", "expand", "payment_intent")


@dataclass
class Ledger:
    store: Store
    outbox: Outbox
    now: int
    # What events say caused them; empty when somebody acted in the Dashboard.
    request: Json = field(default_factory=lambda: {"id": None, "idempotency_key": None})

    def find(self, kind: str, id: str) -> Json:
        found = self.store.get(id, kind)
        if found is None:
            param = PATH_PARAMETER.get(kind, "id")
            raise ApiError(404, f"No such {kind}: '{id}'", code="resource_missing", param=param)
        return found

    def all(self, kind: str, **fields: str) -> list[Json]:
        """Every object of a kind whose fields are these, newest first."""
        where = tuple((name, "= ?", value) for name, value in fields.items())
        return self.store.page(kind, Page(where=where))

    def save(self, thing: Json) -> None:
        self.store.put(thing, thing["created"])

    def tell(self, type: str, thing: Json, previous: Json | None = None) -> None:
        """Record an event with the object as it is now (and what it was before), and queue its delivery."""
        copies = self.outbox.copies()
        event = shapes.event(self.now, type, public(thing), request=self.request, pending_webhooks=min(copies, 1))
        if previous is not None:
            event["data"]["previous_attributes"] = previous
        self.save(event)
        self.outbox.queue(event["id"], copies, self.now)

    def tell_again(self, event_id: str) -> Json:
        """Deliver an event once more, as the Dashboard's “Resend” does."""
        event = self.find("event", event_id)
        self.outbox.queue(event_id, 1 if self.outbox.open else 0, self.now)
        return event

    def list_page(
        self, kind: str, params: Json, url: str, *, freshen: Callable[[Json], Json] = lambda thing: thing
    ) -> Json:
        """A Stripe list, newest first: limit, starting_after, ending_before, created, and the fields it filters by."""
        limit = int(params.get("limit") or 10)
        if not 1 <= limit <= 100:
            refuse_parameter("limit", "parameter_invalid_integer", "limit must be between 1 and 100.")
        self._check_cursors(kind, params)
        page = Page(
            parent=params.get("payment_intent"),
            after=params.get("starting_after"),
            before=params.get("ending_before"),
            created=_moments(params.get("created")),
            where=tuple(_condition(name, params[name]) for name in params if name not in NOT_FILTERS),
            limit=limit + 1,
        )
        found = self.store.page(kind, page)
        surplus = len(found) > limit
        shown = found[-limit:] if page.before else found[:limit]
        return {
            "object": "list",
            "url": url,
            "has_more": surplus,
            "data": [public(freshen(thing)) for thing in shown],
        }

    def _check_cursors(self, kind: str, params: Json) -> None:
        for name in ("starting_after", "ending_before"):
            if name in params and self.store.get(params[name], kind) is None:
                raise ApiError(400, f"No such {kind}: '{params[name]}'", code="resource_missing", param=name)

    def expand(self, thing: Json, paths: list[str]) -> Json:
        for path in paths:
            self._expand(thing, path, path)
        return thing

    def _expand(self, thing: Json, path: str, whole: str) -> None:
        name, _, rest = path.partition(".")
        if name not in thing:
            raise ApiError(400, f"This property cannot be expanded ({whole}).", saved=False, param="expand")
        value = thing[name]
        if isinstance(value, str) and (linked := self.store.get(value)):
            value = thing[name] = public(linked)
        for inner in value if isinstance(value, list) else [value]:
            if rest and isinstance(inner, dict):
                self._expand(inner, rest, whole)


def _condition(name: str, value: Any) -> tuple[str, str, Any]:
    """The endpoint's TypedDict has let the name pass, so it is one of Stripe's and safe inside the SQL."""
    if name == "type":  # `charge.*` stands for all events of charges
        return "type", "GLOB ?", value
    if name == "types":
        return "type", f"IN ({', '.join('?' * len(value))})", value
    if name == "delivery_success":
        return "pending_webhooks", "= 0" if value == "true" else "> 0", []
    return name, "= ?", value


def _moments(created: Any) -> tuple[tuple[str, int], ...]:
    if not created:
        return ()
    if isinstance(created, str):
        return (("=", int(created)),)
    return tuple((COMPARISONS[name], int(moment)) for name, moment in created.items())
