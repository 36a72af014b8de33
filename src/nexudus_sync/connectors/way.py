"""Requests to one server, by way of a transport of httpx.

An `httpx.AsyncClient` would do the same and more: redirects, cookies, logins, hooks. None of it is wanted here (a
redirect could carry the token elsewhere; a session cookie would outlive the token it came with, and Frappe then asks
for a CSRF token as well), and in every request it costs more than all that is left.
"""

from collections.abc import Mapping
from typing import Any

import httpx

from nexudus_sync.connectors import body
from nexudus_sync.connectors.permit import KEY, Permit

_TIMES = {"timeout": httpx.Timeout(connect=10, read=60, write=30, pool=60).as_dict()}
_ALWAYS = {
    "Accept": "application/json",
    "Accept-Encoding": body.ACCEPTED,
    "Connection": "keep-alive",
    "User-Agent": "nexudus-sync",
}


class Way:
    """Makes requests whose paths begin at `base_url`, and sends them."""

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport
        self._base, self._host = base_url.rstrip("/"), httpx.URL(base_url).netloc.decode("ascii")
        self._said: Mapping[str, str] = {}
        self._headers = self._merged({})

    def request(
        self, method: str, path: str, params: Mapping[str, str] | None, headers: Mapping[str, str], **content: Any
    ) -> httpx.Request:
        """A request; `content` is its body, as `httpx.Request` takes it."""
        if headers != self._said:  # which changes with the login, and between reads and writes
            self._said, self._headers = dict(headers), self._merged(headers)
        whole = f"{self._base}/{path.lstrip('/')}"
        url = httpx.URL(whole) if params is None else httpx.URL(whole, params=params)
        return httpx.Request(method, url, headers=self._headers, extensions=_TIMES, **content)

    async def send(self, request: httpx.Request) -> httpx.Response:
        """The answer, whose body is still to be read, and which is to be closed.

        Raises what the transport does, and LeaseLost for a write that may no longer be sent.
        """
        permit: Permit | None = request.extensions.get(KEY)
        if permit is None:
            return await self._transport.handle_async_request(request)
        with permit.leaving():
            return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    def _merged(self, headers: Mapping[str, str]) -> httpx.Headers:
        merged = httpx.Headers({"Host": self._host, **_ALWAYS})
        merged.update(headers)
        return merged
