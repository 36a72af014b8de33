"""The laws of a mapping are checked once, not in every process; a change of the mapping or the checker checks again."""

from pathlib import Path

import pytest
from cli_house import House

from nexudus_sync.engine.startup import lawful
from nexudus_sync.mapping import Mapping, laws
from nexudus_sync.mapping.laws import Finding
from nexudus_sync.store.tables import Fact

BROKEN = [Finding("fail", "title", "GetPut", "writing back 'x' changes 'y'")]
SHIPPED = Path(__file__).parents[2] / "mappings" / "nexudus.toml"


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[Mapping]:
    """The mappings that were checked."""
    found, check = list[Mapping](), laws.check

    def noted(mapping: Mapping) -> list[Finding]:
        found.append(mapping)
        return check(mapping)

    monkeypatch.setattr(laws, "check", noted)
    return found


def test_a_mapping_is_checked_in_the_first_process_only(sandboxed: House, checked: list[Mapping]) -> None:
    assert sandboxed.run("plan").code == 0
    assert len(checked) == 1
    assert sandboxed.run("plan").code == 0
    assert len(checked) == 1


def test_an_edited_mapping_is_checked_again(sandboxed: House, checked: list[Mapping]) -> None:
    sandboxed.run("plan")
    mapping = sandboxed.folder / "nexudus.toml"
    mapping.write_text(SHIPPED.read_text(encoding="utf-8"), encoding="utf-8")
    sandboxed.write(sandboxed.config.read_text(encoding="utf-8") + 'mapping = { nexudus = "nexudus.toml" }\n')
    before = len(checked)
    sandboxed.run("plan")
    text = mapping.read_text(encoding="utf-8").replace('path = "UtmSource"', 'path = "UtmMedium2"')
    mapping.write_text(text, encoding="utf-8")
    sandboxed.run("plan")
    assert len(checked) > before


def test_another_checker_checks_again(
    sandboxed: House, checked: list[Mapping], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sandboxed.run("plan")
    (tmp_path / "newer").mkdir()
    (tmp_path / "newer" / "laws.py").write_text("# another version\n", encoding="utf-8")
    monkeypatch.setattr(lawful, "CHECKER", tmp_path / "newer")
    sandboxed.run("plan")
    assert len(checked) == 2


def test_a_mapping_that_breaks_a_law_is_never_remembered(sandboxed: House, monkeypatch: pytest.MonkeyPatch) -> None:
    sandboxed.run("status")  # there is a store, which knows of no mapping
    monkeypatch.setattr(laws, "check", lambda _: BROKEN)
    for _ in range(2):
        ended = sandboxed.run("plan")
        assert ended.code == 2
        assert "fields.title: fails the check 'written back unchanged'" in ended.err
    assert [one for one in sandboxed.rows(Fact) if one.system == lawful.LAWS] == []


def test_what_the_store_remembers_wrongly_is_checked_again(sandboxed: House, checked: list[Mapping]) -> None:
    sandboxed.keep(Fact(system=lawful.LAWS, key="london", value="fine"))
    assert sandboxed.run("plan").code == 0
    assert len(checked) == 1
