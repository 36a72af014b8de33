"""What an answer may be made of without anything being believed, kept waiting, filled up or given away by it."""

import asyncio
import base64
import gzip
import random
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import httpx
import pytest
from virtual_time import VirtualClock

from nexudus_sync.connectors import body
from nexudus_sync.connectors.budget import Unlimited
from nexudus_sync.connectors.echoes import Echoes
from nexudus_sync.connectors.http import DEADLINE, Answer, Http, retry_after
from nexudus_sync.connectors.network import Network
from nexudus_sync.connectors.offset import http_date
from nexudus_sync.errors import ConnectorError, HeldUp, OutcomeUnknown, Refused, RoleMissing, Unavailable

TOKEN = 'tok/s3cret+"=&x'
BASIC = base64.b64encode(b"sync@example.com:pa55/word+").decode()


class Dialect:
    """Means its status codes, and repeats what the server says."""

    system = "Plain"

    def __init__(self, header: str = f"Bearer {TOKEN}") -> None:
        self.header = header

    def throttled(self, answer: Answer) -> float | None:
        return retry_after(answer) if answer.status == 429 else None

    def error(self, answer: Answer) -> ConnectorError | None:
        last = answer.path.rsplit("/", 1)[-1]
        record = last if last.isdigit() else None
        if answer.status == 403:
            return RoleMissing(self.system, f"lacks a role: {answer.text}", record, said=answer.text)
        if answer.status == 423:
            return OutcomeUnknown(self.system, f"locked: {answer.text}", record)
        return Refused(self.system, answer.text, record) if 400 <= answer.status < 500 else None

    async def headers(self, http: Http) -> Mapping[str, str]:
        return {"Authorization": self.header}

    async def renew(self, http: Http) -> bool:
        return False


Reply = httpx.Response | Callable[[httpx.Request], httpx.Response]


class Rig:
    def __init__(self, *replies: Reply, header: str = f"Bearer {TOKEN}") -> None:
        self.clock, self.asked, self.replies, self.dialect = VirtualClock(), [], list(replies), Dialect(header)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return reply if isinstance(reply, httpx.Response) else reply(request)

    def run(self, work: Callable[[Http], Awaitable[Any]]) -> Any:
        async def main() -> Any:
            http = Http(
                "https://plain.example",
                self.dialect,
                clock=self.clock,
                rng=random.Random(1),
                budget=Unlimited(self.clock),
                transport=httpx.MockTransport(self._answer),
            )
            try:
                return await work(http)
            finally:
                await http.aclose()

        return self.clock.run(main())

    def get(self, path: str = "/things") -> Any:
        return self.run(lambda http: http.get(path))

    def send(
        self, path: str = "/things/1", method: str = "PATCH", content: Any = None, about: str | None = None
    ) -> Any:
        return self.run(lambda http: http.send(method, path, content or {}))


def raw(content: bytes, status: int = 200, **headers: str) -> Callable[[httpx.Request], httpx.Response]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def streamed() -> AsyncIterator[bytes]:
        yield content

    return lambda request: httpx.Response(status, content=streamed(), headers=named)


# --- bytes


@pytest.mark.parametrize(
    "label", ["application/json; charset=ISO-8859-1", "text/plain; charset=no-such", "x; charset=hex"]
)
def test_json_is_utf_8_whatever_its_label_says(label: str) -> None:
    assert Rig(raw('{"a": "Zoë ⇄"}'.encode(), Content_Type=label)).get() == {"a": "Zoë ⇄"}


@pytest.mark.parametrize(
    "content", ['{"a": "Zoë"}'.encode("latin-1"), b'{"a": "\xed\xa0\xbd"}', '{"a": 1}'.encode("utf-16")]
)
def test_what_is_not_utf_8_is_no_answer(content: bytes) -> None:
    with pytest.raises(Unavailable, match="not UTF-8"):
        Rig(raw(content)).get()


