"""The operating-system lock that keeps two runs off one store. It dies with the process, however that ends."""

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nexudus_sync.errors import StoreError, StoreLocked

if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    _FAR = 1 << 30  # a byte past the text: the locked part cannot be read by others

    def _acquire(file: int) -> None:
        os.lseek(file, _FAR, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _acquire(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def hold(path: Path, label: str) -> Iterator[None]:
    """Hold the lock file at `path` for the store named `label`.

    The file says the holder's process id and is left in place. Raises StoreLocked at once when another holds it,
    StoreError when the file cannot be made.
    """
    file = _open(path, label)
    try:
        _acquire_or_say_who(file, label)
        with suppress(OSError):  # on a full disk the next message does without the process id
            _write(file, f"{os.getpid()}\n".encode())
        try:
            yield
        finally:
            _write(file, b"")
    finally:
        os.close(file)  # which releases the lock


def _open(path: Path, label: str) -> int:
    """The lock file, made if need be. What somebody put in its place is never written to."""
    flags = os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        file = os.open(path, flags, 0o600)
    except OSError as error:
        reason = "it is a symbolic link; remove it" if error.errno == errno.ELOOP else error.strerror
        raise StoreError(f"{label}: the lock file {path.name} cannot be opened: {reason}") from error
    found = os.fstat(file)
    problem = ""
    if not stat.S_ISREG(found.st_mode):
        problem = "is a pipe or a device; remove it"
    elif hasattr(os, "geteuid") and found.st_uid != os.geteuid():
        problem = "belongs to another user; remove it, or work as that user"
    elif found.st_nlink > 1:
        problem = "is a second name of another file (a hard link); remove it"
    if problem:
        os.close(file)
        raise StoreError(f"{label}: the lock file {path.name} {problem}")
    return file


def _acquire_or_say_who(file: int, label: str) -> None:
    try:
        _acquire(file)
    except (BlockingIOError, PermissionError):
        os.lseek(file, 0, os.SEEK_SET)
        holder = os.read(file, 20).decode("ascii", "replace").strip()
        who = f" (process {holder})" if holder.isdigit() else ""
        raise StoreLocked(f"another nexudus-sync{who} is working on {label}; wait for it or stop it") from None


def _write(file: int, content: bytes) -> None:
    os.lseek(file, 0, os.SEEK_SET)
    os.ftruncate(file, 0)
    os.write(file, content)
