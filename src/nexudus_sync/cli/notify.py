"""`notify test`: does a message reach everybody?"""

import platform

from nexudus_sync.cli.desk import load_settings
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.output import say
from nexudus_sync.errors import ConfigError
from nexudus_sync.signals.senders import APP, send


def test(root: Root) -> int:
    """Send a message to each address and say whether it went. Returns the exit code: 1 when one did not."""
    settings = load_settings(root, secrets=False, needed=("notify",))
    addresses = settings.notify.addresses()
    if not addresses:
        where = f"{settings.path}: notify.urls"
        raise ConfigError(where, "names nobody to tell", 'write for example urls = ["${NOTIFY_URL}"] under [notify]')
    body = f"This is a test, sent by `nexudus-sync notify test` on {platform.node()}. Nothing is wrong."
    sent = send(addresses, f"{APP}: a test", body)
    for number, one in enumerate(sent, 1):
        say(f"address {number} ({one.kind}): {'sent' if one.went else f'not sent: {one.why}'}")
    return int(not all(one.went for one in sent))
