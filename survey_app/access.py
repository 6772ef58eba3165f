"""Secrets of devices: made, written for people, and compared only as hashes.

`new_code`, `new_token`, `read_code`, `secret_hash`, `same_hash`.
"""

import base64
import hashlib
import hmac
import secrets
from datetime import timedelta

CODE_LIFE = timedelta(hours=24)
_MISREAD = str.maketrans({"0": "O", "1": "I", "8": "B", "-": None, " ": None})


def new_code() -> str:
    """A one-time enrolment code: 80 random bits in base32, in groups of four."""
    code = base64.b32encode(secrets.token_bytes(10)).decode("ascii")
    return "-".join(code[start : start + 4] for start in range(0, 16, 4))


def read_code(typed: str) -> str:
    """A code as typed by a person: case, hyphens and spaces do not matter, nor do 0, 1 and 8, which base32 lacks."""
    return typed.strip().upper().translate(_MISREAD)


def new_token() -> str:
    """A device's token: 256 random bits."""
    return secrets.token_urlsafe(32)


def secret_hash(secret: str) -> str:
    """SHA-256 is enough for secrets of 80 and more random bits: there is nothing to guess from a dictionary."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def same_hash(left: str, right: str) -> bool:
    return hmac.compare_digest(left, right)
