"""What a request passes before it reaches the site: the length of its address, the rate limit, its body, its login.

Facts from frappe (app.py, auth.py, rate_limiter.py).
"""

import base64
import math
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode

from nexudus_sandbox.erpnext import errors
from nexudus_sandbox.erpnext.filters import explain
from nexudus_sandbox.erpnext.options import RateLimit
from nexudus_sandbox.erpnext.permissions import GUEST, User
from nexudus_sandbox.wire import Request
from nexudus_sync import codec


def url_length(request: Request) -> int:
    """Characters of path and query as they were sent."""
    return len(urlencode({"": request.path})) + len(urlencode(request.query))


def read_form(version: int, request: Request) -> Any:
    """The parameters of a request: its body if there is one, else its query; a JSON body hides the query.

    Raises 417 (version 15: 500) for a body that is no JSON.
    """
    if not request.body:
        return dict(request.query)
    if "x-www-form-urlencoded" in request.headers.get("content-type", ""):
        return {**request.query, **dict(parse_qsl(request.body.decode(), keep_blank_values=True))}
    try:
        return codec.loads(request.body)
    except ValueError as error:
        if version >= 16:
            raise errors.thrown("DataError", "Invalid request body") from error
        text = explain(request.body.decode(errors="replace"), error)
        raise errors.python("JSONDecodeError", text, "json.decoder.") from error


def log_in(users: Iterable[User], header: str) -> User:
    """The user that the key belongs to; a guest without a header. Raises 401 for an unknown key."""
    if not header:
        return User(GUEST)
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() == "basic":
        credentials = _decoded(credentials)
    key, _, secret = credentials.partition(":")
    if scheme.lower() in {"token", "basic"} and key and secret:
        for user in users:
            if (user.api_key, user.api_secret) == (key, secret):
                return user
    raise errors.FrappeError("AuthenticationError")


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text).decode()
    except ValueError:
        return ""


class RateLimiter:
    """Counts server time in fixed windows; after the last of it a window refuses."""

    def __init__(self) -> None:
        self._window, self._spent = -1, 0.0

    def headers(self, limit: RateLimit, at: float) -> dict[str, str]:
        """What an answer at `at` (epoch seconds) tells of the budget: microseconds, and seconds until the reset."""
        self._enter(limit, at)
        left = max(0.0, limit.seconds - self._spent)
        return {
            "X-RateLimit-Limit": str(round(limit.seconds * 1e6)),
            "X-RateLimit-Remaining": str(round(left * 1e6)),
            "X-RateLimit-Reset": str(math.ceil((self._window + 1) * limit.window - at)),
        }

    def refuses(self, limit: RateLimit, at: float) -> bool:
        """Is the window's time used up?"""
        self._enter(limit, at)
        return self._spent >= limit.seconds

    def spend(self, seconds: float) -> None:
        """Count a request."""
        self._spent += seconds

    def _enter(self, limit: RateLimit, at: float) -> None:
        window = int(at // limit.window)
        if window != self._window:
            self._window, self._spent = window, 0.0
