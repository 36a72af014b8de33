"""How the server wraps what it says: data, messages and refusals, in the shapes of version 1 and 2 of its API.

Facts from frappe (utils/response.py).
"""

from typing import Any

import simplejson

from nexudus_sandbox.erpnext import errors
from nexudus_sandbox.erpnext.session import Session
from nexudus_sandbox.wire import Response
from nexudus_sync import codec

TRACEBACK = "Traceback (most recent call last):\n  ...\n"


def respond(status: int, value: Any) -> Response:
    """An answer in JSON."""
    return Response(status, {"Content-Type": "application/json"}, codec.dumps(value).encode())


def page(status: int, title: str, text: str) -> Response:
    """A page for people."""
    body = f"<!doctype html>\n<html lang=en>\n<title>{status} {title}</title>\n<h1>{title}</h1>\n<p>{text}</p>\n"
    return Response(status, {"Content-Type": "text/html; charset=utf-8"}, body.encode())


def succeed(session: Session, api: int, value: dict[str, Any], status: int = 200) -> Response:
    """What was asked for, with what people are told beside it."""
    return respond(status, value | _told(session.site.version, api, session.messages))


def refuse(session: Session, api: int, error: errors.FrappeError) -> Response:
    """A refusal as the version of the API words it."""
    messages = [*session.messages, *error.messages]
    shows_trace = error.traced and error.status != 404 and (session.site.version < 16 or session.user.is_system_user)
    value = _refusal_1(error, shows_trace) if api == 1 else _refusal_2(error, messages, shows_trace)
    response = respond(error.status, value | _told(session.site.version, api, messages))
    if session.site.version >= 16 and error.status in {401, 403}:
        metadata = f'Bearer resource_metadata="{session.site.url}/.well-known/oauth-protected-resource"'
        return Response(error.status, {**response.headers, "WWW-Authenticate": metadata}, response.body)
    return response


def _refusal_1(error: errors.FrappeError, shows_trace: bool) -> dict[str, Any]:
    value: dict[str, Any] = {"exc_type": error.kind}
    if shows_trace:
        value |= {"exception": error.exception, "exc": codec.dumps([f"{TRACEBACK}{error.exception}\n"])}
        if error.source:
            value["_exc_source"] = error.source
    if error.summary:
        value["_error_message"] = error.summary
    return value


def _refusal_2(error: errors.FrappeError, messages: list[errors.Message], shows_trace: bool) -> dict[str, Any]:
    """The message that belongs to the refusal moves into it."""
    value: dict[str, Any] = {"type": error.kind}
    if shows_trace:
        value["exception"] = f"{TRACEBACK}{error.exception}\n"
    mark = next((told.get(errors.MARK) for told in reversed(error.messages)), None)
    own = next((told for told in messages if told.get(errors.MARK) == mark), None)
    if own is not None:
        messages.remove(own)
        value |= {key: told for key, told in own.items() if key not in {"raise_exception", errors.MARK}}
    return {"errors": [value]}


def _told(version: int, api: int, messages: list[errors.Message]) -> dict[str, Any]:
    if not messages:
        return {}
    if api == 2:
        return {"messages": messages}
    separators = (",", ":") if version >= 16 else (", ", ": ")
    texts = [simplejson.dumps(told, ensure_ascii=False, separators=separators) for told in messages]
    return {"_server_messages": simplejson.dumps(texts, ensure_ascii=False, separators=separators)}
