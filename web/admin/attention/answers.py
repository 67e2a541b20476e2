"""What came of what somebody did, told from the audit."""

from datetime import datetime

from domain.attention import Subject
from models.attention import Deed
from services import attention, seats
from web import words
from web.admin.attention.disputes import DISPUTE_STATES
from web.admin.durations import ago

PROBLEMS = {
    "no_answer": "Stripe does not answer.",
    "line": "Many questions are waiting for Stripe just now.",
    "broken": "That went wrong on our side, and the log says how.",
}
UNCHANGED, ON_ITS_WAY = "Nothing has changed.", "Something was begun, and goes on by itself."
BECAME: dict[tuple[str, str], str] = {
    ("payment", "CREATING"): "Nothing can be asked yet.",
    ("payment", "OPEN"): "Stripe says: not paid.",
    ("payment", "CAPTURING"): "Stripe says: not decided yet.",
    ("payment", "VOIDING"): "Stripe says: not let go yet.",
    ("payment", "CAPTURED"): "Stripe says: taken.",
    ("payment", "VOIDED"): "Stripe says: not taken. Nobody is charged.",
    ("payment", "REFUNDED"): "Stripe says: taken, by hand and where nothing could be given for it. It goes back.",
    ("refund", "REQUESTED"): "Stripe does not have it yet.",
    ("refund", "PENDING"): "Stripe says: on its way. The bank takes its time.",
    ("refund", "SUCCEEDED"): "Stripe says: it went back.",
    ("refund", "FAILED"): "Stripe says: it did not go back. The money is still with us.",
    ("discrepancy", "AGREES"): "Stripe and Foyer agree now.",
    ("discrepancy", "DIFFERS"): "Asked again: they still differ.",
}


def answer_of(deed: Deed) -> str:
    """What came of it."""
    match deed.action:
        case attention.SEEN:
            return "Seen."
        case attention.TRIED:
            return "It is being tried again."
        case attention.RETURNED:
            count = int(deed.after.get("tickets", 0))
            return f"{words.plural(count, 'seat')} {'is' if count == 1 else 'are'} on sale again."
        case seats.TAKEN_BACK:
            count = int(deed.after.get("tickets", 0))
            return f"{words.plural(count, 'ticket')} {'is' if count == 1 else 'are'} valid again. The buyer is told."
    problem, status = deed.after.get("problem"), str(deed.after.get("status"))
    if problem:
        said = PROBLEMS.get(problem, f"Stripe refuses the question ({problem}).")
        return f"{said} {UNCHANGED if deed.before.get('status') == status else ON_ITS_WAY}"
    if deed.action == attention.MADE_TICKETS:
        return f"The tickets of {deed.after.get('order', 'the order')} are made."
    if deed.subject == Subject.DISPUTE:
        return f"Stripe says: {DISPUTE_STATES.get(status, (status, ''))[0].lower()}."
    said = BECAME.get((deed.subject, status), f"Stripe says: {status.lower()}.")
    return f"{said} The order {deed.after['order']} was made." if deed.after.get("order") else said


def about_deed(deed: Deed) -> str:
    row = deed.about
    if deed.subject == Subject.NOTE:
        return "Work that was stuck"
    if not row["buyer_name"]:
        return {"notice": "A notice from Stripe", "discrepancy": "A payment at Stripe"}.get(deed.subject, "A payment")
    return f"{row['buyer_name']} · {words.money(row['amount'], row['currency'])} · {row['title']}"


def done_by(deed: Deed, now: datetime) -> str:
    return f"{deed.actor}, {ago(now - deed.at)}"
