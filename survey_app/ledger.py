"""Content hash and chain: pure functions from a response to the hashes that prove it was not altered.

`canonical`, `content_hash`, `link`, `GENESIS`, `text_hmac`.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping

from survey_app.response import Response, as_json

GENESIS = "0" * 64
"""What the first link of every chain is joined to."""

Plain = str | int | None


def text_hmac(text: str, key: bytes) -> str:
    return hmac.digest(key, text.encode("utf-8"), "sha256").hex()


def canonical(response: Response, key: bytes) -> bytes:
    """The response as compact JSON with sorted keys, each free text replaced by its HMAC.

    This form is hashed and stored; a comment purged later therefore leaves the chain whole.
    """
    data = as_json(response)
    texts = {item: value for item, value in data["answers"].items() if isinstance(value, str)}
    data["answers"] |= {item: {"hmac": text_hmac(value, key)} for item, value in texts.items()}
    return compact(data)


def compact(data: object) -> bytes:
    """Canonical JSON: sorted keys, UTF-8, no spaces."""
    return _ENCODER.encode(data).encode("utf-8")


_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def content_hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def link(previous_head: str, row: Mapping[str, Plain]) -> str:
    """The chain's next head: SHA-256 over the previous head and every column of the row but content and chain."""
    return hashlib.sha256(previous_head.encode("ascii") + b"\n" + compact(dict(row))).hexdigest()
