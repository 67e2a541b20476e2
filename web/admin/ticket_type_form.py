"""The form of one ticket type: as it was typed, what is wrong with it, and what it would change.

Each field carries, hidden, exactly what it had read: whoever overtakes is noticed field by field, and a time or a price
that nobody touched is never rounded by having been shown.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from babel.numbers import get_currency_symbol

from domain import money
from domain.errors import AllocationsExceedCapacity, CapacityTooSmall, Refusal
from domain.local_time import NoSuchTime, moment, on_clocks
from domain.ticket_types import (
    LONGEST_DESCRIPTION,
    LONGEST_NAME,
    MOST_PER_ORDER,
    MinimumAboveMaximum,
    SalesEndBeforeStart,
    misfits,
    payable,
)
from models.ids import new_id
from web import words
from web.admin import typed
from web.admin.event_form import check_letters

LOCAL = "%Y-%m-%dT%H:%M"
NOT_READ = object()


@dataclass(frozen=True, slots=True)
class Terms:
    """What the fields are read by: the event's currency, its time zone and its capacity."""

    currency: str
    timezone: str
    capacity: int

    @property
    def symbol(self) -> str:
        return get_currency_symbol(self.currency, locale="en")

    @property
    def example(self) -> tuple[str, str]:
        """24 and 24.50, as this currency writes them."""
        digits = money.decimals(self.currency)
        return ("2400", "2500") if not digits else ("24", "24." + "50".ljust(digits, "0"))


@dataclass(slots=True)
class TypeForm:
    """`was`: field → exactly what it had read. `theirs`: fields that somebody else has changed meanwhile.

    `terms`: in which currency and on which clocks it was typed. `said`: what is wrong with the form as a whole.
    """

    id: UUID
    is_new: bool
    terms: Terms
    typed: dict[str, str]
    was: dict[str, str | None]
    values: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    theirs: dict[str, str] = field(default_factory=dict)
    said: str = ""

    @property
    def key(self) -> UUID:
        """Of a new type: one wish of one form adds one, sent however often; another wish adds another."""
        return uuid5(self.id, repr(self.values))

    @property
    def is_typed(self) -> bool:
        """Whether it says anything else than what it had read."""
        return bool(self._touched())

    def changes(self) -> dict[str, tuple[Any, Any]]:
        """What services.ticket_types.change is told: only the fields that were touched."""
        return {name: (was, self.values[name]) for name, was in self._touched().items()}

    def _touched(self) -> dict[str, Any]:
        """Field → what it had read."""
        read = {name: _read_exactly(name, self.was.get(name)) for name in FIELDS}
        return {
            name: was
            for name, was in read.items()
            if was is NOT_READ or self.typed[name] != shown(name, was, self.terms)
        }


def blank(terms: Terms) -> TypeForm:
    form = of_row({"id": new_id(), **BLANK}, terms)
    form.is_new, form.was, form.typed["price"] = True, {}, ""
    return form


def of_row(row: Mapping[str, Any], terms: Terms) -> TypeForm:
    """The form as it opens: `row` is one of models.ticket_desk.types."""
    return TypeForm(
        id=row["id"],
        is_new=False,
        terms=terms,
        typed={name: shown(name, row[name], terms) for name in FIELDS},
        was={name: _exactly(row[name]) for name in FIELDS},
    )


def read(sent: Mapping[str, Any], type_id: UUID, terms: Terms, *, is_new: bool = False) -> TypeForm:
    """Fields `name-<id>` …, and what they had read as `was-name` … A form that carries no terms has the event's."""
    currency, timezone = (typed.text(sent, name) for name in ("currency", "zone"))
    terms = replace(terms, currency=currency or terms.currency, timezone=timezone or terms.timezone)
    form = TypeForm(
        id=type_id,
        is_new=is_new,
        terms=terms,
        typed={name: typed.text(sent, f"{name}-{type_id}") for name in FIELDS},
        was={} if is_new else {name: typed.exactly(sent, f"was-{name}") for name in FIELDS},
    )
    for name, reader in FIELDS.items():
        try:
            form.values[name] = reader(form.typed[name], terms)
        except ValueError as problem:
            form.errors[name] = str(problem)
    limits = ("sales_start", "sales_end", "min_per_order", "max_per_order")
    for refusal in misfits(*(form.values.get(name) for name in limits)):
        explain(refusal, form)
    return form


