"""What both transports promise over real sockets: a write is sent once, and what is told of it is what happened."""

import asyncio
import gzip
import socket
import threading
from typing import Literal, get_args

import certifi
import httpx
import pytest
from loopback import OK, PEM, Caller, Handler, answers, calling, once, serving, talking

from nexudus_sync.connectors import body
from nexudus_sync.connectors import http as http_module
from nexudus_sync.connectors.http import TRIES
from nexudus_sync.connectors.network import Network
from nexudus_sync.errors import HeldUp, OutcomeUnknown, Refused, Unavailable

pytestmark = pytest.mark.sockets

Kind = Literal["fast", "httpx"]
WRITES = ["POST", "PUT"]


@pytest.fixture(params=get_args(Kind))
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=WRITES)
def method(request: pytest.FixtureRequest) -> str:
    return request.param  # type: ignore[no-any-return]


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


async def unknown(kind: Kind, handler: Handler, told: str, method: str = "POST") -> None:
    """A write to such a server has an unknown outcome, and was sent once."""
    async with talking(kind, handler) as (server, http):
        with pytest.raises(OutcomeUnknown, match=told):
            await http.send(method, "/things", {"a": 1})
    assert len(server.written) == 1


# --- what never left


async def test_a_write_to_a_port_where_nobody_listens_never_left(kind: Kind, method: str) -> None:
    async with calling(f"http://127.0.0.1:{free_port()}", Network(http=kind)) as http:
        told = r"cannot be reached \(ConnectError.*check the network and base_url"
        with pytest.raises(HeldUp if method == "PUT" else Unavailable, match=told):
            await http.send(method, "/things", {})


async def test_a_write_to_a_name_that_nobody_has_never_left(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown_name(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown_name)
    async with calling("http://no-such-host.example", Network(http=kind)) as http:
        with pytest.raises(Unavailable, match=r"cannot be reached \(ConnectError: .*Name or service not known"):
            await http.send("POST", "/things", {})


async def test_a_write_to_a_server_that_is_not_trusted_never_left(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))  # which is not for the environment to say
    async with (
        serving(answers(OK), encrypted=True) as server,
        calling(f"https://127.0.0.1:{server.port}", Network(http=kind)) as http,
    ):
        with pytest.raises(Unavailable, match="not trusted: check base_url, or name your CA's certificate in ca_file"):
            await http.send("POST", "/things", {})
    assert server.requests == []


async def test_a_certificate_for_another_host_is_not_trusted(kind: Kind) -> None:
    async with (
        serving(answers(OK), encrypted=True) as server,
        calling(f"https://127.0.0.2:{server.port}", Network(http=kind, ca_file=PEM)) as http,
    ):
        with pytest.raises(Unavailable, match="ConnectError"):
            await http.send("POST", "/things", {})
    assert server.requests == []


async def test_a_write_to_a_server_that_cannot_speak_tls_never_left(kind: Kind) -> None:
    async def plain(caller: Caller) -> None:
        await caller.reader.read(1)
        await caller.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with serving(plain) as server, calling(f"https://127.0.0.1:{server.port}", Network(http=kind)) as http:
        with pytest.raises(Unavailable, match="ConnectError"):
            await http.send("POST", "/things", {})
    assert server.connections == TRIES