def test_a_write_whose_reply_is_not_utf_8_has_an_unknown_outcome() -> None:
    rig = Rig(raw('{"a": "Zoë"}'.encode("latin-1")))
    with pytest.raises(OutcomeUnknown, match="not UTF-8"):
        rig.send()
    assert len(rig.asked) == 1


# --- bounds


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, lambda data: zlib.compress(data)[2:-4]])
def test_a_packed_body_is_unpacked(pack: Callable[[bytes], bytes]) -> None:
    encoding = "gzip" if pack is gzip.compress else "deflate"
    assert Rig(raw(pack(b'{"a": 1}'), Content_Encoding=encoding)).get() == {"a": 1}


@pytest.mark.parametrize("encoding", ["gzip", "identity", ""])
def test_a_body_is_read_up_to_its_limit(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "LARGEST", 2**20)
    content = b" " * 2**21
    rig = Rig(raw(gzip.compress(content) if encoding == "gzip" else content, Content_Encoding=encoding))
    with pytest.raises(Unavailable, match="more than 1 MiB"):
        rig.get()
    assert len(rig.asked) == 1  # it would be as large again


def test_a_write_that_is_answered_by_a_flood_has_an_unknown_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "LARGEST", 1000)

    async def flood() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 300

    with pytest.raises(OutcomeUnknown, match="more than"):
        Rig(lambda request: httpx.Response(200, content=flood())).send()


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "nonsense"])
def test_a_body_packed_as_nobody_asked_for_is_no_answer(encoding: str) -> None:
    with pytest.raises(Unavailable, match="packed in a way"):
        Rig(raw(b"{}", Content_Encoding=encoding)).get()


def test_a_body_that_cannot_be_unpacked_is_no_answer() -> None:
    with pytest.raises(Unavailable, match="cannot be unpacked"):
        Rig(raw(b"{}", Content_Encoding="gzip")).get()


def test_a_body_that_trickles_in_ends_at_the_deadline() -> None:
    async def trickle() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(1)
            yield b" "

    rig = Rig(lambda request: httpx.Response(200, content=trickle()))
    with pytest.raises(OutcomeUnknown, match="timed out"):
        rig.send()
    assert rig.clock.seconds == pytest.approx(DEADLINE, abs=2)


def test_headers_that_never_come_end_at_the_deadline_too() -> None:
    async def silent(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(10 * DEADLINE)
        raise AssertionError

    rig = Rig(silent)  # type: ignore[arg-type]
    with pytest.raises(OutcomeUnknown, match="timed out"):
        rig.send()
    assert rig.clock.seconds == pytest.approx(DEADLINE, abs=2)


# --- headers

NONSENSE = [
    "",
    "\x80\xff",
    "Mon, 99 Foo 99999 99:99:99 GMT",
    "[",
    "9" * 5000,
    "-1 x",
]


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_in_headers_changes_nothing(text: str) -> None:
    said = {"Date": text, "Location": f"http://[{text}", "Content-Type": text}
    assert Rig(lambda request: httpx.Response(200, json={"a": 1}, headers=_latin(said))).get() == {"a": 1}


@pytest.mark.parametrize("text", [*NONSENSE, "http://[::1", "//", "http://a:b:c", "http://\udc80"])
def test_a_redirect_to_nowhere_is_told_as_a_redirect(text: str) -> None:
    rig = Rig(lambda request: httpx.Response(302, headers=_latin({"Location": text})))
    with pytest.raises(OutcomeUnknown, match="a redirect, which the sync does not follow"):
        rig.send()


@pytest.mark.parametrize("text", ["", "\x80", "soon", "Mon, 99 Foo 99999 99:99:99 GMT", "-5"])
def test_a_throttling_answer_without_sense_is_waited_out(text: str) -> None:
    rig = Rig(lambda request: httpx.Response(429, headers=_latin({"Retry-After": text, "Date": text})), raw(b"{}"))
    assert rig.get() == {}


@pytest.mark.parametrize("text", [None, *NONSENSE])
def test_an_http_date_never_raises(text: str | None) -> None:
    assert http_date(text) is None


def _latin(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), text.encode("latin-1", "replace")) for name, text in headers.items()]