def keep_theirs(form: TypeForm, name: str) -> None:
    """One field goes back to what it says now; everything else stays as it was typed."""
    if name in FIELDS and (was := _read_exactly(name, form.was.get(name))) is not NOT_READ:
        form.typed[name] = shown(name, was, form.terms)
    form.errors.clear()


def on_other_terms(form: TypeForm, said: str, row: Mapping[str, Any], terms: Terms) -> None:
    """What was typed stays, to be read in the event's terms of now; what nobody touched says what it says in them.
    A time that only moved with the clocks has been read. `row` as for `of_row`; of a new type there is none."""
    for name in FIELDS.keys() & row.keys():
        was = _read_exactly(name, form.was.get(name))
        if was is NOT_READ:
            continue
        before, now = shown(name, was, form.terms), shown(name, row[name], terms)
        untouched = form.typed[name] == before
        if untouched:
            form.typed[name] = now
        if untouched or before == now:
            form.was[name] = _exactly(row[name])
    form.terms, form.said = terms, said
    form.errors.clear()


def overtaken(form: TypeForm, theirs: Mapping[str, Any], by: Mapping[str, str]) -> None:
    """Say beside each field what it says now. Saving once more replaces that: by then it has been read."""
    for name, value in theirs.items():
        form.was[name] = _exactly(value)
        form.theirs[name] = in_words(name, value, form.terms)
        form.errors[name] = f"{by[name]} Save to replace it, or keep it."


def explain(refusal: Refusal, form: TypeForm, *, sold: int = 0, held: int = 0) -> None:
    """A refusal in words, at the field that can repair it. `sold` and `held` are the type's."""
    match refusal:
        case CapacityTooSmall(smallest=smallest):
            form.errors["allocation"] = f"{promised(sold, held, smallest)}, so this can’t go below {smallest:,}."
        case AllocationsExceedCapacity(total=total, capacity=capacity):
            wanted: int = form.values["allocation"]
            most = wanted - (total - capacity)
            said = f"{wanted:,} is {total - capacity:,} too many. At most {most:,} are free to allocate."
            if most < sold + held:
                said += f" {promised(sold, held, sold + held)} already, so leave it empty."
            form.errors["allocation"] = said
        case SalesEndBeforeStart():
            form.errors["sales_end"] = "Sales would end before they start. Choose a later time, or leave it empty."
        case MinimumAboveMaximum():
            form.errors["max_per_order"] = f"Choose at least {form.values['min_per_order']}, the fewest per order."
        case _:
            raise refusal


def promised(sold: int, held: int, total: int) -> str:
    """31 are sold and 6 on hold. When a buyer was quicker than this look, only what they come to."""
    if sold + held != total:
        return f"{total:,} are sold or on hold"
    if not held:
        return f"{sold:,} {'is' if sold == 1 else 'are'} sold"
    if not sold:
        return f"{held:,} {'is' if held == 1 else 'are'} on hold"
    return f"{sold:,} {'is' if sold == 1 else 'are'} sold and {held:,} on hold"


def shown(name: str, value: Any, terms: Terms) -> str:
    """A stored value as its field shows it."""
    if value is None:
        return ""
    if name == "price":
        return money.major(value, terms.currency)
    if isinstance(value, datetime):
        return on_clocks(value, words.zone(terms.timezone)).strftime(LOCAL)
    return str(value)


def in_words(name: str, value: Any, terms: Terms) -> str:
    """A stored value as a person would say it."""
    if value is None or value == "":
        return "empty"
    if name == "price":
        return words.price(value, terms.currency)
    return words.when_in_words(value, terms.timezone) if isinstance(value, datetime) else str(value)


