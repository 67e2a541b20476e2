"""The panel: the switches and the Dashboard's verbs as buttons, for people who want to watch Foyer survive.

Plain forms, no scripts: each POST does one thing, leaves one line that says so, and answers 303 back to the page.
"""

from urllib.parse import parse_qsl

from litestar import Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.response import Redirect

from sandbox import pages
from sandbox.stripe import amounts, cards, disputes, refunds, switches
from sandbox.stripe.control import DASHBOARD, perform, refuse_strangers
from sandbox.stripe.endpoints import OPS
from sandbox.stripe.intents import MAY_BE
from sandbox.stripe.machine import Machine
from sandbox.stripe.presets import PRESETS
from sandbox.stripe.store import Page
from sandbox.stripe.wire import ApiError, Json

SHOWN = 30


MODES = {
    "drop_before": "connection cut, nothing done",
    "drop_after": "done, but the answer is lost",
    "hang": "done, answered after a minute",
    "late": "done a minute later",
    "500_before": "500, nothing done",
    "500_after": "500, although it was done",
    "503": "503, nothing done",
    "429": "429, too many requests",
    "lock": "429, somebody else holds the object",
    "expired": "400, the authorisation has expired",
    "down": "nobody gets through",
}
NOTICES = {
    "deliver": ("Deliver", "Notices are delivered at once."),
    "drop": ("Drop", "Notices are dropped; they never arrive."),
    "hold": ("Hold", "Notices are held back."),
    "duplicate": ("Duplicate", "Every notice is sent twice."),
}
RELEASES = {"release": "Release in order", "reverse": "Release newest first"}
BUTTONS = {
    "capture": "Capture",
    "cancel": "Cancel",
    "expire_authorisation": "Authorisation dies",
    "refund": "Refund all",
    "dispute": "Buyer disputes it",
    "succeed": "Succeeds",
    "fail": "Fails",
    "win": "Shop wins",
    "lose": "Shop loses",
}
DONE = {
    "capture": "Captured by hand.",
    "cancel": "Cancelled by hand.",
    "expire_authorisation": "The authorisation has died.",
    "refund": "Refunded by hand.",
    "dispute": "The buyer has disputed the payment.",
    "succeed": "The refund has succeeded.",
    "fail": "The refund has failed; its amount can be refunded again.",
    "win": "The dispute is won.",
    "lose": "The dispute is lost.",
}


@get("/", sync_to_thread=False)
def show_panel(machine: Machine) -> Response[str]:
    said, machine.said = machine.said, None
    now = machine.clock()
    return pages.show(
        "index.html",
        said=said,
        payments=[_payment(machine, intent) for intent in machine.store.page("payment_intent", Page(limit=SHOWN))],
        faults=[_in_words(fault) for fault in machine.faults.as_json(now)],
        rate=machine.rate.as_json(),
        mode=machine.outbox.mode,
        waiting=len(machine.outbox.waiting()),
        held=len(machine.outbox.held()),
        presets=PRESETS,
        ops=OPS,
        modes=MODES,
        notices=NOTICES,
        releases=RELEASES,
        buttons=BUTTONS,
        cards=cards.CARDS,
        show_amount=amounts.show,
        when=pages.when,
    )


@post("/panel/preset", guards=[refuse_strangers], status_code=303)
async def press(request: Request, machine: Machine) -> Redirect:
    preset = PRESETS.get((await _form(request)).get("preset", ""))
    if preset is None:
        raise NotFoundException("There is no such button.")
    await switches.turn(machine, preset.wish)
    return _back(machine, f"Set: {preset.words}.")


@post("/panel/fault", guards=[refuse_strangers], status_code=303)
async def set_fault(request: Request, machine: Machine) -> Redirect:
    form = await _form(request)
    times = form.get("times", "")
    wish: Json = {"op": form.get("op"), "mode": form.get("mode"), "by": "server"}
    try:
        await switches.turn(machine, wish | {"times": int(times) if times.isdecimal() else None})
    except switches.NoSuchSwitch as refusal:
        return _back(machine, f"Not done. {refusal}")
    return _back(machine, f"Set: {_call(form['op'])}, {MODES.get(form['mode'], form['mode'])}.")


