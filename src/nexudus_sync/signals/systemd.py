"""Tells systemd how the service is, by the protocol of sd_notify(3): a datagram to the socket that it names."""

import os
import socket
from collections.abc import Mapping

import structlog


class Service:
    """What systemd is told; without systemd it tells nobody. A socket that does not answer is nobody's trouble.

    `environ` is the process's environment: `NOTIFY_SOCKET`, and of the watchdog `WATCHDOG_USEC` and `WATCHDOG_PID`.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        if address and address[0] not in "@/":  # a vsock: systemd outside of a virtual machine
            structlog.get_logger("nexudus_sync.signals").warning("systemd.unknown_socket", address=address)
            self._address = ""
        self.watchdog = _watchdog(environ) if self._address else None
        """How many seconds apart the watchdog wants its signs of life, halved; None: it is not asked to watch."""

    @property
    def listens(self) -> bool:
        """Does anybody want to be told?"""
        return bool(self._address)

    def ready(self) -> None:
        """The service is at work."""
        self._tell("READY=1")

    def alive(self) -> None:
        """For the watchdog, at least as often as `watchdog` says."""
        if self.watchdog is not None:
            self._tell("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._tell(f"STATUS={' '.join(text.split())}")

    def stopping(self) -> None:
        """It is ending as it should."""
        self._tell("STOPPING=1")

    def _tell(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
                out.setblocking(False)
                out.sendto(message.encode(errors="replace"), self._address)
        except OSError as error:
            structlog.get_logger("nexudus_sync.signals").debug("systemd.failed", error=error.strerror)


def _watchdog(environ: Mapping[str, str]) -> float | None:
    """Half of the time after which the watchdog ends the process, if it watches this one."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        limit = int(environ.get("WATCHDOG_USEC", "")) / 1_000_000
    except ValueError:
        return None
    return limit / 2 if limit > 0 else None
