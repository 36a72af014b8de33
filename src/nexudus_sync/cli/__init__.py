"""The command line, one module per command group. `app` puts them together. Heavy imports are made where they are used,
so that `--help` and shell completion stay quick.
"""

import os
import sys

from nexudus_sync.cli import collector


def main() -> None:
    """The `nexudus-sync` command; ends the process with the contract's exit code."""
    _see_to_streams()
    collector.take_over()
    from nexudus_sync.cli.app import app

    app()


def _see_to_streams() -> None:
    """Make printing safe: silent where a stream is closed, with escapes where its encoding lacks a character.

    The number of a closed stream would go to the next file that is opened: nothing must be printed into the store.
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
