"""Money as Stripe takes it: whole smallest units, a minimum per currency, eight digits at most."""

from decimal import Decimal, InvalidOperation

from sandbox.stripe.wire import Json, refuse_parameter

LARGEST = 99_999_999
# Published minimum charges in the smallest unit; other currencies need the worth of 0.50 US dollars.
SMALLEST = {
    "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50,
    "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50,
    "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000, "usd": 50,
}  # fmt: skip
ZERO_DECIMAL = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())
THREE_DECIMAL = frozenset("bhd jod kwd omr tnd".split())
# Without hundredths in life, and counted in them all the same: the last two digits must be 00.
HUNDREDTHS_OF_NOTHING = frozenset({"isk", "ugx"})
CURRENCIES = (
    ZERO_DECIMAL
    | THREE_DECIMAL
    | frozenset(SMALLEST)
    | frozenset(
        "afn all amd ang aoa ars awg azn bam bbd bdt bmd bnd bob bsd bwp byn bzd cdf cny cop crc cve dop dzd egp "
        "etb fjd fkp gel gip gmd gtq gyd hnl htg idr ils isk jmd kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl "
        "mkd mmk mnt mop mur mvr mwk mzn nad ngn nio npr pab pen pgk php pkr qar rsd rub sar sbd scr shp sle sos "
        "srd std szl tjs top try ttd twd tzs uah ugx uyu uzs wst xcd yer zar zmw".split()
    )
)


def chargeable(amount: str | None, currency: str | None) -> tuple[int, str]:
    """The amount and currency of a payment, or a 400 that names what is wrong with them."""
    if not amount:
        refuse_parameter("amount", "parameter_missing", "Missing required param: amount.")
    if not currency:
        refuse_parameter("currency", "parameter_missing", "Missing required param: currency.")
    currency = currency.lower()
    if currency not in CURRENCIES:
        refuse_parameter("currency", None, f"Invalid currency: {currency}.")
    return _within_limits(int(amount), currency), currency


def part_of(params: Json, name: str, most: int, currency: str, message: str) -> int:
    """An optional part of an amount: all of it when absent, a 400 when it is not between 1 and `most`."""
    amount = int(params.get(name) or most)
    if amount < 1:
        refuse_parameter(name, "parameter_invalid_integer", "This value must be greater than or equal to 1.")
    if amount > most:
        refuse_parameter(name, "amount_too_large", message.format(amount=amount, most=most))
    _check_last_digits(amount, currency)
    return amount


def show(amount: int, currency: str) -> str:
    decimals = _decimals(currency)
    return f"{amount / 10**decimals:,.{decimals}f} {currency.upper()}"


def read(text: str, currency: str) -> str:
    """An amount as people write it (12.50 or 12,50) in smallest units, as the API takes it."""
    try:
        units = Decimal(text.strip().replace(",", ".")).scaleb(_decimals(currency))
    except InvalidOperation:
        units = Decimal("NaN")
    if not units.is_finite() or units != units.to_integral_value():
        refuse_parameter("amount", "parameter_invalid_integer", f"“{text}” is not an amount in {currency.upper()}.")
    return str(int(units))


def _decimals(currency: str) -> int:
    return 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2


def _within_limits(amount: int, currency: str) -> int:
    least = SMALLEST.get(currency, 50)
    if amount < least:
        refuse_parameter("amount", "amount_too_small", f"Amount must be at least {show(least, currency)}.")
    if amount > LARGEST:
        refuse_parameter("amount", "amount_too_large", f"Amount must be no more than {show(LARGEST, currency)}.")
    _check_last_digits(amount, currency)
    return amount


def _check_last_digits(amount: int, currency: str) -> None:
    if currency in THREE_DECIMAL and amount % 10:
        refuse_parameter("amount", None, f"Amounts in {currency} must have 0 as their last digit.")
    if currency in HUNDREDTHS_OF_NOTHING and amount % 100:
        refuse_parameter("amount", None, f"Amounts in {currency} must have 00 as their last digits.")
