"""`backup` and `restore`, as a person uses them."""

from contextlib import closing

from cli_house import House, conflict
from sqlmodel import select

from nexudus_sync.store import Store
from nexudus_sync.store.tables import Conflict


def test_a_state_goes_to_a_file_and_comes_back(house: House) -> None:
    house.keep(conflict())
    copy = house.folder / "copy.db"
    with closing(Store.open("sqlite:///state.db", base_dir=house.folder)) as store, store.lock():
        assert house.run("backup", str(copy)).code == 0
        house.keep(conflict(field="notes"))
        ended = house.run("restore", str(copy))
        assert (ended.code, ended.out) == (1, "")
        assert "another nexudus-sync" in ended.err
    assert len(house.rows(Conflict)) == 2
    ended = house.run("restore", str(copy))
    assert (ended.code, ended.err) == (0, "")
    assert len(house.rows(Conflict)) == 1
    (aside,) = house.folder.glob("state.db.before-restore-*")
    assert str(aside) in ended.out
    assert "`nexudus-sync plan`" in ended.out


def test_each_mistake_is_one_line(house: House) -> None:
    ended = house.run("backup", str(house.folder / "copy.db"))
    assert (ended.code, ended.err.count("\n"), "nothing to back up" in ended.err) == (1, 1, True)
    ended = house.run("restore", str(house.folder / "none.db"))
    assert (ended.code, ended.err.count("\n"), "none.db does not exist" in ended.err) == (1, 1, True)
    house.write(house.config.read_text(encoding="utf-8") + '[store]\nurl = "postgresql://db/x"\n')
    ended = house.run("backup", str(house.folder / "copy.db"))
    assert (ended.code, ": [store] url: is not a file" in ended.err) == (2, True)


def test_a_restore_without_a_state_makes_one(house: House) -> None:
    house.keep(conflict())
    house.run("backup", str(house.folder / "copy.db"))
    for left in house.folder.glob("state.db*"):
        left.unlink()
    ended = house.run("restore", str(house.folder / "copy.db"))
    assert (ended.code, "before" in ended.out.split("plan")[0]) == (0, False)
    assert len(house.rows(Conflict)) == 1


def test_a_state_is_copied_to_another_address(house: House) -> None:
    house.keep(conflict())
    house.environment["COPY"] = "other"
    ended = house.run("store", "copy", "sqlite:///state.db", "sqlite:///${COPY}.db")
    assert (ended.code, ended.err) == (0, "")
    assert "both states hold the same" in ended.out
    with closing(Store.open("sqlite:///other.db", base_dir=house.folder)) as store, store.read() as session:
        assert len(session.exec(select(Conflict)).all()) == 1
    ended = house.run("store", "copy", "sqlite:///state.db", "sqlite:///other.db")
    assert (ended.code, "already holds something" in ended.err, ended.err.count("\n")) == (1, True, 1)
    ended = house.run("store", "copy", "sqlite:///state.db", "mysql://joe:hunter2@host/db")
    assert (ended.code, "hunter2" in ended.err, ended.err.count("\n")) == (2, False, 1)
    ended = house.run("store", "copy", "sqlite:///state.db", "sqlite:///${NOT_SET}.db")
    assert (ended.code, "NOT_SET is not set" in ended.err) == (2, True)
