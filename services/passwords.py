"""Passwords as argon2id hashes. One costs 64 MiB and a good part of a core, so at most four are made at once."""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

T = TypeVar("T")

_hasher = PasswordHasher()
_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="argon2")
# Stands in where there is nobody, so that the answer takes as long. Of random bytes that were thrown away.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$NIyG8q2r51LR6AO7/Dlvig$4+VIV2J9wROFxdrC3wezBB0kanjCYNR/tzgfeeOL+TU"


async def hash_password(password: str) -> str:
    return await _in_thread(_hasher.hash, _normal(password))


async def matches(password: str, stored: str | None) -> bool:
    """Whether the password belongs to the hash. Takes the same time when there is no hash at all."""
    found = await _in_thread(_verify, stored or _NOBODY, _normal(password))
    return found and stored is not None


def is_outdated(stored: str) -> bool:
    """Made with weaker parameters than today's: it is made again when the password is next at hand."""
    return _hasher.check_needs_rehash(stored)


def _verify(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def _normal(password: str) -> str:
    """The same characters whichever keyboard composed them."""
    return unicodedata.normalize("NFC", password)


async def _in_thread(function: Callable[..., T], *arguments: object) -> T:
    return await asyncio.get_running_loop().run_in_executor(_threads, function, *arguments)
