"""Sends a message to each address by Apprise, and tells which went. An address is a secret: only its kind is told."""

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

APP = "nexudus-sync"
"""Who the messages are from."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Did the message go to an address of this kind ("slack", "mailto")? If not, `why`."""

    kind: str
    went: bool
    why: str = ""


Send = Callable[[Sequence[str], str, str], list[Sent]]
"""Sends a title and a body to the addresses, which takes seconds; one answer an address, in their order."""


def send(urls: Sequence[str], title: str, body: str) -> list[Sent]:
    """Send by Apprise, one address after the other. Never raises."""
    return [_send(url, title, body) for url in urls]


def kind_of(url: str) -> str:
    """What may be told of an address: what stands before "://"."""
    found = re.match(r"([a-z][a-z0-9+.-]{0,30})://", url.strip(), re.IGNORECASE)
    return found[1].lower() if found else "unknown"


def _send(url: str, title: str, body: str) -> Sent:
    import apprise  # a tenth of a second, and another one for its services

    _silence(logging.getLogger("apprise"))
    kind = kind_of(url)
    try:
        asset = apprise.AppriseAsset(app_id=APP, async_mode=False)
        service = apprise.Apprise.instantiate(url, asset=asset)
        if not isinstance(service, apprise.NotifyBase):
            return Sent(kind, went=False, why="Apprise knows no such address; its wiki tells how they are written")
        messenger: Any = apprise.Apprise(asset=asset)
        messenger.add(service)
        capture: Any = apprise.LogCapture
        with capture(level=logging.WARNING) as said:
            went = bool(messenger.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT))
            return Sent(kind, went, "" if went else _why(said.getvalue()))
    except Exception as error:  # whatever a service does, no cycle must suffer
        return Sent(kind, went=False, why=f"unexpected: {type(error).__name__}")


def _silence(logger: logging.Logger) -> None:
    """What Apprise says may name an address: it stays out of the log."""
    if logger.propagate:
        logger.addHandler(logging.NullHandler())
        logger.propagate = False


def _why(said: str) -> str:
    """The reason in our own words: the services' own may hold a part of the address."""
    answered = re.search(r"error\s*[=:]\s*([1-5]\d\d)\b", said)
    if answered:
        return f"it was answered {answered[1]}; check the address"
    return "it cannot be reached" if "onnection error" in said else "it was not accepted; check the address"
