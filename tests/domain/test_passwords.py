"""Which passwords may be chosen."""

import pytest

from domain import passwords
from domain.access import PasswordUnfit

ABOUT = ("Ana Kovač", "ana.kovac@tickets.example", "https://shop.example")


@pytest.mark.parametrize(
    "password",
    [
        "blue lamp under seven stairs",
        "tr8Kx!mQ2vLp",
        "Häuser am Fluss bei Nacht",
        "длинный пароль из слов",
        "4829 5831 9043 7726",
        "x" * 3 + "lantern boat rivers" + "y" * 100,
    ],
)
def test_a_long_password_of_its_own_will_do(password):
    passwords.check(password, about=ABOUT)


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("elevenchars", passwords.TOO_SHORT),
        ("", passwords.TOO_SHORT),
        ("lantern boats " * 10, passwords.TOO_LONG),
        ("passwordpassword", passwords.TOO_COMMON),
        ("Password2026!", passwords.TOO_COMMON),
        ("P@ssw0rd12345", passwords.TOO_COMMON),
        ("Winter2026!!!", passwords.TOO_COMMON),
        ("qwertyuiop123456", passwords.TOO_COMMON),
        ("123456789012", passwords.TOO_COMMON),
        ("aaaaaaaaaaaa", passwords.TOO_COMMON),
        ("abcabcabcabc", passwords.TOO_COMMON),
        ("!!!!!!!!!!!!", passwords.TOO_COMMON),
        ("correct horse battery staple", passwords.TOO_COMMON),
        ("ana.kovac2026", passwords.TOO_CLOSE),
        ("Kovač-Ana-2026", passwords.TOO_CLOSE),
        ("shop.example 1", passwords.TOO_CLOSE),
        ("foyer-tickets-ana", passwords.TOO_CLOSE),
    ],
)
def test_what_a_guesser_tries_first_is_refused_with_the_reason(password, reason):
    with pytest.raises(PasswordUnfit) as refusal:
        passwords.check(password, about=ABOUT)
    assert str(refusal.value) == reason
