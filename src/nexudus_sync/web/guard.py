"""What every answer of the page keeps to: known hosts only, and headers that let nothing in from outside."""

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"localhost"})
"""The names under which a browser reaches a page on its own machine, beside its IP addresses."""
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_NOT_KEPT = "no-store"


class Guard:
    """Refuses requests for other hosts, and puts the security headers on every answer.

    A page on the internet can make a browser call an address on its own machine under a name of its own (DNS
    rebinding); the Host header then tells.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app, self._hosts = app, frozenset(host.casefold() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", _NOT_KEPT)
            await send(message)

        if not self._is_known(host_of(Headers(scope=scope).get("host", ""))):
            answer = PlainTextResponse("This address is not one of the page's. See [web] hosts.\n", status_code=421)
            await answer(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)

    def _is_known(self, host: str) -> bool:
        """Is it a name of ours, or a plain IP address, which no name server can turn elsewhere?"""
        try:
            return host in self._hosts or bool(ip_address(host))
        except ValueError:
            return False


def host_of(header: str) -> str:
    """The host that a Host header or an address names, without its port; "" for text that names none."""
    try:
        return (urlsplit(header if "//" in header else f"//{header}").hostname or "").casefold()
    except ValueError:
        return ""


def is_foreign(headers: Headers, host: str) -> bool:
    """Does the browser say that another site's page sent this?"""
    site, origin = headers.get("sec-fetch-site", ""), headers.get("origin", "")
    if site not in ("", "same-origin", "none"):
        return True
    return bool(origin) and urlsplit(origin).netloc.casefold() != host.casefold()
