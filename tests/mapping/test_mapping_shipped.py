import importlib
import os
from pathlib import Path

import pytest

from nexudus_sync.errors import MappingError
from nexudus_sync.mapping import load_file, shipped_names
from nexudus_sync.mapping.shipped import shipped

module = importlib.import_module("nexudus_sync.mapping.shipped")


def test_the_shipped_mappings_are_found_by_name() -> None:
    assert {"nexudus", "overplane"} <= set(shipped_names())
    assert "[fields.status.values]" in shipped("nexudus")


def test_an_unknown_name_is_told_the_nearest() -> None:
    with pytest.raises(MappingError, match=r"nexsudus\.toml: no such mapping is shipped; did you mean 'nexudus'\?"):
        shipped("nexsudus")


def test_the_wheel_carries_them_inside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "acme.toml").write_text("# ours")
    (tmp_path / "mappings" / "readme.md").write_text("")
    monkeypatch.setattr(module.resources, "files", lambda package: tmp_path)
    assert shipped_names() == ("acme",)
    assert shipped("acme") == "# ours"


def test_a_file_is_read_by_its_path_and_a_shipped_one_by_its_name_when_there_is_none(tmp_path: Path) -> None:
    own = tmp_path / "nexudus.toml"
    assert load_file(own) == (shipped("nexudus"), "nexudus.toml")
    own.write_text("# é", encoding="utf-8")
    assert load_file(own) == ("# é", str(own))


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"acme\.toml: no such file; shipped mappings: erpnext, hubspot, nexudus, "):
        load_file(tmp_path / "acme.toml")
    with pytest.raises(MappingError, match=r"cannot be read: .*; check the path and its permissions") as caught:
        load_file(tmp_path)
    assert caught.value.where == str(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"\xe9")
    with pytest.raises(MappingError, match=r"latin\.toml: is not UTF-8 text; save it as UTF-8"):
        load_file(tmp_path / "latin.toml")


def test_what_is_no_file_is_told_with_its_path_and_what_to_do(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(MappingError) as told:
        load_file(tmp_path / "pipe.toml")
    assert str(told.value) == f"{tmp_path}/pipe.toml: is a pipe or a device, not a file; name a mapping file"