@post("/panel/notices", guards=[refuse_strangers], status_code=303)
async def set_notices(request: Request, machine: Machine) -> Redirect:
    mode = (await _form(request)).get("mode", "")
    try:
        outcome = await switches.turn(machine, {"op": "webhooks", "mode": mode})
    except switches.NoSuchSwitch as refusal:
        return _back(machine, f"Not done. {refusal}")
    if mode in RELEASES:
        return _back(machine, f"{_notices(outcome['released'])} sent. Notices are delivered again.")
    return _back(machine, NOTICES[mode][1])


@post("/panel/normal", guards=[refuse_strangers], status_code=303)
async def back_to_normal(machine: Machine) -> Redirect:
    released = await switches.back_to_normal(machine)
    return _back(machine, "Everything is back to normal." + (f" {_notices(released)} sent." if released else ""))


@post("/panel/{kind:str}/{thing_id:str}/{verb:str}", guards=[refuse_strangers], status_code=303)
async def act(request: Request, machine: Machine, kind: str, thing_id: str, verb: str) -> Redirect:
    if verb not in DASHBOARD.get(kind, {}) or verb not in DONE:
        raise NotFoundException("There is no such button.")
    try:
        perform(machine, kind, thing_id, verb, _params(machine, thing_id, await _form(request)))
    except ApiError as refusal:
        return _back(machine, f"Not done. {refusal}")
    return _back(machine, DONE[verb])


PANEL = [show_panel, press, set_fault, set_notices, back_to_normal, act]


def _payment(machine: Machine, intent: Json) -> Json:
    """An intent, what came after it, and the verbs that a person at the Dashboard has now."""
    its_refunds = machine.store.page("refund", Page(parent=intent["id"]))
    its_disputes = machine.store.page("dispute", Page(parent=intent["id"]))
    return {
        "intent": intent,
        "verbs": _verbs(intent, its_refunds, its_disputes),
        "left": intent["amount_received"] - _refunded(its_refunds),
        "refunds": [(refund, _outcomes(refund)) for refund in its_refunds],
        "disputes": [(dispute, _verdicts(dispute)) for dispute in its_disputes],
    }


def _verbs(intent: Json, its_refunds: list[Json], its_disputes: list[Json]) -> list[str]:
    status = intent["status"]
    if status == "requires_capture":
        return ["capture", "cancel", "expire_authorisation"]
    if status in MAY_BE["canceled"]:
        return ["cancel"]
    verbs = []
    if status == "succeeded":
        refundable = all(dispute["is_charge_refundable"] for dispute in its_disputes)
        if refundable and _refunded(its_refunds) < intent["amount_received"]:
            verbs.append("refund")
        if not any(dispute["status"] in disputes.OPEN for dispute in its_disputes):
            verbs.append("dispute")
    return verbs


def _refunded(its_refunds: list[Json]) -> int:
    return sum(refund["amount"] for refund in its_refunds if refund["status"] in ("pending", "succeeded"))


def _outcomes(refund: Json) -> list[str]:
    return [
        verb for verb, to in (("succeed", "succeeded"), ("fail", "failed")) if refund["status"] in refunds.MAY_BE[to]
    ]


def _verdicts(dispute: Json) -> list[str]:
    return ["win", "lose"] if dispute["status"] in disputes.OPEN else []


def _in_words(fault: Json) -> str:
    often = {None: "until taken back", 1: "once"}.get(fault["times"], f"{fault['times']} times")
    if fault["mode"] == "down" and fault["seconds"] is not None:
        often = "until its time is over"
    return f"{_call(fault['op'])}: {MODES[fault['mode']]}, {often}"


def _call(op: str) -> str:
    return "Every call" if op == "*" else op


def _notices(number: int) -> str:
    return "1 notice was" if number == 1 else f"{number} notices were"


def _params(machine: Machine, thing_id: str, form: dict[str, str]) -> Json:
    """A part of the amount, as people write money."""
    if not form.get("amount"):
        return {}
    intent = machine.store.get(thing_id, "payment_intent")
    return {"amount": amounts.read(form["amount"], intent["currency"])} if intent else {}


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace")))


def _back(machine: Machine, said: str) -> Redirect:
    """One line for the next look at the page."""
    machine.said = said
    return Redirect("/", status_code=303)
