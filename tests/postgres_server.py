"""A PostgreSQL server for tests: a private one, started as an ordinary user, that ends with the process."""

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, Self

PASSWORD = "only for tests"  # of the user "postgres", asked for on the network and not on the socket
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


def programs() -> Path | None:
    """The folder of the newest server's programs; None where there is none."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(folders, key=lambda path: int(path.parent.name), default=None)


class PostgresServer:
    """A server with its data in a folder of its own, on a socket in that folder and on a port of the loopback.

    Databases are made for a language that orders text otherwise than by its bytes, so that a column that forgets to say
    how it is ordered is noticed. `settings` are the server's own; `durable`: it waits for its disk.
    """

    def __init__(self, *, durable: bool = False, **settings: str) -> None:
        found = programs()
        assert found is not None, "the programs of a PostgreSQL server are not installed"
        self._programs, self._numbers = found, count(1)
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._settings = {**({} if durable else _FAST), **settings}
        self._user = _ordinary_user()
        self.port = _free_port()
        if self._user:
            shutil.chown(self.folder, self._user)
        self._process: subprocess.Popen[bytes] | None = None
        self._initialise()

    def start(self) -> Self:
        """Start it, and wait until it takes connections."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "shared_buffers": "32MB",
            "max_connections": "100",
            **self._settings,
        }
        options = [part for name, said in settings.items() for part in ("-c", f"{name}={said}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.folder / "data", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self._user,
                preexec_fn=_end_with_parent,
            )
        asked = [self._programs / "pg_isready", "-q", "-h", self.folder, "-p", str(self.port)]
        for _ in range(600):
            if subprocess.run(asked, check=False).returncode == 0:
                return self
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"the server does not start: {(self.folder / 'log').read_text()[-2000:]}")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it, by default ending all connections; SIGQUIT as if its machine had stopped."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it and start it again."""
        self.stop(how)
        self.start()

    def close(self) -> None:
        """Stop it for good, and delete its data."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def seconds(self) -> float:
        """The processor time that it has used, that of connections which are closed by now included (Linux)."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def url(self, database: str) -> str:
        """The URL of a database by the socket, which asks for no password."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}&port={self.port}"

    def network_url(self, database: str, *, user: str = "postgres", password: str = PASSWORD) -> str:
        """The URL of a database by the network, with a password."""
        secret = password.replace(" ", "%20")
        return f"postgresql+psycopg://{user}:{secret}@127.0.0.1:{self.port}/{database}"

    def create(self, template: str = "template1") -> str:
        """A new database, a copy of the template; its name."""
        name = f"test_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def run(self, sql: str, database: str = "postgres") -> list[Any]:
        """Run a statement outside of any transaction; its rows, if it gives any."""
        import psycopg

        with closing(psycopg.connect(self._dsn(database), autocommit=True)) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def _dsn(self, database: str) -> str:
        return f"host={self.folder} port={self.port} user=postgres dbname={database}"

    def _initialise(self) -> None:
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        if self._user:
            shutil.chown(secret, self._user)
        language = ["--locale-provider=icu", "--icu-locale=en-US", "--locale=C.UTF-8", "--encoding=UTF8"]
        ways = ["--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={secret}", "--username=postgres"]
        made = subprocess.run(
            [self._programs / "initdb", "-D", self.folder / "data", "--no-sync", *language, *ways],
            capture_output=True,
            text=True,
            check=False,
            user=self._user,
        )
        assert made.returncode == 0, made.stderr


def _ordinary_user() -> str | None:
    """The user to run it as: the server refuses to run as root. None: as whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in known)


def _free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _end_with_parent() -> None:  # pragma: no cover  in another process
    """Ask Linux to stop the server when the process that started it is gone, however that ended."""
    if hasattr(ctypes.CDLL(None), "prctl"):
        ctypes.CDLL(None).prctl(1, signal.SIGQUIT)
