"""Time zones as people look for them: by their name, or by the city alone."""

from functools import cache
from zoneinfo import available_timezones

REGIONS = frozenset("Africa America Antarctica Arctic Asia Atlantic Australia Europe Indian Pacific".split())


@cache
def names() -> tuple[str, ...]:
    """What a list offers: UTC, and every zone that is called by a place."""
    return ("UTC", *sorted(name for name in available_timezones() if name.partition("/")[0] in REGIONS))


def find(typed: str) -> str | None:
    """“vienna”, “Europe/Vienna” and “new york” are found, “Springfield” is not."""
    wanted = typed.strip().replace(" ", "_").casefold()
    by_name = {name.casefold(): name for name in names()}
    if wanted in by_name:
        return by_name[wanted]
    by_city = {name for name in names() if name.rpartition("/")[2].casefold() == wanted}
    return by_city.pop() if len(by_city) == 1 else None
