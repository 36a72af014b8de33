"""Whatever is wrong: one line on standard error, the contract's exit code, and nothing written."""

import errno
import io
import sys
from pathlib import Path

import pytest
import typer
from cli_house import CONFIG, House
from typer.testing import CliRunner

from nexudus_sync.cli.app import app
from nexudus_sync.cli.frame import Root, complain, guarded, worst
from nexudus_sync.errors import ConfigError, StoreLocked
from nexudus_sync.mapping import laws
from nexudus_sync.mapping.laws import Finding

FULL = {
    "NEXUDUS_USERNAME": "sync@example.com",
    "NEXUDUS_PASSWORD": "s3cret",
    "NEXUDUS_TOTP": "JBSWY3DPEHPK3PXP",
    "OVERPLANE_URL": "http://127.0.0.1:9",
    "OVERPLANE_TOKEN": "t0ken",
}
BEYOND = str(2**63)
"""One more than a database counts to."""
RUNS = (("sync",), ("plan",), ("backfill", "--yes"), ("run",), ("check",))


@pytest.fixture
def set_up(house: House) -> House:
    house.environment = dict(FULL)
    return house


@pytest.mark.parametrize("verb", [*RUNS, ("status",), ("conflicts", "list"), ("mapping", "check")])
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (("scope", "skope"), "connection[0].skope: no such key; did you mean 'scope'?"),
        (("1001", '"many"'), "connection[0].scope.business_id: must be a whole number"),
        (
            ('connector = "overplane"', 'connector = "overplan"'),
            'crm.overplane.connector: no connector is named "overp',
        ),
        (("[nexudus]", "[nexudus"), "config.toml:1: is not valid TOML"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_and_2(
    set_up: House, verb: tuple[str, ...], wrong: tuple[str, str], told: str
) -> None:
    set_up.write(CONFIG.replace(*wrong))
    ended = set_up.run(*verb)
    assert ended.code == 2
    assert told in ended.err
    assert ended.err.count("\n") == 1
    assert ended.out == ""
    assert not (set_up.folder / "state.db").exists()


@pytest.mark.parametrize("verb", RUNS)
def test_a_missing_environment_variable_is_named(set_up: House, verb: tuple[str, ...]) -> None:
    del set_up.environment["OVERPLANE_TOKEN"]
    ended = set_up.run(*verb)
    assert ended.code == 2
    assert "crm.overplane.token: the environment variable OVERPLANE_TOKEN is not set" in ended.err
    assert not (set_up.folder / "state.db").exists()


def test_a_configuration_that_is_not_there_is_told_with_what_makes_one(house: House) -> None:
    house.config.unlink()
    ended = house.run("status")
    assert ended.code == 2
    assert "no such file; run `nexudus-sync init`" in ended.err


@pytest.mark.parametrize("verb", RUNS)
def test_a_mapping_with_a_mistake_runs_nothing(set_up: House, verb: tuple[str, ...]) -> None:
    shipped = Path(__file__).parents[2] / "mappings" / "nexudus.toml"
    broken = shipped.read_text(encoding="utf-8").replace('path = "UtmSource"', 'path = "Name"')
    (set_up.folder / "nexudus.toml").write_text(broken, encoding="utf-8")
    set_up.write(CONFIG + 'mapping = { nexudus = "nexudus.toml" }\n')
    ended = set_up.run(*verb)
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "nexudus.toml:73: fields.utm_source.path" in ended.err
    assert not (set_up.folder / "state.db").exists()


@pytest.mark.parametrize("verb", RUNS)
def test_a_mapping_that_breaks_a_law_runs_nothing(
    set_up: House, verb: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(laws, "check", lambda _: [Finding("fail", "title", "GetPut", "writing back 'x' changes 'y'")])
    ended = set_up.run(*verb)
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert (
        "fields.title: fails the check 'written back unchanged': writing back 'x' changes 'y'; correct the field"
        in ended.err
    )
    assert not (set_up.folder / "state.db").exists()


def test_an_unreachable_host_is_one_line_and_1(set_up: House) -> None:
    set_up.write(CONFIG.replace("[nexudus]", '[nexudus]\nbase_url = "http://127.0.0.1:9/api"'))
    for verb in (("sync",), ("plan",), ("backfill", "--yes")):
        ended = set_up.run(*verb)
        assert (ended.code, ended.out) == (1, "")
        assert ended.err.startswith("nexudus-sync: nexudus: POST /token: cannot be reached")
        assert ended.err.count("\n") == 1


def test_a_store_that_cannot_be_made_is_1(house: House) -> None:
    house.write('[store]\nurl = "sqlite:///not/there/state.db"\n' + CONFIG)
    ended = house.run("status")
    assert ended.code == 1
    assert ended.err.startswith(f"nexudus-sync: {house.folder}/not/there/state.db: the folder ")
    assert ended.err.count("\n") == 1


def test_a_database_without_its_driver_is_2(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "nexudus_sync.store.postgres", raising=False)
    monkeypatch.delattr("nexudus_sync.store.postgres", raising=False)
    house.write('[store]\nurl = "postgresql+psycopg://host/state"\n' + CONFIG)
    ended = house.run("status")
    told = "[store] url: the driver of PostgreSQL is not installed; install nexudus-sync[cluster]\n"
    assert (ended.code, ended.err) == (2, f"nexudus-sync: {house.config}:2: {told}")


def test_a_database_of_an_unknown_kind_names_the_file(house: House) -> None:
    house.write('[store]\nurl = "mangodb://host/state"\n' + CONFIG)
    ended = house.run("status")
    told = "store.url: unknown kind of database 'mangodb'; known here: sqlite, postgresql\n"
    assert (ended.code, ended.err) == (2, f"nexudus-sync: {house.config}:2: {told}")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("swim",), "no such command 'swim'; see `nexudus-sync --help`"),
        (("statu",), "no such command 'statu'. Did you mean 'status'? see `nexudus-sync --help`"),
        (("sync", "--fast"), "no such option: --fast; see `nexudus-sync sync --help`"),
        (("--fast", "sync"), "no such option: --fast; see `nexudus-sync --help`"),
        (("undo",), "missing argument 'ID'; see `nexudus-sync undo --help`"),
        (("sync", "now"), "got unexpected extra argument(s) (now); see `nexudus-sync sync --help`"),
        (("conflicts",), "missing command; see `nexudus-sync conflicts --help`"),
        (("sync", "--record"), "option '--record' requires an argument; see `nexudus-sync --help`"),
        (("conflicts", "resolve", "x", "--take", "crm"), "invalid value for '[ID]': "),
        (("conflicts", "resolve", "1", "--take", "both"), "invalid value for '--take': 'both' is not one of "),
        (("conflicts", "resolve", "1"), "conflicts resolve: needs either --take or --value; give one of them"),
        (("history", "--limit", "0"), "invalid value for '--limit': "),
        (("history", "--limit", BEYOND), "invalid value for '--limit': "),
        (("undo", BEYOND), "invalid value for 'ID': "),
        (("conflicts", "show", BEYOND), "invalid value for 'ID': "),
        (("failures", "dismiss", BEYOND), "invalid value for '[ID]': "),
        (("undo", "--", f"-{BEYOND}"), "invalid value for 'ID': "),
        (("conflicts", "show", "--", f"-{BEYOND}"), "invalid value for 'ID': "),
        (("failures", "retry", "--", f"-{BEYOND}"), "invalid value for '[ID]': "),
        (("link", "1", ""), "invalid value for 'CRM': it is empty; see"),
        (("ignore", " "), "invalid value for 'RECORD': it is empty; see"),
        (("history", ""), "invalid value for '[RECORD]': it is empty; see"),
        (("sync", "--record", ""), "invalid value for '--record': it is empty; see"),
        (("backfill", "--since", "today"), "invalid value for '--since': 'today' does not match the formats '%Y-"),
    ],
)
def test_wrong_usage_is_one_line_and_2(house: House, words: tuple[str, ...], told: str) -> None:
    ended = house.run(*words)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"nexudus-sync: {told}")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("history", "\udcff"),
        ("explain", "\udcff"),
        ("unlink", "\udcff"),
        ("ignore", "1\udcff"),
        ("link", "1", "\udced\udca0"),
        ("sync", "--record", "\udcff"),
        ("plan", "--record", "\udcff"),
    ],
)
def test_an_id_that_is_no_text_is_wrong_usage(house: House, words: tuple[str, ...]) -> None:
    ended = house.run(*words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "it holds bytes that are not UTF-8" in ended.err


class Full(io.StringIO):
    """A stream to a full disk."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["status", "--help"]])
def test_help_that_a_full_disk_does_not_take_is_one_line(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout", Full())
    with pytest.raises(SystemExit) as ended:
        app(words)
    assert ended.value.code == 1
    assert capsys.readouterr().err == "nexudus-sync: No space left on device\n"


def test_without_any_word_the_help_is_shown() -> None:
    ended = CliRunner().invoke(app, [])
    assert ended.exit_code == 2
    assert "Usage:" in ended.stdout


def test_a_program_that_calls_it_gets_the_error_itself() -> None:
    with pytest.raises(Exception, match="No such command"):
        typer.main.get_command(app).main(["swim"], standalone_mode=False)


def ended_by(error: BaseException, *, debug: bool = False) -> tuple[int, str]:
    """How a verb that raises this ends."""
    app = typer.Typer()

    @app.callback()
    def root(ctx: typer.Context) -> None:
        ctx.obj = Root(debug=debug, secrets=frozenset({"s3cret"}))

    @app.command()
    @guarded
    def verb(ctx: typer.Context) -> None:
        raise error

    ended = CliRunner().invoke(app, ["verb"])
    return ended.exit_code, ended.stderr


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ConfigError("config.toml: a", "is wrong", "mend it"), 2, "config.toml: a: is wrong; mend it"),
        (StoreLocked("another one\nworks"), 1, "another one works"),
        (PermissionError(13, "Permission denied", "state.db"), 1, "state.db: Permission denied"),
        (OSError(28, "No space left on device"), 1, "No space left on device"),
        (KeyError("x"), 1, "KeyError: 'x'; run again with --debug for the traceback"),
        (ValueError("it was s3cret"), 1, "ValueError: it was ***; run again with --debug for the traceback"),
        (KeyboardInterrupt(), 130, "interrupted; run the same command again to continue"),
        (typer.Abort(), 130, "interrupted; run the same command again to continue"),
    ],
)
def test_every_error_ends_in_one_line_and_its_code(error: BaseException, code: int, line: str) -> None:
    assert ended_by(error) == (code, f"nexudus-sync: {line}\n")


def test_debug_shows_where_an_error_came_from() -> None:
    code, err = ended_by(KeyError("x"), debug=True)
    assert code == 1
    assert "Traceback" in err
    assert err.endswith("nexudus-sync: KeyError: 'x'\n")


def test_a_reader_that_went_away_is_no_error_of_ours() -> None:
    assert "nexudus-sync:" not in ended_by(BrokenPipeError(32, "Broken pipe"))[1]


def test_secrets_do_not_stand_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    complain(Root(secrets=frozenset({"hunter2"})), "the password hunter2 is wrong")
    assert capsys.readouterr().err == "nexudus-sync: the password *** is wrong\n"


@pytest.mark.parametrize(("codes", "code"), [([], 0), ([0, 0], 0), ([0, 1], 1), ([1, 3, 0], 3), ([3, 2, 1], 2)])
def test_of_several_connections_the_worst_counts(codes: list[int], code: int) -> None:
    assert worst(codes) == code
