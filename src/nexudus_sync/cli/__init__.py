"""The command line, one module a command group. `app` puts them together; what is heavy is imported where it is used,
so that `--help` and shell completion stay quick.
"""

import os
import sys


def main() -> None:
    """The `nexudus-sync` command; ends the process with the contract's exit code."""
    _see_to_streams()
    from nexudus_sync.cli.app import app

    app()


def _see_to_streams() -> None:
    """Let nothing be said where a stream is closed, and everything where it is not made for some characters.

    A closed stream's number would go to the next file that is opened: the store must not be what is printed to.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", encoding="utf-8"))
        elif number and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