# --- secrets


def spellings(secret: str) -> list[str]:
    quoted = "".join(f"%{ord(char):02X}" for char in secret)
    escaped = "".join(f"\\u{ord(char):04X}" for char in secret)
    html = "".join(f"&#{ord(char)};" for char in secret)
    return [
        secret,
        quoted,
        escaped,
        html,
        secret.replace("/", "\\/").replace('"', '\\"'),
        escaped.replace("\\", "\\\\"),
    ]


@pytest.mark.parametrize("text", spellings(TOKEN))
def test_a_bearer_token_that_is_given_back_is_masked(text: str) -> None:
    with pytest.raises(Refused) as caught:
        Rig(raw(f'you sent "Authorization: Bearer {text}" and {"x" * 99}'.encode(), 400)).get()
    assert text not in str(caught.value)
    assert "***" in str(caught.value)


@pytest.mark.parametrize(
    ("header", "secret"),
    [(f"Basic {BASIC}", BASIC), (f"Basic {BASIC}", "pa55/word+"), ("token key-1:secret-1", "secret-1")],
)
def test_a_header_that_is_given_back_is_masked(header: str, secret: str) -> None:
    for text in spellings(secret):
        with pytest.raises(Refused) as caught:
            Rig(raw(f"refused {text}, sorry".encode(), 422), header=header).send()
        assert text not in str(caught.value)


LONG = f"Bearer {TOKEN}" + "".join(map(str, range(100, 130)))


def cut_off(text: str) -> str:
    return f"Authorization: {text[:30]}"


def in_lines(text: str) -> str:
    return "\\r\\n ".join(text[at : at + 17] for at in range(0, len(text), 17))


def lower_and_cut(text: str) -> str:
    return f'{{"authorization": "{text.lower()[:40]}…"}}'


@pytest.mark.parametrize("page", [cut_off, in_lines, lower_and_cut])
@pytest.mark.parametrize("header", [LONG, f"Basic {BASIC}"])
def test_what_is_left_of_a_header_in_a_cut_or_broken_page_is_masked(page: Callable[[str], str], header: str) -> None:
    with pytest.raises(Refused) as caught:
        Rig(httpx.Response(400, text=f"not {page(header)}"), header=header).run(lambda http: http.get("/cards/7"))
    told = caught.value.message
    kept = header.partition(" ")[2]
    assert not any(kept[at : at + 6].lower() in told.lower() for at in range(len(kept) - 6)), told
    assert told.startswith("not ")


def test_words_that_a_secret_begins_with_are_left_alone() -> None:
    echoes = Echoes()
    echoes.sent({"password": "password-1"})
    echoes.sent({"Authorization": f"Basic {BASIC}"})
    text = "Basic authentication needs a password"
    assert echoes.mask(text) == text


@pytest.mark.parametrize("secret", ["p@ss/w0rd", base64.b64encode(b"me:p@ss/w0rd").decode()])
def test_the_proxys_password_that_is_given_back_is_masked(secret: str) -> None:
    network = Network(proxy="http://me:p%40ss%2Fw0rd@proxy.example.com:3128")
    assert secret not in Echoes(network.proxy_headers()).mask(f"407 for Basic {secret}")
    assert Network(proxy="http://proxy.example.com:3128").proxy_headers() == {}


def test_a_form_that_is_given_back_is_masked() -> None:
    rig = Rig(raw(b"username=me&password=pa55%20word&totp=123456", 400))
    form = {"username": "me", "password": "pa55 word", "totp": "123456"}
    answer = rig.run(lambda http: http.raw("POST", "/token", data=form))
    assert answer.text == "username=me&password=***&totp=***"


def test_a_refusal_that_gives_nothing_back_stays_as_it_is() -> None:
    with pytest.raises(Refused, match="the title is too long"):
        Rig(raw(b"the title is too long", 400)).get()


# --- one record