async def test_a_connection_that_is_never_made_is_given_up(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(caller: Caller) -> None:
        await caller.reader.read()

    way = Network(http=kind).way("https://127.0.0.1")
    async with serving(silent) as server:
        request = httpx.Request(
            "POST", f"https://127.0.0.1:{server.port}/", extensions={"timeout": {"connect": 0.01, "read": 9}}
        )
        with pytest.raises(httpx.ConnectTimeout):
            await way.send(request)
    await way.aclose()


async def test_a_header_that_would_be_two_is_never_sent(kind: Kind) -> None:
    async with serving(answers(OK)) as server:
        way = Network(http=kind).way(f"http://127.0.0.1:{server.port}")
        with pytest.raises(httpx.LocalProtocolError):
            await way.send(way.request("GET", "/things", None, {"X-A": "1\r\nX-B: 2"}))
        await way.aclose()
    assert server.requests == []


# --- kept connections


async def test_a_connection_serves_one_request_after_another(kind: Kind) -> None:
    async with talking(kind, answers(OK)) as (server, http):
        for _ in range(3):
            assert await http.get("/things") == {"a": 1}
        await http.send("POST", "/things", {"a": 1})
    assert (len(server.requests), server.connections) == (4, 1)


async def test_calls_side_by_side_have_a_connection_each(kind: Kind) -> None:
    together = asyncio.Barrier(5)

    async def wait_for_all(caller: Caller) -> None:
        await caller.request()
        await together.wait()
        await caller.say(OK)

    async with talking(kind, wait_for_all) as (server, http):
        assert await asyncio.gather(*(http.get(f"/things/{number}") for number in range(5))) == [{"a": 1}] * 5
    assert server.connections == 5


async def test_a_write_is_not_sent_on_a_connection_that_the_server_closed(kind: Kind, method: str) -> None:
    """The end of the connection is there, but the loop has not seen it: the thread is waited for without the loop."""
    asked: list[bytes] = []

    def one_request_a_connection(listening: socket.socket, closed: list[threading.Event]) -> None:
        for event in closed:
            connection, _ = listening.accept()
            with connection:
                asked.append(connection.recv(10_000))
                connection.sendall(OK)
            event.set()

    closed = [threading.Event(), threading.Event()]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=one_request_a_connection, args=(listening, closed), daemon=True)
        thread.start()
        async with calling(f"http://127.0.0.1:{listening.getsockname()[1]}", Network(http=kind)) as http:
            await http.get("/things")
            assert closed[0].wait(10)
            assert (await http.send(method, "/things", {})).status == 200
        thread.join(10)
    assert [one.split()[0] for one in asked] == [b"GET", method.encode()]


@pytest.mark.parametrize("reset", [False, True])
async def test_a_write_on_a_kept_connection_that_breaks_is_not_sent_again(kind: Kind, method: str, reset: bool) -> None:
    async def answers_one(caller: Caller) -> None:
        await caller.request()
        await caller.say(OK)
        await caller.request()
        if reset:
            caller.reset()

    async with talking(kind, answers_one, answers(OK)) as (server, http):
        await http.get("/things")
        with pytest.raises(OutcomeUnknown, match="the connection broke"):
            await http.send(method, "/things", {})
    assert (len(server.written), server.connections) == (1, 1)


@pytest.mark.parametrize(
    ("kind", "parting"),
    # httpx would take a second answer for the one to the next request
    [
        ("fast", OK),
        *((kind, parting) for kind in get_args(Kind) for parting in (b"HTTP/1.1 200 OK\r\nContent-Le", b"x")),
    ],
)
async def test_what_follows_an_answer_is_not_the_next_answer(kind: Kind, parting: bytes) -> None:
    other = OK.replace(b"1}", b"2}")
    async with talking(kind, answers(OK + parting), answers(other)) as (_, http):
        assert await http.get("/things") == {"a": 1}
        assert await http.get("/things") == {"a": 2}


async def test_a_connection_whose_answer_was_given_up_is_not_used_again(kind: Kind) -> None:
    begun = asyncio.Event()

    async def begins(caller: Caller) -> None:
        await caller.request()
        await caller.say(OK[:-3])
        begun.set()
        await caller.reader.read()

    async with talking(kind, begins, answers(OK)) as (server, http):
        reading = asyncio.create_task(http.get("/things"))
        await begun.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert await http.get("/things") == {"a": 1}
    assert server.connections == 2


# --- what left, and came to no answer


async def test_a_write_that_was_read_and_not_answered_has_an_unknown_outcome(kind: Kind, method: str) -> None:
    await unknown(kind, once(), "the connection broke", method)


