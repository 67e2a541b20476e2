"""Which passwords may be chosen. The estimate is the real one: a rule about leaked passwords without them is none."""

import pytest

from domain import passwords
from domain.access import PasswordUnfit
from services.passwords import is_guessable

ABOUT = ("Ana Kovač", "ana.kovac@tickets.example", "https://shop.example")


def check(password: str) -> None:
    passwords.check(password, about=ABOUT, is_guessable=is_guessable)


@pytest.mark.parametrize(
    "password",
    [
        "blue lamp under seven stairs",
        "eleven quiet harbours",
        "lantern-boat-rivers",
        "tr8Kx!mQ2vLp",
        "Häuser am Fluss bei Nacht",
        "die katze mag kein wasser",
        "длинный пароль из слов",
        "4829 5831 9043 7726",
        "x" * 3 + "lantern boat rivers" + "y" * 100,
        "password" * 4 + " seven quiet boats",
        "ana has seven quiet lamps",
        "4@8({[<369!1|0$5+7%2aaaa",
    ],
)
def test_a_long_password_of_its_own_will_do(password):
    check(password)


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
        ("a" * 128, passwords.TOO_COMMON),
        ("abcabcabcabc", passwords.TOO_COMMON),
        ("!!!!!!!!!!!!", passwords.TOO_COMMON),
        ("correct horse battery staple", passwords.TOO_COMMON),
        ("green tables", passwords.TOO_COMMON),
        ("ana.kovac2026", passwords.TOO_CLOSE),
        ("Kovač-Ana-2026", passwords.TOO_CLOSE),
        ("shop.example 1", passwords.TOO_CLOSE),
        ("foyer-tickets-ana", passwords.TOO_CLOSE),
        ("Foyer-K0v4č-2026", passwords.TOO_CLOSE),
    ],
)
def test_what_a_guesser_tries_first_is_refused_with_the_reason(password, reason):
    with pytest.raises(PasswordUnfit) as refusal:
        check(password)
    assert str(refusal.value) == reason


@pytest.mark.parametrize(
    "password",
    [
        "1q2w3e4r5t6y",
        "password123" * 4,
        "letmein123" * 4 + "let",
        "qwertyuiop" * 12,
        "aab" * 30,
        "Passwort12345!",
        "Barcelona2024!",
        "monkey dragon shadow",
        "iloveyou sunshine princess",
        "q1w2e3r4t5y6",
        "123qweasdzxc",
        "qazwsxedcrfv",
        "1qaz2wsx3edc4rfv",
        "christopher1",
        "alexandra123",
        "manchesterunited",
        "butterfly123",
        "spongebob123",
        "counterstrike",
        "123456789qwerty",
        "sonnenschein",
        "werderbremen",
        "Feuerwehr112",
        "hallo1234567",
    ],
)
def test_what_stands_in_the_lists_of_leaked_passwords_is_refused(password):
    with pytest.raises(PasswordUnfit) as refusal:
        check(password)
    assert str(refusal.value) == passwords.TOO_COMMON


def test_the_words_of_one_person_are_not_held_against_the_next():
    name = "xyloquargbrimtofel"
    assert is_guessable(name, (name,))
    assert not is_guessable(name, ())