def denied(rig: Rig, *calls: tuple[str, str]) -> list[bool]:
    """Whether each of these calls was told as one record's refusal."""

    async def work(http: Http) -> list[bool]:
        found = []
        for method, path in calls:
            try:
                await (http.get(path) if method == "GET" else http.send(method, path, {}))
            except RoleMissing as error:
                found.append(error.alone)
            else:
                found.append(False)
        return found

    return rig.run(work)


NO = raw(b"locked by an approval", 403)


def test_a_record_that_is_denied_is_alone_until_another_one_is() -> None:
    assert denied(Rig(NO), ("PATCH", "/things/1"), ("PATCH", "/things/1"), ("PATCH", "/things/2")) == [
        True,
        True,
        False,
    ]


def test_a_success_between_two_denials_shows_that_the_role_is_there() -> None:
    rig = Rig(NO, raw(b"{}"), NO)
    assert denied(rig, ("PATCH", "/things/1"), ("PATCH", "/things/2"), ("PATCH", "/things/3")) == [True, False, True]


def test_another_call_that_works_shows_nothing() -> None:
    rig = Rig(NO, raw(b"{}"), NO)
    assert denied(rig, ("PATCH", "/things/1"), ("GET", "/things/2"), ("PATCH", "/things/3")) == [True, False, False]


def test_a_list_that_is_denied_is_the_login_s() -> None:
    assert denied(Rig(NO), ("GET", "/things")) == [False]


def test_creates_are_told_apart_by_what_they_carry() -> None:
    async def work(http: Http) -> list[bool]:
        found = []
        for title in ("a", "a", "b"):
            with pytest.raises(RoleMissing) as caught:
                await http.send("POST", "/things", {"title": title})
            found.append(caught.value.alone)
        return found

    assert Rig(NO).run(work) == [True, True, False]


def test_a_record_s_refusal_is_told_in_the_server_s_own_words() -> None:
    with pytest.raises(RoleMissing) as caught:
        Rig(NO).send()
    assert str(caught.value.of_record()) == "Plain 1: refused: locked by an approval"


@pytest.mark.parametrize(("headers", "seconds"), [({"Retry-After": "3"}, 3), ({}, 5), ({"Retry-After": "900"}, 0)])
def test_a_lock_is_waited_for_once_and_not_for_long(headers: dict[str, str], seconds: float) -> None:
    rig = Rig(lambda request: httpx.Response(423, text="Maria edits it", headers=headers))

    async def work(http: Http) -> None:
        if seconds:
            with pytest.raises(HeldUp, match="answered 423: somebody holds the record"):
                await http.send("PATCH", "/things/1", {})
        with pytest.raises(Refused, match="Maria edits it"):
            await http.send("PATCH", "/things/1", {})

    rig.run(work)
    assert (len(rig.asked), rig.clock.seconds) == (2 if seconds else 1, seconds)


def test_a_lock_that_is_gone_after_its_seconds_lets_a_read_through_and_a_write_once_its_record_was_read_again() -> None:
    locked = lambda request: httpx.Response(423, headers={"Retry-After": "2"})  # noqa: E731
    assert Rig(locked, raw(b'{"a": 1}')).run(lambda http: http.get("/things/1")) == {"a": 1}
    rig = Rig(locked, raw(b'{"a": 1}'))
    with pytest.raises(HeldUp):
        rig.send()
    assert rig.send().json() == {"a": 1}
    assert rig.clock.seconds == 2


def test_what_json_cannot_say_is_refused_before_anything_is_sent() -> None:
    rig = Rig(raw(b"{}"))
    with pytest.raises(Refused, match="that JSON cannot express"):
        rig.send(content={"amount": float("nan")})
    assert rig.asked == []


# --- the way there


def test_a_server_that_is_not_trusted_is_told_what_to_do() -> None:
    error = httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    assert "ca_file" in Network().remedy(error)
    assert "proxy.example" in Network(proxy="http://u:pw@proxy.example:3128").remedy(httpx.ProxyError("407"))