async def test_a_write_whose_connection_was_reset_has_an_unknown_outcome(kind: Kind, method: str) -> None:
    async def resets(caller: Caller) -> None:
        await caller.request()
        caller.reset()

    await unknown(kind, resets, "the connection broke", method)


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"nonsense\r\n\r\n", id="nonsense"),
        pytest.param(b"HTTP/1.1 2xx OK\r\n\r\n", id="status"),
        pytest.param(b"HTTP/9.9 200 OK\r\n\r\n", id="version"),
        pytest.param(HEAD + b"Content-Length: 9\r\n\r\n{}", id="cut off"),
        pytest.param(HEAD + b"Content-Length: -1\r\n\r\n{}", id="negative length"),
        pytest.param(HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", id="two lengths"),
        pytest.param(HEAD + b"no colon\r\n\r\n{}", id="no header"),
        pytest.param(HEAD + b"X: a\0b\r\nContent-Length: 2\r\n\r\n{}", id="zero byte"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", id="no chunk"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n", id="long chunk"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", id="no last chunk"),
        pytest.param(HEAD + b"Transfer-Encoding: gzip\r\n\r\n{}", id="no chunks"),
        pytest.param(HEAD + b"X: " + b"x" * 200_000 + b"\r\n\r\n", id="large header"),
        pytest.param(HEAD + b"X: 1\r\n" * 40_000 + b"\r\n", id="many headers"),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n{}", id="upgrade"),
    ],
)
async def test_an_answer_that_is_not_http_leaves_the_outcome_unknown(kind: Kind, said: bytes) -> None:
    await unknown(kind, once(said), "POST /things")


async def test_trailers_without_end_leave_the_outcome_unknown() -> None:
    endless = HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" + b"X: 1\r\n" * 40_000
    await unknown("fast", once(endless), "the connection broke")


async def test_a_body_that_trickles_in_ends_at_the_deadline(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_module, "DEADLINE", 0.05)

    async def trickles(caller: Caller) -> None:
        await caller.request()
        await caller.say(HEAD + b"Content-Length: 1000000\r\n\r\n")
        while True:
            await caller.say(b" ")
            await asyncio.sleep(0.001)

    await unknown(kind, trickles, "timed out")


@pytest.mark.parametrize("said", [b"", HEAD, HEAD + b"Content-Length: 2\r\n\r\n{"])
async def test_an_answer_that_does_not_go_on_times_out(kind: Kind, said: bytes) -> None:
    async def stalls(caller: Caller) -> None:
        await caller.request()
        await caller.say(said)
        await caller.reader.read()

    async with serving(stalls) as server:
        way = Network(http=kind).way(f"http://127.0.0.1:{server.port}")
        request = way.request("GET", "/", None, {})
        request.extensions = {"timeout": {"connect": 9, "read": 0.02}}
        with pytest.raises(httpx.ReadTimeout):  # noqa: PT012 - either of the two, by how far the answer got
            response = await way.send(request)
            try:
                await response.aread()
            finally:
                await response.aclose()
        await way.aclose()


@pytest.mark.parametrize("packed", [False, True])
async def test_a_body_that_is_too_large_is_not_read(kind: Kind, packed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "LARGEST", 2**20)
    content = b" " * 2**23
    content = gzip.compress(content) if packed else content
    encoding = b"Content-Encoding: gzip\r\n" if packed else b""
    await unknown(
        kind, once(HEAD + encoding + b"Content-Length: %d\r\n\r\n" % len(content), content), "more than 1 MiB"
    )


