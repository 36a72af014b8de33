"""Reading an answer's body: decoded while it arrives, and never more than is allowed.

httpx would unpack each part of a compressed body whole, however large that gets; here the unpacking itself has a limit.
"""

import zlib
from collections.abc import AsyncIterator, Callable

import httpx

LARGEST = 64 * 2**20
"""Bytes of a body, before and after unpacking: a page of a thousand records has a few."""
ACCEPTED = "gzip, deflate"
"""What `Accept-Encoding` says: the ways of packing that can be unpacked bit by bit."""

_GZIP, _ZLIB, _RAW = 31, 15, -15
"""How zlib is told the three formats apart."""


class BrokenBody(Exception):
    """A body that is too large, or packed in a way that cannot be undone; the text says which."""


async def read(response: httpx.Response, tick: Callable[[], None]) -> bytes:
    """The unpacked body. `tick` is called with each part that came, and may raise.

    Raises BrokenBody, and what httpx raises when the connection breaks.
    """
    assert isinstance(response.stream, httpx.AsyncByteStream)
    unpack, parts, received, size = _unpacker(response.headers.get("Content-Encoding", "")), [], 0, 0
    async for chunk in _ticking(response.stream, tick):
        received += len(chunk)
        part = unpack(chunk, LARGEST + 1 - size)
        size += len(part)
        if max(received, size) > LARGEST:
            raise BrokenBody(f"a body of more than {LARGEST >> 20} MiB")
        parts.append(part)
    return b"".join(parts)


async def _ticking(stream: httpx.AsyncByteStream, tick: Callable[[], None]) -> AsyncIterator[bytes]:
    async for chunk in stream:
        tick()
        yield chunk


def _unpacker(encoding: str) -> Callable[[bytes, int], bytes]:
    """A function that unpacks the body bit by bit: at most N bytes per call."""
    packed = [name for name in (part.strip().lower() for part in encoding.split(",")) if name not in ("", "identity")]
    if not packed:
        return lambda chunk, room: chunk
    if packed in (["gzip"], ["x-gzip"]):
        return _Inflate(_GZIP)
    if packed == ["deflate"]:
        return _Inflate(_ZLIB)
    raise BrokenBody("a body packed in a way that was not asked for")


class _Inflate:
    """Undoes gzip and deflate; the latter comes with and without its own header."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._stream = zlib.decompressobj(bits)
        self._begun = False

    def __call__(self, chunk: bytes, room: int) -> bytes:
        if self._stream.eof:
            return b""  # what follows the end says nothing
        try:
            return self._unpack(chunk, room)
        except zlib.error:
            raise BrokenBody("a body that cannot be unpacked") from None

    def _unpack(self, chunk: bytes, room: int) -> bytes:
        begun, self._begun = self._begun, True
        try:
            return self._stream.decompress(chunk, room)
        except zlib.error:
            if begun or self._bits != _ZLIB:
                raise
            self._stream = zlib.decompressobj(_RAW)
            return self._stream.decompress(chunk, room)
