"""Time-based one-time codes (RFC 6238: SHA-1, half minutes, six digits), for secrets of any length.

The usual library refuses secrets below 112 bits, which authenticator set-ups of web applications still hand out.
"""

import base64
import hashlib
import hmac
from datetime import datetime

_STEP = 30
_DIGITS = 6


def key(secret: str) -> bytes:
    """The key behind a base32 text, spaces and letter case aside. Raises ValueError for any other text."""
    text = "".join(secret.split()).rstrip("=").upper()
    if not text:
        raise ValueError("empty")
    return base64.b32decode(text + "=" * (-len(text) % 8))


def code(secret: str, moment: datetime) -> str:
    """The six digits that hold at that aware moment."""
    counter = (int(moment.timestamp()) // _STEP).to_bytes(8, "big")
    digest = hmac.new(key(secret), counter, hashlib.sha1).digest()
    start = digest[-1] & 0x0F
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**_DIGITS).zfill(_DIGITS)