# ---------------------------------------------------------------- one reader per field; what is wrong comes as words


def _name(text: str, _: Terms) -> str:
    name = " ".join(text.split())
    if not any(c.isalnum() for c in name):
        raise ValueError("Give the ticket a name.")
    check_letters(name)
    if len(name) > LONGEST_NAME:
        raise ValueError(f"Shorten the name to {LONGEST_NAME} characters; it has {len(name)}.")
    return name


def _description(text: str, _: Terms) -> str:
    if len(text) > LONGEST_DESCRIPTION:
        raise ValueError(f"Shorten this to {LONGEST_DESCRIPTION} characters.")
    check_letters(text)
    return text


def _price(text: str, terms: Terms) -> int:
    whole, exact = terms.example
    number = typed.plain(text)
    for sign in (terms.symbol, terms.currency, terms.currency.lower(), terms.symbol[-1]):
        number = number.removeprefix(sign).removesuffix(sign)
    minor = money.parse(number, terms.currency)
    if minor is None:
        raise ValueError(f"Enter a price like {whole} or {exact}. Use 0 for free.")
    if minor > money.MAX_PRICE:
        raise ValueError(f"A ticket costs {words.money(money.MAX_PRICE, terms.currency)} at most.")
    if not payable(minor, terms.currency):
        near = money.major(max(10, minor - minor % 10), terms.currency)
        raise ValueError(f"Cards take {terms.currency} only with a 0 at the end. {near} would do.")
    return minor


def _allocation(text: str, terms: Terms) -> int | None:
    if not text:
        return None
    number = typed.whole_number(text)
    # A number above the capacity is answered with how many are free: see `explain`.
    if number is None or number > 2**31 - 1:
        raise ValueError(f"Use a whole number from 0 to {terms.capacity:,}, or leave it empty.")
    return number


def _moment(text: str, terms: Terms) -> datetime | None:
    if not text:
        return None
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("Choose a day and a time, or leave it empty.") from None
    if local.tzinfo or not 2000 <= local.year <= 2100:
        raise ValueError("Choose a day and a time in this century, or leave it empty.")
    try:
        return moment(local.replace(second=0, microsecond=0), words.zone(terms.timezone))
    except NoSuchTime as refusal:
        later = refusal.next_local.strftime("%H:%M")
        raise ValueError(f"Clocks skip this time that night. Choose {later} or later.") from None


def _per_order(default: int) -> Callable[[str, Terms], int]:
    def read_number(text: str, _: Terms) -> int:
        number = typed.whole_number(text) if text else default
        if number is None or not 1 <= number <= MOST_PER_ORDER:
            raise ValueError(f"Use a whole number from 1 to {MOST_PER_ORDER}.")
        return number

    return read_number


FIELDS: dict[str, Callable[[str, Terms], Any]] = {
    "name": _name,
    "price": _price,
    "allocation": _allocation,
    "description": _description,
    "sales_start": _moment,
    "sales_end": _moment,
    "min_per_order": _per_order(1),
    "max_per_order": _per_order(10),
}
BLANK: dict[str, Any] = {
    "name": "",
    "price": 0,
    "allocation": None,
    "description": "",
    "sales_start": None,
    "sales_end": None,
    "min_per_order": 1,
    "max_per_order": 10,
}


def _exactly(value: Any) -> str:
    return "" if value is None else value.isoformat() if isinstance(value, datetime) else str(value)


def _read_exactly(name: str, text: str | None) -> Any:
    """What the hidden field says; NOT_READ, which is nobody's value, when it says nothing that could be."""
    if text is None:
        return NOT_READ
    if isinstance(BLANK[name], str):
        return text
    try:
        if name in ("sales_start", "sales_end"):
            return typed.stored_moment(text) if text else None
        return int(text) if text or name != "allocation" else None
    except ValueError:
        return NOT_READ
