"""Which passwords may be chosen: long ones that nobody tries first (after NIST SP 800-63B, 3.1.1.2).

Length is what counts; there are no rules about capitals and digits. What everybody expects is taken away first: the
words of this place and this person, months, seasons, and what stands between them. What is left must be hard to guess.
"""

import re
from collections.abc import Callable, Collection, Iterable

from domain.access import PasswordUnfit

SHORTEST, LONGEST = 12, 128

TOO_SHORT = f"Use at least {SHORTEST} characters. Three or four unrelated words are easy to remember."
TOO_LONG = f"Use at most {LONGEST} characters."
TOO_COMMON = "Many people choose this one, or one like it, so a guesser tries it early. Add a few unrelated words."
TOO_CLOSE = "This is mostly your name, your address or ours. Add a few unrelated words."

OURS = ("foyer", "boxoffice", "organiser", "organizer", "tickets", "ticket", "events", "event")
# What the estimate thinks too well of: it has never seen a famous passphrase, nor favourites of other languages, and to
# it a season is a word like others.
EXPECTED = (
    "correct horse battery staple winter spring summer autumn january february march april may june july august "
    "september october november december monday tuesday wednesday thursday friday saturday sunday "
    "willkommen fortnite ichliebedich jetaime teamo schmetterling "
    "passwort motdepasse contrasena wachtwoord haslo parola changeme iloveyou princess sunshine superman batman dragon "
    "monkey shadow football baseball liverpool chelsea arsenal barcelona juventus realmadrid pokemon minecraft "
    "starwars qwertz yxcvbn"
).split()

# Whether a guesser who knows these words soon has this text.
Guessable = Callable[[str, Collection[str]], bool]


def check(password: str, *, about: Iterable[str], is_guessable: Guessable) -> None:
    """`about`: name, e-mail and host, whose words are no secret. Raises PasswordUnfit with the reason."""
    if len(password) < SHORTEST:
        raise PasswordUnfit(TOO_SHORT)
    if len(password) > LONGEST:
        raise PasswordUnfit(TOO_LONG)
    unexpected = _without(EXPECTED, _once(password))
    if is_guessable(unexpected, ()):
        raise PasswordUnfit(TOO_COMMON)
    known = [*OURS, *_words(about)]
    if is_guessable(_without(known, unexpected), known):
        raise PasswordUnfit(TOO_CLOSE)


def _once(password: str) -> str:
    """One thing again and again is as easy as once: “letmein123letmein123let” is “letmein123”."""
    length = len(password)
    periods = (password[:size] for size in range(1, length // 2 + 1))
    return next((once for once in periods if (once * length).startswith(password)), password)


def _words(about: Iterable[str]) -> list[str]:
    return [word for text in about for word in re.split(r"[\W_]+", text.casefold()) if len(word) >= 3]


def _without(words: Iterable[str], text: str) -> str:
    """Longest first: “tickets” goes before “ticket”."""
    known = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.sub(rf"{known}|[\s._-]+", "", text, flags=re.IGNORECASE)
