"""A server that answers with nonsense: well-formed answers of a double, spoiled by chance on the way back.

What it spoils is what no person could have entered: types, ids, stamps, encodings, sizes, pages and headers. A text in
place of another text would be an edit, and the sync would be right to carry it over.
"""

import json
import random
from collections.abc import Callable
from typing import Any

import httpx

TEXTS = ("Name", "title", "UtmSource", "utm_source", "UtmContent", "utm_content")
"""Keys of texts that are mapped: they become what is no text, never another one."""
REFERENCES = ("CrmBoardColumnId", "ResponsibleId", "CoworkerId", "Status", "status", "CrmBoardColumnCrmBoardId")
STAMPS = ("UpdatedOn", "CreatedOn", "updated_at", "created_at", "modified", "creation")
IDS = ("Id", "id", "name", "UniqueId")
ODD_STAMPS = (
    "9999-12-31T23:59:59.9999999Z", "0001-01-01T00:00:00+14:00", "not a moment", "", 17, None, [], {},
    "2026-13-45T99:99:99Z", "1999-01-01T00:00:00Z",
)  # fmt: skip
NO_TEXT: tuple[Any, ...] = ([], {"a": 1}, [[]], {"value": None})
ODD_HEADERS: dict[str, tuple[str, ...]] = {
    "Date": ("Mon, 99 Foo 9999", "", "yesterday", "Thu, 01 Jan 1970 00:00:00 GMT"),
    "Retry-After": ("soon", "-5", "1e9", "99999999999"),
    "Location": ("http://[nowhere", "javascript:alert(1)"),
    "Content-Type": ("text/html; charset=ISO-8859-1", "application/json; charset=klingon", "", "image/png"),
    "Content-Encoding": ("gzip", "br"),
}
Spoil = Callable[[random.Random, httpx.Response], httpx.Response]


class HostileTransport(httpx.AsyncBaseTransport):
    """Between a connector and its double: while it is `hostile`, one answer in `every` is spoiled.

    `done` names the ways in which answers were spoiled, in turn.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, rng: random.Random, every: int = 3) -> None:
        self._inner, self._rng, self._every = inner, rng, every
        self.hostile, self.done = False, list[str]()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request, perhaps with nonsense."""
        answer = await self._inner.handle_async_request(request)
        if not self.hostile or self._rng.randrange(self._every):
            return answer
        await answer.aread()
        name = self._rng.choice(sorted(WAYS))
        self.done.append(name)
        spoiled = WAYS[name](self._rng, answer)
        spoiled.request = request
        return spoiled


def _body(change: Callable[[random.Random, Any], Any]) -> Spoil:
    """A way that spoils the JSON of an answer; what is no JSON stays as it is."""

    def spoil(rng: random.Random, answer: httpx.Response) -> httpx.Response:
        try:
            value = json.loads(answer.content)
        except ValueError:
            return answer
        text = change(rng, value)
        content = text if isinstance(text, bytes) else json.dumps(text).encode()
        return httpx.Response(answer.status_code, headers=_plain(answer), content=content)

    return spoil


def _plain(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "content-length"}


def _objects(value: Any) -> list[dict[str, Any]]:
    """Every object in a JSON value, the outermost first."""
    if isinstance(value, dict):
        return [value, *(one for inner in value.values() for one in _objects(inner))]
    return [one for inner in value for one in _objects(inner)] if isinstance(value, list) else []


def _with(keys: tuple[str, ...], instead: Callable[[random.Random], Any]) -> Callable[[random.Random, Any], Any]:
    """Put something in place of one of these keys, in one of the records that have one.

    A record is what bears a stamp: a custom field, say, has a name too, and what it says is nobody's business.
    """

    def change(rng: random.Random, value: Any) -> Any:
        records = [one for one in _objects(value) if one.keys() & set(STAMPS)]
        there = [(one, key) for one in records for key in keys if key in one]
        if there:
            one, key = rng.choice(there)
            one[key] = instead(rng)
        return value

    return change


def _another_id(rng: random.Random, value: Any) -> Any:
    """One object bears the id of another one that is in the answer, or of nobody."""
    there = [(one, key) for one in _objects(value) for key in IDS if key in one]
    if there:
        (one, key), (other, _) = rng.choice(there), rng.choice(there)
        one[key] = other.get(key, "another") if rng.random() < 0.5 else rng.choice(["another", 999_999_999, None, []])
    return value


def _without(rng: random.Random, value: Any) -> Any:
    """One object lacks a key that is no value a person enters."""
    there = [
        (one, key) for one in _objects(value) for key in (*IDS, *STAMPS, "Records", "data", "message") if key in one
    ]
    if there:
        one, key = rng.choice(there)
        del one[key]
    return value


def _null_list(rng: random.Random, value: Any) -> Any:
    if isinstance(value, dict):
        for key in ("Records", "data"):
            if key in value:
                value[key] = rng.choice([None, {}, "", 7])
    return value


def _endless(rng: random.Random, value: Any) -> Any:
    """There is always one more page."""
    more = {"HasNextPage": True, "has_more": True, "TotalItems": rng.choice([None, 10**9, -1]), "total": None}
    return {**value, **{key: one for key, one in more.items() if key in value}} if isinstance(value, dict) else value


def _row_twice(rng: random.Random, value: Any) -> Any:
    for key in ("Records", "data", "message"):
        rows = value.get(key) if isinstance(value, dict) else None
        if isinstance(rows, list) and rows:
            rows.append(rng.choice(rows))
    return value


def _status(rng: random.Random, answer: httpx.Response) -> httpx.Response:
    code = rng.choice([204, 206, 302, 304, 403, 418, 423, 500, 502, 503])
    return httpx.Response(code, headers=_plain(answer), content=b"" if code in {204, 304} else answer.content)


def _header(rng: random.Random, answer: httpx.Response) -> httpx.Response:
    name = rng.choice(sorted(ODD_HEADERS))
    headers = {**_plain(answer), name.lower(): rng.choice(ODD_HEADERS[name])}
    return _raw(answer.status_code, headers, answer.content)


class _Bytes(httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> Any:
        yield self._content


def _raw(status: int, headers: dict[str, str], content: bytes) -> httpx.Response:
    """An answer whose body is not decoded before the client reads it, however it is labelled."""
    return httpx.Response(status, headers=headers, stream=_Bytes(content))


WAYS: dict[str, Spoil] = {
    "another id": _body(_another_id),
    "a key less": _body(_without),
    "no text": _body(_with(TEXTS, lambda rng: rng.choice(NO_TEXT))),
    "no reference": _body(_with(REFERENCES, lambda rng: rng.choice([[], {}, "none such", 10**12, True]))),
    "odd stamp": _body(_with(STAMPS, lambda rng: rng.choice(ODD_STAMPS))),
    "null list": _body(_null_list),
    "endless": _body(_endless),
    "a row twice": _body(_row_twice),
    "NaN": _body(_with(("Value", "opportunity_amount"), lambda _: float("nan"))),
    "nested": _body(lambda *_: b"[" * 50_000),
    "not an object": _body(lambda rng, _: rng.choice([[], 7, "text", None, True])),
    "long": _body(lambda _, value: {**value, "Filler": "x" * 1_000_000} if isinstance(value, dict) else value),
    "not UTF-8": _body(lambda _, value: json.dumps(value, ensure_ascii=False).encode("latin-1", "replace") + b"\xff"),
    "half": lambda _, answer: _raw(answer.status_code, _plain(answer), answer.content[: len(answer.content) // 2]),
    "status": _status,
    "header": _header,
}
"""Every way in which an answer is spoiled, by its name."""
