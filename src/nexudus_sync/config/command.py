"""Secrets from a program, such as a vault's client: it is run as it stands, never by a shell, and prints NAME=value."""

from collections.abc import Sequence
from pathlib import Path

from nexudus_sync.config import secrets as secret_file
from nexudus_sync.errors import ConfigError

LASTS = 10.0
"""Seconds that the program may take."""
_LARGEST = 2**20


def run(command: Sequence[str], folder: Path, where: str) -> dict[str, str]:
    """The values that the program prints, by name; it is run in that folder.

    Raises ConfigError, which never shows what was printed: that may hold secrets, also on standard error.
    """
    import subprocess  # few fleets have such a program

    try:
        ended = subprocess.run(  # noqa: S603 - the operator's own program, with the operator's own arguments
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=LASTS, check=False
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(where, f"{command[0]} printed no secrets within {LASTS:.0f} s", "run it by hand") from None
    except OSError as error:
        problem = f"{command[0]} cannot be run: {error.strerror}"
        raise ConfigError(
            where, problem, 'write the program and its arguments: ["/usr/bin/vault-env", "{tenant}"]'
        ) from None
    except ValueError:
        raise ConfigError(where, "contains a character that no program can be given", "write it again") from None
    if ended.returncode:
        raise ConfigError(where, f"{command[0]} ended with exit code {ended.returncode}", "run it by hand to see why")
    try:
        text = ended.stdout[: _LARGEST + 1].decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if len(ended.stdout) > _LARGEST or "\0" in text:
        raise ConfigError(where, f"{command[0]} printed something else than lines of text", "it must print NAME=value")
    return secret_file.parsed(text, lambda number: f"{where}: line {number} of what {command[0]} printed")
