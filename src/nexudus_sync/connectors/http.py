"""The way to a system: a client that logs in, keeps to the request budget, waits out throttling and retries reads.

A read is repeated until it succeeds or the tries are used up. A write is sent once: what fails before the request has
left is Unavailable, what fails afterwards is OutcomeUnknown. A throttled call was not done, so it is waited out and
sent again, a create too. A write that replaces something is not sent again after a wait: somebody may have edited the
record in the meantime, so the caller has to read it again first (HeldUp).
"""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Any, Protocol, TypeVar

import httpx
import structlog

from nexudus_sync.clock import Clock
from nexudus_sync.connectors import body
from nexudus_sync.connectors.answer import UNSAID as UNSAID
from nexudus_sync.connectors.answer import Answer as Answer
from nexudus_sync.connectors.answer import decoded, template
from nexudus_sync.connectors.answer import retry_after as retry_after
from nexudus_sync.connectors.base import Priority
from nexudus_sync.connectors.body import BrokenBody
from nexudus_sync.connectors.budget import Budget
from nexudus_sync.connectors.call import Call, as_json
from nexudus_sync.connectors.closed import Closed
from nexudus_sync.connectors.denials import Denials
from nexudus_sync.connectors.echoes import Echoes
from nexudus_sync.connectors.locks import LOCKED, Locks
from nexudus_sync.connectors.network import Network
from nexudus_sync.connectors.offset import ClockOffset
from nexudus_sync.connectors.optional import Watcher
from nexudus_sync.connectors.permit import NEVER_LEFT, seconds_for
from nexudus_sync.connectors.way import explain
from nexudus_sync.errors import ConnectorError, HeldUp, OutcomeUnknown, Refused, RoleMissing, Unavailable

TRIES = 4
_BACKOFF_BASE, _BACKOFF_CAP = 0.5, 20.0
_SHORTEST_WAIT, _UNSAID_WAIT, _LONGEST_WAIT = 0.1, 5.0, 3600.0
_THROTTLED_FOR_LONG = 600.0
DEADLINE = 180.0
"""Seconds for one request, from the connection to the last byte of the answer."""
_LATE = 1.0
"""Seconds that a write which rests on a read may wait (for its place in the budget, or a new login)."""
_REMEMBERED = 100
_REPLACE = frozenset({"PUT", "PATCH", "DELETE"})
_WENT_WRONG = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError, ValueError)
"""What the way there and back can end in; the last is what nonsense in an answer's headers makes of it."""

T = TypeVar("T")


class Dialect(Protocol):
    """How one system answers and how one logs in to it.

    `headers` and `renew` may call `Http.raw` only: they run one at a time, and `get` or `send` would wait for them.
    """

    @property
    def system(self) -> str:
        """The configured name of the system."""
        ...

    def throttled(self, answer: Answer) -> float | None:
        """Seconds to wait if the answer means "too many calls" (UNSAID: it does not say how long), else None."""
        ...

    def error(self, answer: Answer) -> ConnectorError | None:
        """The error that the answer stands for, None for a success. Asked for every answer that is not throttling.

        For a write, Unavailable says that nothing was written; a 5xx for which it returns None becomes OutcomeUnknown.
        """
        ...

    async def headers(self, http: "Http") -> Mapping[str, str]:
        """The headers that authorise a call; logs in first where that is needed."""
        ...

    async def renew(self, http: "Http") -> bool:
        """Log in again after a 401; False when there is nothing to renew."""
        ...


class _Passing(Unavailable):
    """A failure that another try may get over; the loop around the tries ends it as a plain Unavailable."""


