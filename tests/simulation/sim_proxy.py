"""A way to a server that can be cut: all connections break at once, with a reset."""

import socket
import struct
import threading
from contextlib import suppress

Pair = tuple[socket.socket, socket.socket]
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close at once, and tell the other end so


class Proxy:
    """Carries connections to a port of the loopback."""

    def __init__(self, to: int) -> None:
        self._to, self._lock, self._closed = to, threading.Lock(), False
        self._pairs: set[Pair] = set()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> int:
        """Break all connections; how many there were."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            for one in pair:
                with suppress(OSError):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            _end(pair)
        return len(pairs)

    def close(self) -> None:
        """No more connections."""
        self._closed = True
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        while not self._closed:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:  # the server is away: so is this end
                near.close()
                continue
            with self._lock:
                self._pairs.add((near, far))
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(one, other, (near, far)), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket, pair: Pair) -> None:
        with suppress(OSError):
            while data := one.recv(1 << 16):
                other.sendall(data)
        with self._lock:
            self._pairs.discard(pair)
        _end(pair)


def _end(pair: Pair) -> None:
    for one in pair:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
