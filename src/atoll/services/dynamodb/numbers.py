"""DynamoDB's numbers: up to 38 significant digits, magnitudes from 1E-130 to 9.99E+125, kept as text in one canonical form.

Canonical is the plain decimal without exponent, plus sign, or zeros that add nothing: equal numbers are equal texts.

    encoded   sign (1)   exponent (1)   digit pairs (1 each)   end (1)
    positive  81         e + 129        pair + 1 (01 to 64)    00
    zero      80
    negative  7F         all the complement of the positive's

where the value is 0.d1d2d3... x 10^e and d1 is not 0. So bytes sort as numbers do, and none is a prefix of another.
"""

import re
from decimal import Context, Decimal
from functools import lru_cache

from atoll.aws.errors import AwsError

DIGITS_MAX = 38
MAGNITUDE_MIN, MAGNITUDE_MAX = -130, 125
_EXPONENT_MAX = 2**63 - 1
_PLAIN_DIGITS_MAX = 38
_SMALL_CHARACTERS_MAX = 36  # of two whole numbers whose sum is sure to be one too, of at most 38 digits
_ENCODED_KEPT_MAX = 16_384
_EXPONENT_OFFSET = 129
_ZERO = b"\x80"
_COMPLEMENT = bytes(255 - byte for byte in range(256))

_NUMBER = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?", re.ASCII)
# Wide enough for the sum of the greatest and the least number there are: sums are exact before they are judged.
_EXACT = Context(prec=300, Emax=999, Emin=-999)

_OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
_UNDERFLOW = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
_TOO_PRECISE = "Attempting to store more than 38 significant digits in a Number"
_NOT_NUMERIC = "The parameter cannot be converted to a numeric value"


def normalise(text: str) -> str:
    """The canonical form of a number as a caller wrote it."""
    if len(text) <= _PLAIN_DIGITS_MAX and text.isdecimal() and text.isascii() and text[0] != "0":
        return text
    negative, digits, exponent = _read(text)
    if not digits:
        return "0"
    return "-" + _plain(digits, exponent) if negative else _plain(digits, exponent)


def _read(text: str) -> tuple[bool, str, int]:
    """(negative, digits, e) where the value is 0.digits x 10^e; no digits is zero."""
    match = _NUMBER.fullmatch(text)
    if match is None or not (match[2] or match[3]):
        raise AwsError("ValidationException", f"{_NOT_NUMERIC}: {text}" if text else _NOT_NUMERIC)
    whole, fraction = match[2], match[3] or ""
    exponent = _exponent(match[4] or "0", text)
    digits = (whole + fraction).lstrip("0")
    if not digits:
        # AWS judges a zero by the exponent it is written with.
        _check_magnitude(exponent - len(fraction))
        return False, "", 0
    point = len(digits) - len(fraction) + exponent
    digits = digits.rstrip("0")
    _check_magnitude(point - 1)
    if len(digits) > DIGITS_MAX:
        raise AwsError("ValidationException", _TOO_PRECISE)
    return match[1] == "-", digits, point


def _exponent(text: str, number: str) -> int:
    # A text of a million digits would take a second to become an int, and none of 20 or more fits.
    sign, digits = text[0] == "-", text.lstrip("+-").lstrip("0") or "0"
    if len(digits) > len(str(_EXPONENT_MAX)) or int(digits) > _EXPONENT_MAX:
        raise AwsError("ValidationException", f"{_NOT_NUMERIC}: {number}")
    return -int(digits) if sign else int(digits)


def _check_magnitude(magnitude: int) -> None:
    if magnitude > MAGNITUDE_MAX:
        raise AwsError("ValidationException", _OVERFLOW)
    if magnitude < MAGNITUDE_MIN:
        raise AwsError("ValidationException", _UNDERFLOW)


def _plain(digits: str, exponent: int) -> str:
    if exponent <= 0:
        return "0." + "0" * -exponent + digits
    if exponent >= len(digits):
        return digits + "0" * (exponent - len(digits))
    return f"{digits[:exponent]}.{digits[exponent:]}"


def parse(text: str) -> Decimal:
    return Decimal(text)


def add(a: str, b: str) -> str:
    if len(a) + len(b) <= _SMALL_CHARACTERS_MAX and "." not in a and "." not in b:
        return str(int(a) + int(b))
    return _result(_EXACT.add(Decimal(a), Decimal(b)))


def subtract(a: str, b: str) -> str:
    if len(a) + len(b) <= _SMALL_CHARACTERS_MAX and "." not in a and "." not in b:
        return str(int(a) - int(b))
    return _result(_EXACT.subtract(Decimal(a), Decimal(b)))


def _result(number: Decimal) -> str:
    if not number:
        return "0"
    digits = "".join(map(str, number.as_tuple().digits)).rstrip("0")
    if len(digits) > DIGITS_MAX:
        # What AWS says of a sum it can't keep exactly, though the range is not the trouble.
        raise AwsError("ValidationException", _OVERFLOW)
    return normalise(format(number, "f"))


def size(text: str) -> int:
    """The bytes a canonical number takes of an item's size: as AWS counts, digits on either side of the point pair up apart."""
    if text == "0":
        return 1
    sign = 1 if text[0] == "-" else 0
    whole, _, fraction = text[sign:].partition(".")
    if not fraction:
        return 1 + (len(whole.rstrip("0")) + 1) // 2 + sign
    if whole == "0":
        return 1 + (len(fraction.lstrip("0")) + 1) // 2 + sign
    return 1 + (len(whole) + 1) // 2 + (len(fraction) + 1) // 2 + sign


@lru_cache(maxsize=_ENCODED_KEPT_MAX)
def encode(text: str) -> bytes:
    """Of a canonical number."""
    if text == "0":
        return _ZERO
    negative, digits, exponent = _read(text)
    padded = digits + "0" if len(digits) % 2 else digits
    pairs = bytes(int(padded[at : at + 2]) + 1 for at in range(0, len(padded), 2))
    positive = bytes((0x80, exponent + _EXPONENT_OFFSET)) + pairs + b"\x00"
    if negative:
        return positive.translate(_COMPLEMENT)
    return b"\x81" + positive[1:]
