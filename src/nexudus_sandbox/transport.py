"""A double behind httpx without a socket, in virtual time if the clock says so."""

from collections.abc import Callable

import httpx

from nexudus_sandbox.double import Double
from nexudus_sandbox.faults import Faults, exchange
from nexudus_sandbox.wire import Request, parse_query
from nexudus_sync.clock import Clock


class DoubleTransport(httpx.AsyncBaseTransport):
    """Carries httpx's requests to a double in the same process.

    `latency` gives the seconds a request is under way before it reaches the double. A fault that keeps silent raises
    httpx.ReadTimeout once the client's read time-out has passed on `clock`.
    """

    def __init__(
        self,
        double: Double,
        faults: Faults | None = None,
        *,
        clock: Clock,
        latency: Callable[[], float] | None = None,
    ) -> None:
        self._double, self._faults, self._clock, self._latency = double, faults, clock, latency

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request. Raises httpx.ConnectError, ReadTimeout, RemoteProtocolError where a fault says so."""
        body = await request.aread()
        if self._latency is not None:
            await self._clock.sleep(self._latency())
        headers = {name.lower(): text for name, text in request.headers.items()}
        query = parse_query(request.url.query.decode())
        outcome = exchange(self._double, self._faults, Request(request.method, request.url.path, query, headers, body))
        patience = (request.extensions.get("timeout") or {}).get("read")
        if outcome.failure == "connect":
            raise httpx.ConnectError("connection refused", request=request)
        if outcome.failure == "drop":
            raise httpx.RemoteProtocolError("server disconnected without sending a response", request=request)
        if outcome.response is None or (patience is not None and outcome.seconds >= patience):
            await self._clock.sleep(outcome.seconds if patience is None else patience)
            raise httpx.ReadTimeout("no answer", request=request)
        if outcome.seconds:
            await self._clock.sleep(outcome.seconds)
        answer = outcome.response
        return httpx.Response(answer.status, headers=dict(answer.headers), content=answer.body, request=request)
