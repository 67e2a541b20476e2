"""Clock times as organisers type them, and the moments they mean in a time zone. Clocks skip an hour and repeat one."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from domain.errors import Refusal

A_SECOND = timedelta(seconds=1)


@dataclass(eq=False)
class NoSuchTime(Refusal):
    """Clocks jump over this local time. `next_local`: the first that they show after it."""

    next_local: datetime


def moment(local: datetime, zone: tzinfo) -> datetime:
    """The moment when clocks show `local` (which has no zone); the first when they show it twice. Raises NoSuchTime."""
    found = local.replace(tzinfo=zone).astimezone(UTC)
    if on_clocks(found, zone) != local:
        raise NoSuchTime(_after_the_jump(local, zone))
    return found


def on_clocks(moment: datetime, zone: tzinfo) -> datetime:
    """What clocks show at that moment."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def comes_twice(moment: datetime, zone: tzinfo) -> bool:
    """Whether clocks show the same time again: at the end of summer time."""
    local = moment.astimezone(zone)
    return local.replace(fold=0).utcoffset() > local.replace(fold=1).utcoffset()  # type: ignore[operator]


def carried(moment: datetime, old: tzinfo, new: tzinfo) -> datetime:
    """The same clock time in another zone; where clocks jump over it, the next."""
    return _nearest(on_clocks(moment, old), new)


def carried_span(
    start: datetime | None, end: datetime | None, old: tzinfo, new: tzinfo
) -> tuple[datetime | None, datetime | None]:
    """Start and end, either of which may be open, carried. Where the clocks there jump over the time between them, or
    would turn the two around, it lasts as long as it did."""
    first, last = (carried(moment, old, new) if moment else None for moment in (start, end))
    if start and end and first and last and last <= first:
        last = first + (end - start)
    return first, last


def moved_along(moment: datetime, *, was: datetime, to: datetime, zone: tzinfo) -> datetime:
    """What belongs to something that moves from `was` to `to` moves with it, by what clocks show: 17:00 stays 17:00
    when the day changes, also over the end of summer time. Never before `to`."""
    local = on_clocks(moment, zone) + (on_clocks(to, zone) - on_clocks(was, zone))
    return max(_nearest(local, zone), to)


def _nearest(local: datetime, zone: tzinfo) -> datetime:
    try:
        return moment(local, zone)
    except NoSuchTime as refusal:
        return moment(refusal.next_local, zone)


def _after_the_jump(local: datetime, zone: tzinfo) -> datetime:
    """Fold 1 of a time that does not exist lies before the jump, fold 0 after it: halve until the second is found."""
    before, after = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (1, 0))
    offset = after.astimezone(zone).utcoffset()
    while after - before > A_SECOND:
        middle = before + (after - before) // 2
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return on_clocks(after, zone).replace(microsecond=0)
