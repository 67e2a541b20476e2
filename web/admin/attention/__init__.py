"""What needs a person, in words: what happened and to whom, what happens by itself and when, what can be done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from domain.attention import Book, Subject
from models.attention import Attention, Deed
from web import words
from web.admin.attention import disputes, payments, refunds, stuck
from web.admin.attention.answers import about_deed, answer_of, done_by
from web.admin.attention.saying import Action, about, title
from web.admin.durations import ago


@dataclass(frozen=True, slots=True)
class Item:
    """One thing. `tone` and `state` are its chip."""

    id: str
    title: str
    about: str
    state: str
    tone: str
    what: str
    will: str
    at: datetime
    facts: tuple[tuple[str, str], ...] = ()
    actions: tuple[Action, ...] = ()
    answer: str | None = None
    answered_by: str = ""
    fresh: bool = False  # the answer to what was pressed just now


@dataclass(frozen=True, slots=True)
class Group:
    id: str
    title: str
    total: int
    items: list[Item]


@dataclass(frozen=True, slots=True)
class Done:
    """What somebody did of late about something that needs nobody any more."""

    id: str
    title: str
    answer: str
    by: str
    fresh: bool


@dataclass(frozen=True, slots=True)
class Desk:
    count: int
    groups: list[Group]
    done: list[Done]
    refused: list[str]
    book: "BookWords"
    now: datetime


@dataclass(frozen=True, slots=True)
class BookWords:
    state: Book
    tone: str
    title: str
    text: str
    can_compare: bool


GROUPS: list[tuple[Subject, str]] = [
    (Subject.DISPUTE, "Disputes"),
    (Subject.PAYMENT, "Payments we don’t know the end of"),
    (Subject.ORDER, "Paid, without tickets"),
    (Subject.REFUND, "Refunds"),
    (Subject.DISCREPANCY, "Where Stripe and Foyer differ"),
    (Subject.NOTE, "Work that is stuck"),
    (Subject.NOTICE, "Stripe’s notices that are stuck"),
]


WORDS: dict[Subject, Callable[[Any, Attention], dict[str, Any]]] = {
    Subject.PAYMENT: payments.payment,
    Subject.REFUND: refunds.refund,
    Subject.DISPUTE: disputes.dispute,
    Subject.ORDER: payments.order,
    Subject.NOTE: stuck.note,
    Subject.NOTICE: stuck.notice,
    Subject.DISCREPANCY: stuck.difference,
}


def in_words(found: Attention, *, pressed: str | None = None, said: str | None = None) -> Desk:
    """`pressed`: the item whose button was pressed just now, as `subject-id`; `said`: its answer, if no deed has it."""
    deeds = {f"{deed.subject}-{deed.subject_id}": deed for deed in found.deeds}
    groups, listed = [], set()
    for subject, heading in GROUPS:
        items = [_item(subject, row, found, deeds, pressed) for row in found.rows[subject]]
        if said:
            items = [replace(item, answer=said, answered_by="") if item.id == pressed else item for item in items]
        listed |= {item.id for item in items}
        if items:
            groups.append(Group(subject, heading, found.totals[subject], items))
    done = [
        Done(name, about_deed(deed), answer_of(deed), done_by(deed, found.now), fresh=name == pressed)
        for name, deed in deeds.items()
        if name not in listed
    ]
    refused = [stuck.refused(row, found.now) for row in found.refused]
    return Desk(found.count, groups, done, refused, _book(found), found.now)


def _item(subject: Subject, row: Any, found: Attention, deeds: Mapping[str, Deed], pressed: str | None) -> Item:
    name = f"{subject}-{row['id']}"
    said = WORDS[subject](row, found)
    deed = deeds.get(name)
    return Item(
        id=name,
        title=said.get("title") or title(row),
        about=about(row),
        state=said["state"],
        tone=said["tone"],
        what=said["what"],
        will=said["will"],
        at=row["found_at"] if subject == Subject.DISCREPANCY else row["created_at"],
        facts=tuple((label, str(value)) for label, value in said["facts"] if value),
        actions=tuple(said["actions"]),
        answer=answer_of(deed) if deed else None,
        answered_by=done_by(deed, found.now) if deed else "",
        fresh=name == pressed,
    )


def _book(found: Attention) -> BookWords:
    row, now = found.comparison, found.now
    last = f"The last comparison ended {ago(now - row['finished_at'])}" if row["finished_at"] else ""
    if last:
        last += f": {words.plural(row['compared_then'], 'payment')} of the last eight days, laid side by side."
    asked = row["asked_for_at"] and (not row["started_at"] or row["asked_for_at"] > row["started_at"])
    if found.book == Book.RUNNING:
        text = f"{words.plural(row['compared'], 'payment')} so far, begun {ago(now - row['started_at'])}."
        return BookWords(found.book, "info", "Comparing with Stripe", text, can_compare=False)
    if asked and (now - row["asked_for_at"]).total_seconds() < 60:
        return BookWords(found.book, "info", "The comparison is about to begin", last, can_compare=False)
    if asked and (now - row["asked_for_at"]).total_seconds() < 900:
        text = "It was asked for and has not begun: look whether the worker is running. " + last
        return BookWords(found.book, "warn", "The comparison has not begun", text, can_compare=True)
    match found.book:
        case Book.BROKE_OFF:
            so_far = words.plural(row["compared"], "payment")
            text = f"It broke off after {so_far}, and is tried again within ten minutes. {last}"
            return BookWords(found.book, "bad", "The comparison broke off", text, can_compare=True)
        case Book.LATE:
            text = f"It runs by itself once a day, and is late: look whether the worker is running. {last}"
            return BookWords(found.book, "warn", "The daily comparison is late", text, can_compare=True)
        case Book.NONE_YET:
            text = "It runs by itself once a day, and has not yet."
            return BookWords(found.book, "", "Stripe’s books and ours", text, can_compare=True)
    return BookWords(
        found.book, "", "Stripe’s books and ours", f"{last} It runs by itself once a day.", can_compare=True
    )
