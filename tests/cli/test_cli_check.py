"""`check`: a table in which every failure says what to do."""

import ast
from pathlib import Path

import pytest
from cli_house import House

from nexudus_sync.connectors.failed import failed
from nexudus_sync.errors import AuthenticationFailed, NotFound, RoleMissing, StoreError, Unavailable

SOURCE = Path(__file__).parents[2] / "src" / "nexudus_sync"


def test_a_failure_says_what_to_do_below_it_and_on_standard_error(sandboxed: House) -> None:
    sandboxed.write(sandboxed.config.read_text(encoding="utf-8").replace("business_id = 1001", "business_id = 9"))
    ended = sandboxed.run("check")
    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    at = lines.index("✗ nexudus scope this login sees no location 9 with a board")
    assert lines[at + 1] == "→ nexudus what to do correct scope"
    assert "nexudus: scope: this login sees no location 9 with a board; correct scope" in ended.err
    assert ended.code == 2


def test_secrets_that_others_can_read_are_told(sandboxed: House) -> None:
    beside = sandboxed.folder / "secrets.env"
    beside.write_text("A=1\n", encoding="utf-8")
    beside.chmod(0o644)
    ended = sandboxed.run("check")
    assert ended.code == 0
    assert f"{beside} can be read by other users of this machine" in ended.out
    assert f"chmod 600 {beside}" in ended.out
    beside.chmod(0o600)
    assert "chmod" not in sandboxed.run("check").out


@pytest.mark.parametrize(
    ("error", "remedy", "code"),
    [
        (AuthenticationFailed("crm", "no"), "secrets.env", 2),
        (RoleMissing("crm", "no"), "role", 1),
        (NotFound("crm", "no"), "base_url", 1),
        (Unavailable("crm", "no"), "run check again", 1),
        (StoreError("no"), "run check again", 1),
    ],
)
def test_each_kind_of_error_has_its_remedy(error: Exception, remedy: str, code: int) -> None:
    line = failed("login", error)  # type: ignore[arg-type]
    assert (line.level, line.detail, line.exit_code) == ("fail", "no", code)
    assert remedy in line.remedy


def test_every_failure_in_the_code_has_a_remedy() -> None:
    lacking = [
        f"{path.name}:{call.lineno}"
        for path in SOURCE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "Check"
        if '"fail"' in [ast.unparse(one).replace("'", '"') for one in call.args[1:2]]
        if len(call.args) < 5 and "remedy" not in {one.arg for one in call.keywords}
    ]
    assert lacking == []
