"""Passwords: what a guesser soon has, and argon2id hashes. A hash costs 64 MiB and a good part of a core, so at most
four are made at once."""

import asyncio
import unicodedata
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from domain import passwords as rules

T = TypeVar("T")

_hasher = PasswordHasher()
_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="argon2")
# One: the library keeps the known words of a call where the next one finds them.
_guesser = ThreadPoolExecutor(max_workers=1, thread_name_prefix="guesser")
# The estimate takes a few milliseconds for this many characters, and seconds for many more of the worst kind.
PIECE = 24
# “Safely unguessable” in the words of the library: a hundred million tries are not enough.
SAFE = 3
# Stands in where there is nobody, so that the answer takes as long. Of random bytes that were thrown away.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$NIyG8q2r51LR6AO7/Dlvig$4+VIV2J9wROFxdrC3wezBB0kanjCYNR/tzgfeeOL+TU"


async def hash_chosen(password: str, *, about: Iterable[str]) -> str:
    """Of a new password. `about`: name, e-mail and host of whoever chooses it. Raises PasswordUnfit."""
    await _in_thread(_guesser, lambda: rules.check(_normal(password), about=about, is_guessable=is_guessable))
    return await hash_password(password)


async def hash_password(password: str) -> str:
    return await _in_thread(_threads, lambda: _hasher.hash(_normal(password)))


async def matches(password: str, stored: str | None) -> bool:
    """Whether the password belongs to the hash. Takes the same time when there is no hash at all."""
    found = await _in_thread(_threads, lambda: _verify(stored or _NOBODY, _normal(password)))
    return found and stored is not None


def is_outdated(stored: str) -> bool:
    """Made with weaker parameters than today's: it is made again when the password is next at hand."""
    return _hasher.check_needs_rehash(stored)


def is_guessable(text: str, known: Collection[str]) -> bool:
    """Whether no piece of it is safe: leaked passwords, words, names, keys beside each other, dates, repetitions."""
    # Its lists take 14 MB; a process in which nobody chooses a password does without them.
    from zxcvbn import zxcvbn

    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
    return not any(zxcvbn(piece, user_inputs=known)["score"] >= SAFE for piece in pieces)


def _verify(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def _normal(password: str) -> str:
    """The same characters whichever keyboard composed them."""
    return unicodedata.normalize("NFC", password)


async def _in_thread(threads: ThreadPoolExecutor, function: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(threads, function)
