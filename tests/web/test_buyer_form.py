"""The buyer's name and e-mail: what is good, and kind words for what is not."""

import pytest

from web import buyer_form
from web.buyer_form import read_buyer


def errors(name: object = "Ana Kovač", email: object = "ana@example.org") -> dict[str, str]:
    return dict(read_buyer({"name": name, "email": email}).errors)


@pytest.mark.parametrize("name", ["Ana Kovač", "O’Brien", "李雷", "Zoë", "José María de la Cruz-López", "محمد", "X Æ"])
def test_names_of_every_language_are_taken_as_they_are(name: str):
    assert errors(name=name) == {}
    assert read_buyer({"name": name, "email": "a@b.org"}).name == name


def test_space_around_and_within_a_name_is_tidied():
    assert read_buyer({"name": "  Ana   Kovač ", "email": " ana@EXAMPLE.org "}).name == "Ana Kovač"
    assert read_buyer({"name": "Ana", "email": " ana@EXAMPLE.org "}).email == "ana@example.org"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", buyer_form.NO_NAME),
        ("   ", buyer_form.NO_NAME),
        (None, buyer_form.NO_NAME),
        ("12 !", buyer_form.NO_NAME),
        ("Ana\r\nBcc: x@example.org", buyer_form.ODD_NAME),
        ("Ana\tKovač", buyer_form.ODD_NAME),
        ("Ana\x00", buyer_form.ODD_NAME),
        ("Ana \u202egnp.exe", buyer_form.ODD_NAME),
        ("\ud800", buyer_form.ODD_NAME),
        ("Ana " * 40, buyer_form.LONG_NAME),
    ],
)
def test_a_name_that_cannot_be_printed_says_why(name: object, words: str):
    assert errors(name=name) == {"name": words}


@pytest.mark.parametrize(
    ("email", "words"),
    [
        ("", buyer_form.NO_EMAIL),
        (None, buyer_form.NO_EMAIL),
        ("ana", buyer_form.NO_AT),
        ("ana@", buyer_form.NO_DOMAIN),
        ("ana@example", buyer_form.NO_DOMAIN),
        ("@example.org", buyer_form.ODD_EMAIL),
        ("ana@example..org", buyer_form.ODD_EMAIL),
        ("ana kovac@example.org", buyer_form.ODD_EMAIL),
        ("ana@example.org, bo@example.org", buyer_form.ODD_EMAIL),
        ("ana@example.org\r\nBcc: x@example.org", buyer_form.ODD_EMAIL),
        ("<ana@example.org>", buyer_form.ODD_EMAIL),
        ("ána@example.org", buyer_form.FOREIGN_EMAIL),
        ("a" * 70 + "@example.org", None),
        ("a" * 60 + "@" + "b" * 60 + "." + "c" * 60 + "." + "d" * 60 + "." + "e" * 60 + ".org", buyer_form.ODD_EMAIL),
    ],
)
def test_an_email_that_cannot_arrive_says_how_to_repair_it(email: object, words: str | None):
    assert errors(email=email) == ({"email": words} if words else {})


def test_a_domain_in_another_script_is_kept_in_the_form_that_every_mail_server_takes():
    assert read_buyer({"name": "Ana", "email": "ana@exämple.org"}).email == "ana@xn--exmple-cua.org"


def test_what_was_typed_comes_back_to_be_repaired():
    form = read_buyer({"name": "", "email": "ana@"})
    assert (form.name, form.email) == ("", "ana@")
    assert list(form.errors) == ["name", "email"]
    assert not form.is_complete
