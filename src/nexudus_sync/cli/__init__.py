"""The command line, one module a command group. `app` puts them together; what is heavy is imported where it is used,
so that `--help` and shell completion stay quick.
"""


def main() -> None:
    """The `nexudus-sync` command; ends the process with the contract's exit code."""
    from nexudus_sync.cli.app import app

    app()
