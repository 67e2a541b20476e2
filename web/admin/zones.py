"""Time zones as people look for them: by their name, or by the city alone."""

from functools import cache
from importlib.resources import files
from zoneinfo import available_timezones

from web import words

REGIONS = frozenset("Africa America Antarctica Arctic Asia Atlantic Australia Europe Indian Pacific".split())


@cache
def names() -> tuple[str, ...]:
    """What a list offers: UTC, and every zone that is called by a place."""
    return ("UTC", *sorted(name for name in available_timezones() if name.partition("/")[0] in REGIONS))


def find(typed: str) -> str | None:
    """“vienna”, “Europe/Vienna”, “new york” and “são paulo” are found, “Springfield” is not. Where the zone database
    has two names for the same place, the one of today: “buenos aires” → America/Argentina/Buenos_Aires."""
    wanted = _plain(typed)
    if wanted in _known():
        return _known()[wanted]
    places = {name for plain, name in _known().items() if plain.rpartition("/")[2] == wanted}
    if len(places) > 1:
        places = {_links().get(name, name) for name in places}
    return places.pop() if len(places) == 1 else None


def _plain(name: str) -> str:
    """Without case, accents and the signs between words."""
    return "_".join(words.fold(name).replace("-", " ").replace("_", " ").split())


@cache
def _known() -> dict[str, str]:
    return {_plain(name): name for name in names()}


@cache
def _links() -> dict[str, str]:
    """What the zone database calls the same: a name of earlier days → the name of now."""
    lines = files("tzdata").joinpath("zoneinfo", "tzdata.zi").read_text(encoding="utf-8").splitlines()
    return {name: now for kind, now, name in (line.split() for line in lines if line.startswith("L "))}
