"""`worker` says in one line what it needs."""

import builtins
from typing import Any

import pytest
from cli_house import CONFIG, House

SECRETS = {
    **dict.fromkeys(("NEXUDUS_USERNAME", "NEXUDUS_PASSWORD", "OVERPLANE_TOKEN"), "only-for-tests"),
    "NEXUDUS_TOTP": "JBSWY3DPEHPK3PXP",
    "OVERPLANE_URL": "http://127.0.0.1:1",
    "STORE_PASSWORD": "hunter2",
}
STORE = '[store]\nurl = "{url}"\n'


@pytest.fixture
def house(house: House) -> House:
    """With all secrets."""
    house.environment |= SECRETS
    return house


def test_a_store_in_a_file_is_refused_with_what_to_write(house: House) -> None:
    house.write(CONFIG)
    ended = house.run("worker")
    assert ended.code == 2
    assert "config.toml: store.url: is a file, and workers share a store on PostgreSQL; write url =" in ended.err
    assert len(ended.err.splitlines()) == 1


def test_without_the_extra_it_says_how_to_install_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.write(STORE.format(url="postgresql+psycopg://sync@127.0.0.1:1/none") + CONFIG)
    load = builtins.__import__

    def missing(name: str, *given: Any) -> Any:
        if name == "nexudus_sync.worker.worker":
            raise ModuleNotFoundError("No module named 'procrastinate'", name="procrastinate")
        return load(name, *given)

    monkeypatch.setattr(builtins, "__import__", missing)
    ended = house.run("worker")
    assert (ended.code, len(ended.err.splitlines())) == (2, 1)
    assert "procrastinate is not installed; pip install 'nexudus-sync[cluster]'" in ended.err


@pytest.mark.sockets
def test_a_server_that_does_not_answer_is_one_line_without_the_password(house: House) -> None:
    house.write(STORE.format(url="postgresql+psycopg://sync:${STORE_PASSWORD}@127.0.0.1:1/none") + CONFIG)
    ended = house.run("worker")
    assert (ended.code, len(ended.err.splitlines())) == (1, 1)
    assert "cannot be reached" in ended.err
    assert "hunter2" not in ended.err


def test_it_works_for_all_tenants_of_a_fleet(house: House) -> None:
    (house.folder / "tenants").mkdir()
    house.write('[store]\nurl = "sqlite:///state.db"\n[fleet]\nfolder = "tenants"\n')
    ended = house.run("worker", before=("--tenant", "acme"))
    assert (ended.code, len(ended.err.splitlines())) == (2, 1)
    assert "--tenant: a worker works for all tenants; leave it out" in ended.err


def test_a_worker_with_nothing_to_do_is_refused(house: House) -> None:
    ended = house.run("worker", "--concurrency", "0", "--sweeps", "0", "--backfills", "0")
    assert (ended.code, len(ended.err.splitlines())) == (2, 1)
    assert "are all 0; leave one of them something to do" in ended.err
