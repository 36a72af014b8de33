"""The log: one event a line on standard error, for people or as JSON, without a single secret in it.

Events go through the standard library's handlers, so that the lines of httpx, APScheduler and Alembic look the same and
pass the same redaction. Below a warning they are left out: httpx names addresses with their queries at INFO.
"""

import logging
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TextIO
from urllib.parse import quote, quote_plus

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from nexudus_sync import codec
from nexudus_sync.texts import LINE, cut, in_json, visible

MASK = "***"
"""What stands in a secret's place."""
_START = 4
"""So many letters of a secret are looked for first."""
_SECRET_KEYS = ("authorization", "password", "token", "totp", "secret", "cookie", "api_key")


class Redact:
    """A structlog processor that takes the given secrets out of an event, wherever in it they stand.

    Keys that are secret by their name ("password", "access_token") are dropped whatever they hold.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        written = {form for secret in secrets if secret.strip() for form in _forms(secret)}
        self._short = {form for form in written if len(form) < _START}
        # by how they begin, for a fleet may have tens of thousands of them, and a line holds none as a rule
        self._by_start = defaultdict[str, list[str]](list)
        for form in written - self._short:
            self._by_start[form[:_START]].append(form)

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """Redact one event."""
        return self._table(event)

    def _table(self, table: Mapping[Any, Any]) -> dict[str, Any]:
        return {self._text(str(key)): self._value(value) for key, value in table.items() if not is_secret(str(key))}

    def _value(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return self._table(value)
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(inner) for inner in value]
        text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
        clean = self._text(text)
        plain = value is None or isinstance(value, bool | int | float)
        return value if plain and clean == text else clean

    def _text(self, text: str) -> str:
        starts = {text[at : at + _START] for at in range(len(text) - _START + 1)}
        found = [form for start in starts & self._by_start.keys() for form in self._by_start[start]]
        # the longest first: one secret may be the beginning of another
        for secret in sorted([*self._short, *found], key=len, reverse=True):
            text = text.replace(secret, MASK)
        return text


def is_secret(key: str) -> bool:
    """Does a key, header or field of this name hold a secret?"""
    name = key.lower().replace("-", "_")
    return any(name == word or name.endswith(f"_{word}") for word in _SECRET_KEYS)


def _forms(secret: str) -> set[str]:
    """A secret as it stands in texts, addresses, JSON and Python's own representations."""
    return {secret, quote(secret, safe=""), quote_plus(secret), codec.dumps(secret)[1:-1], repr(secret)[1:-1]}


class _Handler(logging.StreamHandler[TextIO]):
    """Our own handler, known by its class when the log is configured again."""


def configure(
    level: Literal["debug", "info", "warning", "error"] = "info",
    format: Literal["console", "json"] = "console",  # noqa: A002 - the word of the configuration
    stream: TextIO | None = None,
    secrets: Iterable[str] = (),
) -> None:
    """Set the log up for the whole process; calling it again replaces what was set before.

    `level` is for this program; libraries are heard from "warning" on. `stream` is standard error unless given; colours
    are used only on a terminal. `secrets` are the values that must never be seen.
    """
    out = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = _Handler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.StackInfoRenderer(),
                structlog.processors.format_exc_info,
                Redact(secrets),
                *([] if format == "json" else [_visibly]),
                _renderer(format, out),
            ],
        )
    )
    _install(handler, getattr(logging, level.upper()))


def _visibly(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """What others wrote must not steer the terminal, or fill it; a traceback keeps its lines, all of them."""
    return {key: _fit(key, value) if isinstance(value, str) else value for key, value in event.items()}


def _fit(key: str, text: str) -> str:
    return visible(text, "\n") if key in {"exception", "stack"} else cut(visible(text), LINE)


def _renderer(format: str, stream: TextIO) -> Processor:  # noqa: A002
    if format == "json":
        return structlog.processors.JSONRenderer(serializer=_json)
    # exceptions are text by now; structlog would otherwise warn that it cannot paint them
    return structlog.dev.ConsoleRenderer(
        colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
    )


def _json(event: EventDict, **_: Any) -> str:
    return in_json(codec.dumps(event))


def _install(handler: logging.Handler, level: int) -> None:
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger("nexudus_sync").setLevel(level)
    logging.captureWarnings(capture=True)
