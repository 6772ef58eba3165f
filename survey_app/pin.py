"""The PIN of a centre's staff page: 6 to 12 digits, kept as a slow salted hash that the centre's tablets hold too.

`Pin`, `make_pin`, `is_right`, `refuse_weak`, `PinError`. A tablet checks it without network, so whoever takes a tablet
apart can try all PINs at leisure: it keeps citizens out of the staff page, and is no password of anything else.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from survey_app.problems import Problem, SipasError

ITERATIONS = 600_000
SALT_BYTES = 16
FORM = re.compile(r"[0-9]{6,12}")
_ROUND = "0123456789" * 3
_COMMON = frozenset({"112233", "121212", "123123", "123321", "131313", "159753", "147258", "147852", "654123", "789456",
                     "686868", "868686", "101010", "246810", "135790", "112358", "314159", "271828"})  # fmt: skip


class PinError(SipasError):
    """The PIN cannot be used: not 6 to 12 digits, or the first that anybody would try."""


@dataclass(frozen=True)
class Pin:
    """What is kept of a PIN: PBKDF2-HMAC-SHA256 of its digits; salt and hash in hex."""

    salt: str
    iterations: int
    hash: str


def make_pin(digits: str) -> Pin:
    """A new salt and the hash; `PinError` when anybody could guess it."""
    refuse_weak(digits)
    salt = secrets.token_bytes(SALT_BYTES)
    return Pin(salt.hex(), ITERATIONS, _hash(digits, salt, ITERATIONS))


def is_right(pin: Pin, digits: str) -> bool:
    """Whether these are its digits. The time it takes tells only whether they have the form of a PIN."""
    if not FORM.fullmatch(digits):
        return False
    return hmac.compare_digest(_hash(digits, bytes.fromhex(pin.salt), pin.iterations), pin.hash)


def refuse_weak(digits: str) -> None:
    """`PinError` unless it is 6 to 12 digits, and none of those that are tried first."""
    remedy = "choose 6 to 12 digits without a pattern, such as part of a long number that only staff know"
    if not FORM.fullmatch(digits):
        raise PinError(Problem("the PIN is not 6 to 12 digits", "PIN", remedy))
    if _patterned(digits):
        raise PinError(Problem("the PIN is one of the first that anybody would try", "PIN", remedy))


def _patterned(digits: str) -> bool:
    """Two different digits at most, a run up or down, a part said again and again, or one of the known favourites."""
    said_again = any(
        len(digits) % size == 0 and digits == digits[:size] * (len(digits) // size) for size in range(1, 4)
    )
    run = digits in _ROUND or digits in _ROUND[::-1]
    return len(set(digits)) < 3 or said_again or run or digits in _COMMON or _is_date(digits)


def _is_date(digits: str) -> bool:
    """The days people choose: a birthday, as ddmmyyyy or yyyymmdd."""
    if len(digits) != 8:
        return False
    return any(
        1900 <= int(year) <= 2039 and 1 <= int(month) <= 12 and 1 <= int(day) <= 31
        for day, month, year in ((digits[:2], digits[2:4], digits[4:]), (digits[6:], digits[4:6], digits[:4]))
    )


def _hash(digits: str, salt: bytes, iterations: int) -> str:
    return hashlib.pbkdf2_hmac("sha256", digits.encode("ascii"), salt, iterations).hex()
