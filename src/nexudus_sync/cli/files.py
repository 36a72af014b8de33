"""Files that the command line writes: for their owner only, since they hold values of records."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from nexudus_sync.errors import ConfigError


def write_private(path: Path, text: str, option: str) -> None:
    """Write a file with mode 0600, in place of an earlier one, whole or not at all. Raises ConfigError."""
    name = ""
    try:
        number, name = tempfile.mkstemp(prefix=".nexudus-sync-", dir=path.absolute().parent)  # is its owner's only
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except OSError as error:
        with suppress(OSError):
            Path(name).unlink()
        raise ConfigError(f"{option} {path}", f"cannot be written: {error.strerror}", "name another file") from None
