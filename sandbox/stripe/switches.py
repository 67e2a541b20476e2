"""Turning a switch of faults.py: read the wish, refuse what does not exist, set or take back."""

from fnmatch import fnmatchcase

from sandbox.stripe.endpoints import OPS
from sandbox.stripe.faults import CALL_MODES, HOOK_MODES, Fault
from sandbox.stripe.machine import Machine
from sandbox.stripe.wire import Json

FIELDS = ("op", "mode", "times", "seconds", "per_second", "by")


class NoSuchSwitch(Exception):
    """The message says which there are."""


async def turn(machine: Machine, wish: Json) -> Json:
    """What is set afterwards. Raises NoSuchSwitch."""
    op, mode = str(wish.get("op", "")), str(wish.get("mode", ""))
    if unknown := [name for name in wish if name not in FIELDS]:
        raise NoSuchSwitch(f"There is no {unknown[0]}; there are {', '.join(FIELDS)}.")
    if op == "webhooks":
        return await _turn_webhooks(machine, mode)
    if not any(fnmatchcase(name, op) for name in OPS):
        raise NoSuchSwitch(f"op is webhooks, a call, or a pattern of calls: {', '.join(OPS)}.")
    if mode == "none":
        machine.faults.take_back(op)
        machine.rate.lift(op)
    elif mode == "rate":
        machine.rate.set(op, _whole(wish, "per_second"))
    elif mode in CALL_MODES:
        machine.faults.add(_fault(op, mode, wish), machine.clock())
    else:
        raise NoSuchSwitch(f"Say op and mode; mode is one of {', '.join(CALL_MODES)}, rate or none.")
    return {"faults": machine.faults.as_json(machine.clock()), "rate": machine.rate.as_json()}


async def back_to_normal(machine: Machine) -> int:
    """Every switch taken back; what was held is delivered. Returns how many notices that were."""
    machine.faults.take_back("*")
    machine.rate.lift("*")
    return int((await _turn_webhooks(machine, "release"))["released"])


def _fault(op: str, mode: str, wish: Json) -> Fault:
    fault = Fault(op, mode)
    if "times" in wish:
        fault.times = None if wish["times"] is None else _whole(wish, "times")
    if (seconds := wish.get("seconds")) is not None:
        if not isinstance(seconds, int | float) or seconds < 0:
            raise NoSuchSwitch("seconds is a number, 0 or more.")
        fault.seconds = float(seconds)
    if (by := wish.get("by")) is not None:
        if by not in ("server", "page"):
            raise NoSuchSwitch("by is server or page.")
        fault.by = by
    return fault


def _whole(wish: Json, name: str) -> int:
    number = wish.get(name)
    if not isinstance(number, int) or number < 1:
        raise NoSuchSwitch(f"{name} is a whole number, 1 or more.")
    return number


async def _turn_webhooks(machine: Machine, mode: str) -> Json:
    if mode not in HOOK_MODES:
        raise NoSuchSwitch(f"The mode of webhooks is one of {', '.join(HOOK_MODES)}.")
    released = 0
    if mode in ("release", "reverse"):
        machine.outbox.mode = "deliver"
        released = await machine.courier.release(newest_first=mode == "reverse")
    else:
        machine.outbox.mode = mode  # type: ignore[assignment]
    return {"mode": machine.outbox.mode, "released": released}