class Http:
    """One system's HTTP client.

    `lanes` are the budgets of calls that a system counts by themselves, by the ending of their path; the others have
    `budget`. `calls` counts what was sent, by "METHOD path" with ids replaced by {id}. TLS is always verified, no
    redirect is followed (it could carry the token elsewhere) and no cookie is kept.
    """

    def __init__(
        self,
        base_url: str,
        dialect: Dialect,
        *,
        clock: Clock,
        rng: random.Random,
        budget: Budget,
        lanes: Mapping[str, Budget] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        network: Network = Network(),  # noqa: B008 - it is frozen
        log: Any = None,
    ) -> None:
        self._dialect, self._clock, self._rng, self._budget, self._lanes = dialect, clock, rng, budget, lanes or {}
        self._log = log or structlog.get_logger(system=dialect.system).bind()
        self._network = network
        self._way = network.way(base_url, transport)
        self._echoes, self._denials = Echoes(network.proxy_headers()), Denials()
        self._offset, self._locks = ClockOffset(), Locks(clock)
        self._login = asyncio.Lock()
        self._logins = 0
        self._closed = Closed(dialect, clock)
        self.calls: Counter[str] = Counter()
        self.took: deque[float] = deque(maxlen=_REMEMBERED)
        """The number of seconds that each of the last answers took."""
        self.watcher: Watcher = lambda kind, seconds: None

    @property
    def offset(self) -> float | None:
        """Seconds the server's clock is ahead of ours, good to half a second; None before the first `Date` header."""
        return self._offset.seconds

    async def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        priority: Priority = Priority.LIVE,
        about: str | None = None,
        body: Any = None,
    ) -> Any:
        """Read; the parsed JSON of the answer. `about` names the record whose rows a list is asked for.

        A `body` is sent as JSON, by POST: a search or a batch that changes nothing, so that it is repeated. Raises what
        the dialect makes of the answer, and Unavailable when the tries are used up.
        """
        call = Call("GET", path, params, priority, about=about)
        if body is not None:
            call = replace(call, method="POST", reads=True, **as_json(body, self._dialect.system))

        async def once() -> Any:
            answer = await self._authorised(call)
            try:
                self._raise_for(call, answer, Unavailable)
                return answer.json()
            except Unavailable as error:
                raise _Passing(error.system, error.message, error.record) from None

        return await self._retrying(call, once)

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        priority: Priority = Priority.LIVE,
        creation: bool = False,
        params: Mapping[str, str] | None = None,
        about: str | None = None,
        trial: bool = False,
    ) -> Answer:
        """Write, once; `body` is sent as JSON. `creation`: it creates a customer; `trial`: it changes nothing.

        `about` names the record, where neither the path does nor the whole body. Raises what the dialect makes of the
        answer; Refused for a body that JSON has no word for; Unavailable when the request never left; HeldUp when it
        replaces something and had to wait; OutcomeUnknown when it was sent and no answer came, or one that does not
        tell (5xx, a redirect, a success without readable JSON).
        """
        rests = method in _REPLACE and not trial
        call = Call(method, path, params, priority, creation=creation, repeatable=False, rests_on_read=rests)
        if body is not None:
            call = replace(call, **as_json(body, self._dialect.system))
        call = replace(call, record=about, about=about or blake2b(call.body.get("content", b"")).hexdigest())
        answer = await self._retrying(call, lambda: self._authorised(call))
        self._raise_for(call, answer, OutcomeUnknown)
        if answer.status < 300 and answer.status not in (204, 205):
            try:
                answer.json()
            except Unavailable as error:
                raise OutcomeUnknown(error.system, error.message) from None
        return answer

    async def reserve(self, *, priority: Priority = Priority.LIVE) -> None:
        """Wait for the next write's place in the budget, before the read it rests on.

        The `send` that follows within two seconds (not a customer's creation) then does not wait, but for others of
        the same second.
        """
        await self._budget.reserve(priority=priority)

    async def raw(
        self,
        method: str,
        path: str,
        *,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        priority: Priority = Priority.LIVE,
    ) -> Answer:
        """Call without logging in, for logging in: `data` is sent as a form; any answer below 500 is returned as it is.

        Repeated as a read is. Raises Unavailable when the tries are used up.
        """
        call = Call(method, path, None, priority, {} if data is None else {"data": dict(data)}, headers or {})

        async def once() -> Answer:
            answer = await self._exchange(call, {})
            if answer.status >= 500:
                raise _Passing(answer.system, f"{answer.says()}; try again later")
            return answer if answer.status < 300 else replace(answer, text=self._echoes.mask(answer.text))

        return await self._retrying(call, once)

    async def aclose(self) -> None:
        """Close the connections and give back what is left of the budget's leases."""
        await self._way.aclose()
        for budget in (self._budget, *self._lanes.values()):
            budget.close()

    def _budget_of(self, path: str) -> Budget:
        return next((lane for ending, lane in self._lanes.items() if path.endswith(ending)), self._budget)

    async def _retrying(self, call: Call, attempt: Callable[[], Awaitable[T]]) -> T:
        """Make the attempt again after a passing failure, with exponential backoff and full jitter."""
        tried = 0
        while True:
            try:
                return await attempt()
            except _Passing as passing:
                error, tried = passing, tried + 1
                if tried == TRIES:
                    raise Unavailable(error.system, error.message, error.record) from error
            seconds = self._rng.uniform(0, min(_BACKOFF_CAP, _BACKOFF_BASE * 2 ** (tried - 1)))
            self._log.info("http.retry", method=call.method, path=call.path, tried=tried, seconds=round(seconds, 3))
            await self._clock.sleep(seconds)
            if call.rests_on_read:
                raise HeldUp(error.system, error.message, error.record)

    async def _authorised(self, call: Call) -> Answer:
        """The answer to the call with the login's headers; after a 401 once more with a renewed login."""
        login, headers = await self._headers()
        answer = await self._exchange(call, headers)
        asked = self._clock.monotonic()
        if answer.status == 401 and await self._renew(login):
            _, headers = await self._headers()
            self._refuse_late(call, asked, "the login had to be renewed")
            answer = await self._exchange(call, headers)
        if answer.status == LOCKED:
            return await self._after_lock(call, answer, headers)
        return answer

    def _refuse_late(self, call: Call, since: float, why: str) -> None:
        """Raise HeldUp if a write has waited for so long that its record may have been edited."""
        if call.rests_on_read and self._clock.monotonic() - since > _LATE:
            raise HeldUp(self._dialect.system, why)

    async def _after_lock(self, call: Call, answer: Answer, headers: Mapping[str, str]) -> Answer:
        """The answer once the lock on the record should be gone; only this call waits."""
        wait = self._locks.wait(call, answer)
        if wait is None:
            return answer
        self._log.info("http.locked", method=call.method, path=call.path, seconds=round(wait, 3))
        await self._clock.sleep(wait)
        if call.rests_on_read:
            raise HeldUp(answer.system, f"{answer.says()}: somebody holds the record")
        return await self._exchange(call, headers)

    async def _headers(self) -> tuple[int, Mapping[str, str]]:
        async with self._login:
            return self._logins, await self._dialect.headers(self)

    async def _renew(self, login: int) -> bool:
        """Renew the login a call was made with; True also when a call beside this one has done so already."""
        async with self._login:
            if self._logins != login:
                return True
            renewed = await self._dialect.renew(self)
            self._logins += renewed
            return renewed

    async def _exchange(self, call: Call, headers: Mapping[str, str]) -> Answer:
        """The first answer that is not throttling. Raises Unavailable after ten minutes of nothing else."""
        since: float | None = None
        unsaid, budget = _UNSAID_WAIT, self._budget_of(call.path)
        while True:
            self._closed.refuse()
            asked = self._clock.monotonic()
            await budget.acquire(
                write=call.is_write,
                creation=call.creation,
                priority=call.priority,
                reserved=not call.repeatable,
            )
            self._refuse_late(call, asked, "it had to wait for its place in the request budget")
            answer = await self._once(call, headers)
            wait = self._dialect.throttled(answer)
            if wait is None:
                return answer
            now = self._clock.monotonic()
            since = now if since is None else since
            if wait > _LONGEST_WAIT:
                raise self._closed.too_long(answer, wait)
            if now - since > _THROTTLED_FOR_LONG:
                minutes = round((now - since) / 60)
                raise Unavailable(
                    answer.system,
                    f"{answer.says()} for {minutes} minutes: too many calls; lower the limits in the configuration or "
                    "stop other programs that use this login",
                )
            if not wait >= 0:  # NaN too
                wait, unsaid = unsaid, unsaid * 2
            wait = max(wait, _SHORTEST_WAIT)
            self._log.warning(
                "http.throttled", method=call.method, path=call.path, status=answer.status, seconds=round(wait, 3)
            )
            budget.pause(wait)
            if call.rests_on_read:
                raise HeldUp(answer.system, f"{answer.says()}: too many calls")

    async def _once(self, call: Call, headers: Mapping[str, str]) -> Answer:
        """Send the call and read its answer. Raises _Passing, or OutcomeUnknown for a write that had left."""
        self.calls[f"{call.method} {template(call.path)}"] += 1
        self._echoes.sent(headers)
        self._echoes.sent(call.body.get("data", {}))
        sent, start = self._clock.now(), self._clock.monotonic()
        try:
            response, content = await self._transfer(call, headers, start)
        except (*_WENT_WRONG, BrokenBody) as error:
            self._log.info("http.call", method=call.method, path=call.path, failed=type(error).__name__)
            left = not isinstance(error, NEVER_LEFT)
            # a body that is too large will be so again
            passing = Unavailable if isinstance(error, BrokenBody) else _Passing
            kind = OutcomeUnknown if left and not call.repeatable else passing
            raise kind(
                self._dialect.system, explain(f"{call.method} {call.path}", error, left, self._network)
            ) from error
        seconds = self._clock.monotonic() - start
        self._budget_of(call.path).observe(seconds)
        self.took.append(seconds)
        self.watcher("read" if not call.is_write else "login" if call.repeatable else "write", seconds)
        self._offset.learn(response.headers.get("Date"), sent, self._clock.now())
        text, mangled = decoded(content)
        status = response.status_code
        self._log.debug("http.call", method=call.method, path=call.path, status=status, seconds=round(seconds, 3))
        return Answer(call.method, call.path, status, response.headers, text, self._dialect.system, mangled)

    async def _transfer(self, call: Call, headers: Mapping[str, str], start: float) -> tuple[httpx.Response, bytes]:
        """The answer and its body, before the deadline: one that trickles in would keep everything waiting for ever."""

        def tick() -> None:
            if self._clock.monotonic() - start > DEADLINE:
                raise TimeoutError

        request = self._way.request(call.method, call.path, call.params, {**call.headers, **headers}, **call.body)
        async with asyncio.timeout(DEADLINE if call.repeatable else seconds_for(request, DEADLINE)):
            response = await self._way.send(request)
            try:
                return response, await body.read(response, tick)
            finally:
                await response.aclose()

    def _raise_for(self, call: Call, answer: Answer, unclear: type[ConnectorError]) -> None:
        """Raise what the dialect makes of the answer, and `unclear` for one that cannot be a success."""
        error = self._error(answer)
        if isinstance(error, RoleMissing):
            self._denials.judge(error, call.method, call.path, call.about)
        if error is not None and answer.status == LOCKED and (error.record or call.about):
            raise Refused(error.system, error.message, error.record)
        if error is not None:
            raise error
        if answer.status >= 500:
            raise unclear(answer.system, f"{answer.says()}; try again later")
        if 300 <= answer.status < 400:
            raise unclear(answer.system, f"{answer.says()}, a redirect, which the sync does not follow; check base_url")
        self._denials.worked(call.method, call.path)

    def _error(self, answer: Answer) -> ConnectorError | None:
        """The error an answer stands for, told without the secrets that a server puts into its pages."""
        error = self._dialect.error(answer)
        if error is None:
            return None
        clean = self._echoes.mask(answer.text)
        if clean == answer.text:
            return error
        told = self._dialect.error(replace(answer, text=clean))
        return told if type(told) is type(error) else type(error)(error.system, answer.says(), error.record)
