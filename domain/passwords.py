"""Which passwords may be chosen: long ones that nobody tries first (after NIST SP 800-63B, 3.1.1.2).

Length is what counts; there are no rules about capitals and digits. What is refused is what guessers begin with:
the known favourites, the words of this place and this person, runs and repetitions, and these with a year behind.
"""

import re
from collections.abc import Iterable

from domain.access import PasswordUnfit

SHORTEST, LONGEST = 12, 128

TOO_SHORT = f"Use at least {SHORTEST} characters. Three or four unrelated words are easy to remember."
TOO_LONG = f"Use at most {LONGEST} characters."
TOO_COMMON = "Many people choose this one, so it is among the first that a guesser tries. Add a few unrelated words."
TOO_CLOSE = "This is mostly your name, your address or ours. Add a few unrelated words."

# What the lists of leaked passwords are made of. A password must have something besides them.
FAVOURITES = (
    "password passwort passw0rd p@ssword p@ssw0rd motdepasse contrasena wachtwoord haslo parola letmein welcome "
    "willkommen changeme secret default iloveyou princess sunshine football baseball basketball superman batman "
    "dragon monkey shadow master michael jordan charlie michelle jennifer jessica ashley nicole daniel thomas "
    "liverpool chelsea arsenal barcelona starwars pokemon minecraft fortnite trustno1 whatever freedom hello "
    "computer internet login admin administrator root user guest test temp qwerty qwertz azerty asdfgh yxcvbn "
    "zxcvbn qazwsx 1q2w3e 1qaz2wsx zaq12wsx abc123 a1b2c3 123abc 123qwe correcthorsebatterystaple correct horse "
    "battery staple january february march april june july august september october november december monday "
    "tuesday wednesday thursday friday saturday sunday spring summer autumn winter ticket tickets event events"
).split()
OURS = ("foyer", "boxoffice", "organiser", "organizer")
RUNS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm")
# What must be left once favourites, runs and repetitions are taken away.
OF_ITS_OWN = 6


def check(password: str, *, about: Iterable[str] = ()) -> None:
    """`about`: name, e-mail and host, whose words are no secret. Raises PasswordUnfit with the reason."""
    if len(password) < SHORTEST:
        raise PasswordUnfit(TOO_SHORT)
    if len(password) > LONGEST:
        raise PasswordUnfit(TOO_LONG)
    rest = _without(password.casefold(), FAVOURITES)
    if not _has_something_of_its_own(rest):
        raise PasswordUnfit(TOO_COMMON)
    if not _has_something_of_its_own(_without(rest, [*OURS, *_words(about)])):
        raise PasswordUnfit(TOO_CLOSE)


def _without(text: str, words: Iterable[str]) -> str:
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, " ")
    return text


def _words(about: Iterable[str]) -> list[str]:
    return [word for text in about for word in re.split(r"[\W_]+", text.casefold()) if len(word) >= 3]


def _has_something_of_its_own(text: str) -> bool:
    """Letters that are neither a run nor the same few again and again; digits at the end are a year."""
    letters = re.sub(r"[\W_]+|\d{1,4}$", "", text)
    for run in RUNS:
        letters = _without(letters, _pieces(run) + _pieces(run[::-1]))
    return len(letters) >= OF_ITS_OWN and len(set(letters)) >= OF_ITS_OWN - 1 and not _repeats(letters)


def _pieces(run: str) -> list[str]:
    return [run[start : start + 4] for start in range(len(run) - 3)]


def _repeats(letters: str) -> bool:
    return re.fullmatch(r"(.{1,8}?)\1+", letters) is not None
