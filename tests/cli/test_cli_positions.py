"""The line of a key in a TOML file, for the errors that name it."""

from pathlib import Path

import pytest

from nexudus_sync.cli.positions import line_of, with_line

TEXT = '''\
# a comment with name = "x"
[nexudus]
username = "a"
note = """
password = "this is text"
"""
password = "b"
[crm.over-plane]
token = "t"
list = [
  "connection[", # ]
  "x",
]
[[connection]]
name = "london"
scope = { business_id = 1 }
[[connection]]
name = "madrid"
mapping.crm = "m.toml"
[connection.more]
deep = 1
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("nexudus", "username"), 3),
        (("nexudus", "password"), 7),
        (("nexudus", "missing"), 2),
        (("crm", "over-plane", "token"), 9),
        (("crm", "over-plane", "list", 1), 10),
        (("connection", 0, "name"), 15),
        (("connection", 0, "scope", "business_id"), 16),
        (("connection", 1, "name"), 18),
        (("connection", 1, "mapping", "crm"), 19),
        (("connection", 1, "more", "deep"), 21),
        (("store", "url"), None),
    ],
)
def test_the_line_of_a_key_or_of_its_table(key: tuple[str | int, ...], line: int | None) -> None:
    assert line_of(TEXT, key) == line


def test_an_error_gets_the_line_of_a_key_that_is_there_and_nothing_else_does(tmp_path: Path) -> None:
    config = tmp_path / "settings"
    config.write_text(TEXT)
    assert with_line(f"{config}: connection[1].name: is bad", config) == f"{config}:18: connection[1].name: is bad"
    (tmp_path / "m.toml").write_text('[fields.stage.values]\n"Tour booked" = "a"\n')
    named = f'{tmp_path}/m.toml: fields.stage.values."Tour booked": no'
    assert with_line(named, config) == named.replace("m.toml:", "m.toml:2:")
    for text in (
        f"{config}:3: is not valid TOML",
        f"{config}: no such file",
        f"{tmp_path}/none.toml: a.b: x",
        "nexudus: login: wrong",
        "backfill: no terminal to confirm on; add --yes",
    ):
        assert with_line(text, config) == text
