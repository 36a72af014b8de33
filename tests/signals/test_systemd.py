"""What systemd is told, at a real socket of its kind."""

import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from nexudus_sync.signals.systemd import Service


class Systemd:
    """Listens at `address`, in the form of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(5)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def service(self, **environ: str) -> Service:
        return Service({"NOTIFY_SOCKET": self.address, **environ})

    def heard(self) -> str:
        return self._socket.recv(4096).decode()

    def heard_nothing(self) -> bool:
        self._socket.setblocking(False)
        try:
            self._socket.recv(4096)
        except BlockingIOError:
            return True
        return False

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    made = Systemd(str(tmp_path / "notify") if request.param == "path" else f"@nexudus-sync-{secrets.token_hex(8)}")
    yield made
    made.close()


@pytest.mark.sockets
def test_it_hears_each_message(systemd: Systemd) -> None:
    service = systemd.service(WATCHDOG_USEC="120000000", WATCHDOG_PID=str(os.getpid()))
    for tell in (service.ready, service.alive, service.stopping):
        tell()
    service.status("all is\nwell ✓")
    assert [systemd.heard() for _ in range(4)] == ["READY=1", "WATCHDOG=1", "STOPPING=1", "STATUS=all is well ✓"]
    assert service.watchdog == 60


@pytest.mark.sockets
@pytest.mark.parametrize(
    "environ",
    [{}, {"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "0"}],
)
def test_a_watchdog_that_does_not_watch_this_process_is_told_nothing(systemd: Systemd, environ: dict[str, str]) -> None:
    service = systemd.service(**environ)
    service.alive()
    assert service.watchdog is None
    assert systemd.heard_nothing()


def test_without_systemd_nobody_is_told(tmp_path: Path) -> None:
    for environ in (
        {},
        {"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "1000"},
        {"NOTIFY_SOCKET": "vsock:2"},
    ):
        service = Service(environ)
        service.ready()
        service.alive()
        service.stopping()
        assert (service.watchdog is None) == ("WATCHDOG_USEC" not in environ)
