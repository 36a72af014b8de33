import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlmodel import Session, SQLModel, col, select

from nexudus_sync.errors import StoreError
from nexudus_sync.store import Store, schema
from nexudus_sync.store.tables import Brake, Conflict, ConnectionState, Decision, Fact, Journal, Link

DATA = Path(__file__).parent / "data"


def tables_of(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_the_named_revisions_are_the_ones_there_are() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    found = [script.revision for script in scripts.walk_revisions()]
    assert tuple(reversed(found)) == schema.REVISIONS
    assert scripts.get_heads() == [schema.HEAD]


def test_a_migrated_store_is_what_the_tables_describe(on_disk: Store, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'state.db'}")
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)
    engine.dispose()
    assert differences == []


@pytest.mark.parametrize("revision", schema.REVISIONS)
def test_a_store_of_each_release_opens_with_all_it_held(revision: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        connection.executescript((DATA / f"store_{revision}.sql").read_text(encoding="utf-8"))
    then = tables_of(tmp_path / "state.db")
    with closing(Store.open("sqlite:///state.db", base_dir=tmp_path)) as store, store.read() as session:
        assert_holds_one_row_a_table(session, then)


def assert_holds_one_row_a_table(session: Session, then: set[str]) -> None:
    for table in SQLModel.metadata.sorted_tables:
        rows = session.connection().execute(table.select()).all()
        assert len(rows) == (table.name in then), table.name
    link = session.exec(select(Link)).one()
    assert link.nexudus_snapshot == {"Name": "Café – desk", "Value": Decimal("1200.50"), "DueDate": None}
    assert link.created_at == datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    assert session.exec(select(ConnectionState)).one().cycles == 3
    assert session.exec(select(Journal)).one().state == "planned"
    conflict = session.exec(select(Conflict)).one()
    assert (conflict.base, conflict.nexudus, conflict.crm) == (None, Decimal("10.10"), 12)


def change(folder: Path, statement: str) -> None:
    """Somebody changes the store behind its back."""
    with closing(sqlite3.connect(folder / "state.db")) as connection:
        connection.execute(statement)
        connection.commit()


def test_a_newer_versions_store_is_refused(on_disk: Store, tmp_path: Path) -> None:
    change(tmp_path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match=r"^/.*/state\.db was written by a newer nexudus-sync \(schema 9999\);"):
        Store.open("sqlite:///state.db", base_dir=tmp_path)


def test_a_store_that_lost_its_version_is_refused(on_disk: Store, tmp_path: Path) -> None:
    change(tmp_path, "DELETE FROM alembic_version")
    with pytest.raises(StoreError, match=r"^/.*/state\.db does not say which version wrote it; restore it"):
        Store.open("sqlite:///state.db", base_dir=tmp_path)


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade = schema._upgrade

    def upgrade_and_fail(connection: object) -> None:
        upgrade(connection)  # type: ignore[arg-type]
        raise ZeroDivisionError

    monkeypatch.setattr(schema, "_upgrade", upgrade_and_fail)
    with pytest.raises(ZeroDivisionError):
        Store.open("sqlite:///state.db", base_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    Store.open("sqlite:///state.db", base_dir=tmp_path).close()
    assert "link" in tables_of(tmp_path / "state.db")


def test_a_store_that_another_process_just_migrated_is_not_migrated_again(
    on_disk: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, seen = schema.revision, iter([None])

    def late_look(connection: object, label: str) -> str | None:
        return next(seen, look(connection, label))  # type: ignore[arg-type]

    monkeypatch.setattr(schema, "revision", late_look)
    monkeypatch.setattr(schema, "_upgrade", lambda _: pytest.fail("migrated again"))
    Store.open("sqlite:///state.db", base_dir=tmp_path).close()


def test_a_folder_with_a_percent_sign_holds_a_store(tmp_path: Path) -> None:
    (tmp_path / "50%s").mkdir()
    Store.open("sqlite:///state.db", base_dir=tmp_path / "50%s").close()
    assert "link" in tables_of(tmp_path / "50%s" / "state.db")


def test_a_card_whose_id_was_given_again_gets_it_back(tmp_path: Path) -> None:
    """Its link ended under its id with the link's own number behind it; the other card's link keeps what it was."""
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        connection.executescript((DATA / "store_0001.sql").read_text(encoding="utf-8"))
        columns = [row[1] for row in connection.execute("PRAGMA table_info(link)")]
        copied = ", ".join(columns)
        for number, nexudus_id, crm_id in ((45, "7001~45", "b3c2"), (46, "7~1~46", "b3c3"), (47, "7001~45~", "b3c4")):
            given = {"id": str(number), "nexudus_id": f"'{nexudus_id}'", "crm_id": f"'{crm_id}'"}
            values = ", ".join(given.get(name, name) for name in columns)
            connection.execute(f"INSERT INTO link ({copied}) SELECT {values} FROM link WHERE id = 1")
        connection.commit()
    with closing(Store.open("sqlite:///state.db", base_dir=tmp_path)) as store, store.read() as session:
        found = [(link.nexudus_id, link.nexudus_identity) for link in session.exec(select(Link).order_by(col(Link.id)))]
    assert found == [("7001", ""), ("7001", "~45"), ("7~1", "~46"), ("7001~45~", "")]


SENTENCES = """
INSERT INTO conflict (connection, link_id, nexudus_id, crm_id, field, nexudus, crm, state, reason, opened_at) VALUES
  ('london', 1, '1', 'a', 'title', '"A"', '"B"', 'open', NULL, '2026-03-02'),
  ('london', 1, '1', 'a', 'title', '"A"', '"B"', 'open', 'overwritten between our read and our write', '2026-03-02'),
  ('london', NULL, '2', '', 'record', '["another record (2)"]', '[]', 'open', 'several share ann@…', '2026-03-02'),
  ('london', 1, '1', 'a', 'record', '"deleted"', '"edited"', 'open', 'deleted in Nexudus: title is x', '2026-03-02'),
  ('london', 1, '1', 'a', 'record', '"another record"', '"kept"', 'open', 'the answer is about …', '2026-03-02');
INSERT INTO journal (connection, side, kind, nexudus_id, crm_id, step, fields, state, planned_at, looks, outcome) VALUES
  ('london', 'crm', 'opportunity.create', '5', '', '{"payload": {"body": {"title": "T", "amount": 1.50,
   "remote_id": "nexudus:5"}}}', '{}', 'dropped', '2026-03-02', 2, 'not found after 2 looks; planned anew'),
  ('london', 'nexudus', 'opportunity.create', '', 'b', '{"payload": {"body": {"Name": "overplane", "SystemId":
   "overplane:b"}}}', '{}', 'dropped', '2026-03-02', 0, 'not needed any more');
INSERT INTO brake (connection, name, evidence, links, judged, state, set_at) VALUES
  ('london', 'mass-delete', 'the records of 57 of 60 links are missing', '[]', '{}', 'released', '2026-03-02'),
  ('london', 'empty-side', 'overplane lists nothing, but 60 links have one', '[]', '{}', 'set', '2026-03-02'),
  ('london', 'empty-side', 'office 365 lists nothing, but 61 links have one', '[]', '{}', 'set', '2026-03-02'),
  ('london', 'no-pairs', 'not one of the records is on both sides', '[]', '{}', 'set', '2026-03-02');
"""


def test_what_was_told_in_sentences_stands_in_columns_after_the_upgrade(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        connection.executescript((DATA / "store_0002.sql").read_text(encoding="utf-8"))
        for table in ("conflict", "journal", "brake"):
            connection.execute(f"DELETE FROM {table}")
        connection.executescript(SENTENCES)
        connection.commit()
    with closing(Store.open("sqlite:///state.db", base_dir=tmp_path)) as store, store.read() as session:
        asked = [(one.kind, one.side, one.edits) for one in session.exec(select(Conflict).order_by(col(Conflict.id)))]
        given_up = [(one.not_found, one.step["key"]) for one in session.exec(select(Journal).order_by(col(Journal.id)))]
        sizes = [one.size for one in session.exec(select(Brake).order_by(col(Brake.id)))]
        amount = session.exec(select(Journal)).first().step["payload"]["body"]["amount"]
    kinds = [("field", "", {}), ("overwritten", "", {}), ("match", "", {})]
    assert asked == [*kinds, ("deleted", "crm", {}), ("another-record", "nexudus", {})]
    assert given_up == [(True, "nexudus:5"), (False, "overplane:b")]
    assert sizes == [57, 60, 61, 0]  # a release is for as many
    assert amount == Decimal("1.50")


def test_pairs_are_named_and_undos_signed_by_what_was_known_before(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        connection.executescript((DATA / "store_0003.sql").read_text(encoding="utf-8"))
        connection.execute("INSERT INTO fact (system, key, value) VALUES ('undo asked by', '1', '\"ana\"')")
        connection.commit()
    with closing(Store.open("sqlite:///state.db", base_dir=tmp_path)) as store, store.read() as session:
        assert session.exec(select(Link.title)).one() == "Café – desk"
        assert session.exec(select(Decision.asked_by)).one() == "ana"
        assert [fact.system for fact in session.exec(select(Fact))] == ["overplane"]
