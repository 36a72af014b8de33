import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from nexudus_sync.errors import StoreError, StoreLocked
from nexudus_sync.store import Store

HOLDER = """
import sys, pathlib
from nexudus_sync.store import Store
with Store.open("sqlite:///state.db", base_dir=pathlib.Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_run_is_told_who_works_on_the_store(on_disk: Store, tmp_path: Path) -> None:
    said = rf"^another nexudus-sync \(process {os.getpid()}\) is working on {re.escape(str(tmp_path))}/state\.db"
    with (
        closing(Store.open("sqlite:///state.db", base_dir=tmp_path)) as other,
        on_disk.lock(),
        pytest.raises(StoreLocked, match=said),
        other.lock(),
    ):
        pytest.fail("locked twice")


def test_the_lock_is_free_again_after_leaving_and_after_an_error(on_disk: Store, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), on_disk.lock():
        raise ZeroDivisionError
    with on_disk.lock():
        assert (tmp_path / "state.db.lock").read_text() == f"{os.getpid()}\n"
    assert (tmp_path / "state.db.lock").read_text() == ""


@pytest.mark.processes
def test_the_lock_dies_with_its_process_and_names_the_next_holder(on_disk: Store, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreLocked, match=rf"\(process {holder.pid}\)"), on_disk.lock():
            pytest.fail("locked twice")
        holder.send_signal(signal.SIGKILL)
    with on_disk.lock():
        assert (tmp_path / "state.db.lock").read_text() == f"{os.getpid()}\n"


def test_a_holder_that_has_not_written_its_number_yet_is_not_named(on_disk: Store, tmp_path: Path) -> None:
    with on_disk.lock():
        (tmp_path / "state.db.lock").write_text("")
        with pytest.raises(StoreLocked, match=r"^another nexudus-sync is working on"), on_disk.lock():
            pytest.fail("locked twice")


def test_a_lock_file_that_cannot_be_opened_is_said(on_disk: Store, tmp_path: Path) -> None:
    (tmp_path / "state.db.lock").mkdir()
    with pytest.raises(StoreError, match=r"state\.db\.lock cannot be opened: Is a directory"), on_disk.lock():
        pytest.fail("locked")


def test_the_store_is_read_and_written_beside_a_held_lock(on_disk: Store, tmp_path: Path) -> None:
    with on_disk.lock(), closing(Store.open("sqlite:///state.db", base_dir=tmp_path)) as other, other.session():
        pass


def test_a_store_in_memory_needs_no_lock(memory: Store) -> None:
    with memory.lock(), memory.lock():
        pass


def somebody_elses(path: Path) -> None:
    (path.parent / "victim").write_text("precious")
    path.symlink_to(path.parent / "victim")


def second_name(path: Path) -> None:
    (path.parent / "victim").write_text("precious")
    path.hardlink_to(path.parent / "victim")


@pytest.mark.parametrize(
    ("put", "problem"),
    [
        (somebody_elses, "is a symbolic link; remove it"),
        (lambda path: path.symlink_to(path.parent / "nowhere"), "is a symbolic link; remove it"),
        (second_name, "is a second name of another file"),
        (os.mkfifo, "is a pipe or a device; remove it"),
    ],
)
def test_what_somebody_put_in_the_lock_file_s_place_is_never_written_to(
    on_disk: Store, tmp_path: Path, put: Callable[[Path], None], problem: str
) -> None:
    put(tmp_path / "state.db.lock")
    with pytest.raises(StoreError, match=rf"the lock file state\.db\.lock .*{problem}"), on_disk.lock():
        pytest.fail("locked")
    assert not (tmp_path / "nowhere").exists()
    if (tmp_path / "victim").exists():
        assert (tmp_path / "victim").read_text() == "precious"


def test_another_users_lock_file_is_left_alone(on_disk: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "state.db.lock").write_text("4711\n")
    monkeypatch.setattr(os, "geteuid", lambda: (tmp_path / "state.db.lock").stat().st_uid + 1)
    with pytest.raises(StoreError, match="belongs to another user"), on_disk.lock():
        pytest.fail("locked")
    assert (tmp_path / "state.db.lock").read_text() == "4711\n"
