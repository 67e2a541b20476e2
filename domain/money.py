"""Money: whole minor units with a currency, never a float."""

import re

# ISO 4217 currencies whose minor unit is not a hundredth, as far as card payments know them.
ZERO_DECIMAL = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW MGA PYG RWF UGX VND VUV XAF XOF XPF".split())
THREE_DECIMAL = frozenset("BHD JOD KWD OMR TND".split())

# Above this a price is a typing error. Ten of them, the most per order unless it is said otherwise, are still one
# payment: card payments have eight digits.
MAX_PRICE = 9_999_999

# The least that a card is charged, in minor units: Stripe, “Minimum and maximum charge amounts”.
SMALLEST_CHARGE = {
    "AED": 200, "AUD": 50, "BGN": 100, "BRL": 50, "CAD": 50, "CHF": 50, "CZK": 1500, "DKK": 250, "EUR": 50,
    "GBP": 30, "HKD": 400, "HUF": 17500, "INR": 50, "JPY": 50, "MXN": 1000, "MYR": 200, "NOK": 300, "NZD": 50,
    "PLN": 200, "RON": 200, "SEK": 300, "SGD": 50, "THB": 1000, "USD": 50,
}  # fmt: skip

# What people write before or after an amount in a currency, beside its code.
SIGNS = {
    "€": "EUR",
    "£": "GBP EGP",
    "$": "USD AUD CAD NZD SGD HKD TWD MXN ARS CLP COP",
    "¥": "JPY CNY",
    "₩": "KRW",
    "₹": "INR",
    "₺": "TRY",
    "₽": "RUB",
    "₴": "UAH",
    "₪": "ILS",
    "zł": "PLN",
    "Kč": "CZK",
    "kr": "DKK NOK SEK ISK",
    "Ft": "HUF",
    "lei": "RON",
    "Fr.": "CHF",
}

# 24, 24.5, 24.50 and 24,50 alike; digits are ASCII, and no thousands are grouped: 1,000 could mean either.
BLANK = " \t\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"
AMOUNT = re.compile(r"([0-9]{1,12})(?:[.,]([0-9]{1,3}))?")


def decimals(currency: str) -> int:
    """Digits after the decimal point: 2 for EUR, 0 for JPY, 3 for KWD."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def line_total(*, unit_price: int, quantity: int) -> int:
    """Minor units."""
    return unit_price * quantity


def parse(text: str, currency: str) -> int | None:
    """Minor units of an amount as people type it; None when it is not one, or finer than the currency goes.

    The currency's own sign or code may stand before or after it; another one's is refused, not ignored.
    """
    typed = AMOUNT.fullmatch(_without_sign(text.strip(BLANK), currency))
    if typed is None:
        return None
    whole, fraction = typed[1], typed[2] or ""
    digits = decimals(currency)
    if len(fraction) > digits:
        return None
    return int(whole + fraction.ljust(digits, "0"))


def _without_sign(text: str, currency: str) -> str:
    signs = [currency, *(sign for sign, used_for in SIGNS.items() if currency in used_for.split())]
    for sign in map(str.casefold, signs):
        if text.casefold().startswith(sign):
            return text[len(sign) :].lstrip(BLANK)
        if text.casefold().endswith(sign):
            return text[: -len(sign)].rstrip(BLANK)
    return text


def major(minor: int, currency: str) -> str:
    """As `parse` reads it: 24.00 for euros, 2400 for yen."""
    digits = decimals(currency)
    if not digits:
        return str(minor)
    return f"{minor // 10**digits}.{minor % 10**digits:0{digits}d}"
