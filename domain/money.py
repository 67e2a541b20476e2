"""Money: whole minor units with a currency, never a float."""

# ISO 4217 currencies whose minor unit is not a hundredth, as far as card payments know them.
ZERO_DECIMAL = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF UGX VND VUV XAF XOF XPF".split())
THREE_DECIMAL = frozenset("BHD JOD KWD OMR TND".split())

# Above this a price is a typing error, and sums still fit every provider's limits.
MAX_PRICE = 100_000_00


def decimals(currency: str) -> int:
    """Digits after the decimal point: 2 for EUR, 0 for JPY, 3 for KWD."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def line_total(*, unit_price: int, quantity: int) -> int:
    """Minor units."""
    return unit_price * quantity
