"""`store copy`: a state moves into another kind of database."""

import os
from urllib.parse import unquote, urlsplit

from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.output import say
from nexudus_sync.config import secrets
from nexudus_sync.config.toml import substitute
from nexudus_sync.store import copying
from nexudus_sync.texts import plural


def copy(root: Root, source: str, target: str) -> None:
    """Copy the state at one URL to another. Raises ConfigError, StoreError, StoreLocked."""
    given = {"FROM": source, "TO": target}
    filled = substitute(given, secrets.complete(os.environ, root.config), root.config)
    root.secrets = frozenset(filter(None, (unquote(urlsplit(url).password or "") for url in filled.values())))
    held = copying.copy(filled["FROM"], filled["TO"], base_dir=root.config.absolute().parent)
    rows = sum(content.rows for content in held.values())
    say(f"Copied {plural(rows, 'row')} in {plural(len(held), 'table')}; both states hold the same.")
    say(f"To work with the copy, write its address as url in [store] of {root.config}, and keep the other until then.")