async def test_a_body_without_end_is_not_read_ahead(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has to wait once enough has come that nobody has taken."""
    sent, stopped = 0, asyncio.Event()

    async def floods(caller: Caller) -> None:
        nonlocal sent
        await caller.request()
        caller.writer.write(HEAD + b"Content-Length: 1000000000\r\n\r\n")
        while sent < 10**9:
            caller.writer.write(b"x" * 2**20)
            sent += 2**20
            try:
                await asyncio.wait_for(caller.writer.drain(), 0.2)
            except TimeoutError:
                break
        stopped.set()

    async with serving(floods) as server:
        way = Network(http=kind).way(f"http://127.0.0.1:{server.port}")
        response = await way.send(way.request("GET", "/", None, {}))
        await stopped.wait()
        await response.aclose()
        await way.aclose()
    assert sent < 10**8


# --- answers that are right


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([HEAD, b"Content-Le", b"ngth: 8\r\n\r", b"\n{", b'"a": 1}'], id="in parts"),
        pytest.param([HEAD + b"\r\n", b'{"a"', b": 1}"], id="until it closes"),
        pytest.param(
            [HEAD + b"Transfer-Encoding: chunked\r\n\r\n4;x=y\r\n", b'{"a"\r\n4\r\n: 1}\r\n0\r\nX: 1\r\n\r\n'],
            id="chunks",
        ),
        pytest.param([b"HTTP/1.1 103 Early Hints\r\nX: 1\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", OK], id="interim"),
        pytest.param([b"HTTP/1.0 200 OK\r\nContent-Length: 8\r\n\r\n", b'{"a": 1}'], id="1.0"),
        pytest.param([HEAD + b"Content-Encoding: gzip  \r\n\r\n", gzip.compress(b'{"a": 1}')], id="packed"),
        pytest.param([HEAD + "X-Who: Zoë".encode() + b"\r\nDate: \x80\xff\r\n\r\n", b'{"a": 1}'], id="odd headers"),
    ],
)
async def test_an_answer_is_read_however_it_comes(kind: Kind, parts: list[bytes]) -> None:
    async with talking(kind, once(*parts)) as (_, http):
        assert await http.get("/things") == {"a": 1}


@pytest.mark.parametrize("status", ["204 No Content", "205 Reset Content"])
async def test_an_answer_without_a_body_is_complete(kind: Kind, status: str) -> None:
    said = f"HTTP/1.1 {status}\r\n{'Content-Length: 0' if status[2] == '5' else 'X: 1'}\r\n\r\n".encode()
    async with talking(kind, answers(said)) as (server, http):
        for _ in range(2):
            assert (await http.send("DELETE", "/things/1")).text == ""
    assert server.connections == 1


async def test_a_large_write_arrives_whole_and_its_answer_too(kind: Kind) -> None:
    async def echoes(caller: Caller) -> None:
        content = (await caller.request()).partition(b"\r\n\r\n")[2]
        await caller.say(HEAD + b"Content-Length: %d\r\n\r\n" % len(content), content)

    async with talking(kind, echoes) as (_, http):
        large = {"text": "Zoë" * 700_000}
        assert (await http.send("POST", "/things", large)).json() == large


async def test_a_redirect_is_not_followed_and_a_cookie_not_kept(kind: Kind) -> None:
    said = b"HTTP/1.1 302 Found\r\nLocation: /other\r\nSet-Cookie: sid=1\r\nContent-Length: 0\r\n\r\n"
    async with talking(kind, answers(said)) as (server, http):
        for _ in range(2):
            with pytest.raises(OutcomeUnknown, match="a redirect, which the sync does not follow"):
                await http.send("POST", "/things", {})
    assert [one.split(b"\r\n")[0] for one in server.requests] == [b"POST /things HTTP/1.1"] * 2
    assert not any(b"cookie" in one.lower() for one in server.requests)


async def test_a_request_is_written_alike_by_both(kind: Kind) -> None:
    async with (
        serving(answers(OK)) as server,
        calling(f"http://127.0.0.1:{server.port}/api/v2/", Network(http=kind)) as http,
    ):
        await http.get("/things/a b", {"q": "x&y", "page": "2"})
    assert server.requests[0].decode().split("\r\n") == [
        "GET /api/v2/things/a%20b?q=x%26y&page=2 HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "Accept: application/json",
        "Accept-Encoding: gzip, deflate",
        "Connection: keep-alive",
        "User-Agent: nexudus-sync",
        "Authorization: Bearer tok-s3cret",
        "",
        "",
    ]


# --- encrypted, and by way of a proxy


async def test_a_server_is_trusted_by_ca_file(kind: Kind) -> None:
    async with (
        serving(answers(OK), encrypted=True) as server,
        calling(f"https://localhost:{server.port}", Network(http=kind, ca_file=PEM)) as http,
    ):
        for _ in range(2):
            assert await http.get("/things") == {"a": 1}
    assert server.connections == 1


@pytest.mark.parametrize("target", ["http", "https"])
async def test_a_proxy_that_cannot_be_reached_lets_nothing_leave(kind: Kind, target: str) -> None:
    network = Network(http=kind, proxy=f"http://127.0.0.1:{free_port()}")
    async with calling(f"{target}://plain.example", network) as http:
        with pytest.raises(Unavailable, match=r"ConnectError.*and proxy \(127.0.0.1\)"):
            await http.send("POST", "/things", {})


async def test_a_proxy_that_refuses_the_login_lets_nothing_leave(kind: Kind) -> None:
    refuses = once(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 3\r\n\r\nno!")
    async with serving(refuses) as proxy:
        network = Network(http=kind, proxy=f"http://me:wrong@127.0.0.1:{proxy.port}")
        async with calling("https://plain.example", network) as http:
            with pytest.raises(Unavailable, match=r"ProxyError.*check the network and proxy \(127.0.0.1\)"):
                await http.send("POST", "/things", {})
    assert len(proxy.requests) == TRIES
    assert proxy.written == []


async def test_a_proxy_that_closes_instead_of_answering_lets_nothing_leave() -> None:
    async with serving(once()) as proxy:
        network = Network(http="fast", proxy=f"http://127.0.0.1:{proxy.port}")
        async with calling("https://plain.example", network) as http:
            with pytest.raises(Unavailable, match="ProxyError"):
                await http.send("POST", "/things", {})


async def test_a_proxy_is_asked_for_what_is_not_encrypted(kind: Kind) -> None:
    async with serving(answers(OK)) as proxy:
        network = Network(http=kind, proxy=f"http://me:p%40ss@127.0.0.1:{proxy.port}")
        async with calling("http://plain.example/api", network) as http:
            assert await http.get("/things") == {"a": 1}
    assert proxy.requests[0].startswith(b"GET http://plain.example/api/things HTTP/1.1\r\n")
    assert b"\r\nProxy-Authorization: Basic bWU6cEBzcw==\r\n" in proxy.requests[0]
    assert b"\r\nHost: plain.example\r\n" in proxy.requests[0]


async def test_a_proxy_s_refusal_of_what_is_not_encrypted_is_an_answer(kind: Kind) -> None:
    async with serving(answers(b"HTTP/1.1 407 No\r\nContent-Length: 3\r\n\r\nno!")) as proxy:
        network = Network(http=kind, proxy=f"http://127.0.0.1:{proxy.port}")
        async with calling("http://plain.example", network) as http:
            with pytest.raises(Refused, match="no!"):
                await http.send("POST", "/things", {})


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while part := await reader.read(65536):
        writer.write(part)
        await writer.drain()
    writer.close()


async def tunnels(caller: Caller) -> None:
    """What a proxy does once it was asked to connect; the host of the request is taken for this machine."""
    asked = await caller.request()
    port = int(asked.split(b" ")[1].rpartition(b":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await caller.say(b"HTTP/1.1 200 Connection established\r\nX-Proxy: 1\r\n\r\n")
    try:
        await asyncio.gather(pipe(caller.reader, writer), pipe(reader, caller.writer))
    finally:
        writer.transport.abort()


@pytest.mark.parametrize("encrypted", [False, True])
async def test_an_encrypted_server_is_reached_through_a_proxy(
    kind: Kind, encrypted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certifi, "where", lambda: str(PEM))  # which is what an https:// proxy is trusted by
    async with serving(answers(OK), encrypted=True) as server, serving(tunnels, encrypted=encrypted) as proxy:
        way = f"{'https' if encrypted else 'http'}://me:p%40ss@localhost:{proxy.port}"
        async with calling(f"https://localhost:{server.port}", Network(http=kind, proxy=way, ca_file=PEM)) as http:
            assert await http.get("/things") == {"a": 1}
            assert (await http.send("POST", "/things", {"a": 1})).status == 200
    assert (len(server.requests), proxy.connections) == (2, 1)
    assert b"proxy-authorization" not in b"".join(server.requests).lower()
    assert proxy.requests[0].startswith(f"CONNECT localhost:{server.port} HTTP/1.1\r\n".encode())
    assert b"\r\nProxy-Authorization: Basic bWU6cEBzcw==\r\n" in proxy.requests[0]


async def test_a_server_behind_a_proxy_that_is_not_trusted_gets_nothing(kind: Kind) -> None:
    async with serving(answers(OK), encrypted=True) as server, serving(tunnels) as proxy:
        network = Network(http=kind, proxy=f"http://127.0.0.1:{proxy.port}")
        async with calling(f"https://localhost:{server.port}", network) as http:
            with pytest.raises(Unavailable, match="ConnectError"):
                await http.send("POST", "/things", {})
    assert server.requests == []


async def test_variables_of_the_environment_change_nothing(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    async with talking(kind, answers(OK)) as (_, http):
        assert await http.get("/things") == {"a": 1}
