"""Recorded ERPNext sessions, replayed against the double and compared with what the real server answered."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from nexudus_sandbox.erpnext import ERPNextDouble
from nexudus_sandbox.wire import Request, Response
from nexudus_sync import codec

DATA = Path(__file__).parents[2] / "data" / "erpnext"
ZONE = ZoneInfo("Europe/Madrid")
URL = {15: "http://127.0.0.1:8815", 16: "http://127.0.0.1:8800"}
START = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)

STAMP = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(\.\d{6})?")
MARK = re.compile(r"[0-9a-f]{56}")
DATABASE = re.compile(r"`_[0-9a-f]{16}`")
ROW_NAME = re.compile(r"[0-9a-z]{10}")


class Time:
    """A clock that stands still until it is set; it never goes back."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def set_local(self, text: str) -> None:
        """The site's own stamp of the moment."""
        at = datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)
        self.at = max(self.at, at)

    def pass_by(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def site(version: int, time: Time) -> ERPNextDouble:
    """The state that each recorded session began on."""
    double = ERPNextDouble(time, version=version, url=URL[version])  # type: ignore[arg-type]
    by = "Administrator"
    if version == 16:
        double.add("UTM Source", by, name="Web Portal")
        double.add("UTM Campaign", by, name="autumn-2026")
        double.add("UTM Medium", by, name="cpc")
        told = {
            "utm_source": "Web Portal",
            "utm_campaign": "autumn-2026",
            "utm_medium": "cpc",
            "utm_content": "banner-a",
        }
    else:
        double.add("Lead Source", by, source_name="Web Portal")
        double.add("Campaign", by, campaign_name="autumn-2026")
        told = {"source": "Web Portal"}
    double.add("Lead", by, first_name="Ana", last_name="Prueba", email_id="ana@example.com")
    place = {"city": "Madrid", "phone": "+34 600 000 000"}
    double.add("Lead", by, first_name="Utm", last_name="Lead", email_id="utm@example.com", **place, **told)
    double.add("Customer", by, customer_name="Acme Test SL", customer_group="Commercial", territory="Spain")
    double.add("Prospect", by, company_name="Prospect Test SL", company="Example Coworking")
    for reason in ("Too expensive", "No reply"):
        double.add("Opportunity Lost Reason", by, lost_reason=reason)
    return double


def recorded(kind: str, version: int) -> Iterator[dict[str, Any]]:
    """Recorded calls in the order they were made: "traces" are whole sessions, "samples" leave setup calls out."""
    with (DATA / kind / f"v{version}.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            yield codec.loads(line)


class Replay:
    """Sends recorded requests; names that the server generated are replaced by those the double generated for them."""

    def __init__(self, version: int) -> None:
        self.version, self.time = version, Time()
        self.double = site(version, self.time)
        self.names: dict[str, str] = {}

    def send(self, call: dict[str, Any]) -> Response:
        """The double's answer to a recorded call, given at the moment the server gave its own."""
        method, stamp = call["request"]["method"], _stamp(call["response"])
        if method == "DELETE":
            self.time.pass_by(0.05)
        elif method != "GET" and stamp:
            self.time.set_local(stamp)
        response = self.double.handle(self.request(call["request"]))
        if "application/json" in response.headers["Content-Type"]:
            self._learn(call["response"], response.json())
        return response

    def request(self, recorded: dict[str, Any]) -> Request:
        """A recorded request as it is sent to the double."""
        query = {name: self._renamed(str(value)) for name, value in (recorded["params"] or {}).items()}
        body, user = recorded["body"], recorded["user"]
        text = body if isinstance(body, str) else "" if body is None else codec.dumps(body)
        headers = {"accept": "application/json", "content-type": "application/json"}
        if user is not None:
            headers["authorization"] = "token wrong:wrong" if user == "wrong" else self.double.authorization(user)
        path = self._renamed(recorded["path"])
        return Request(recorded["method"], path, query, headers, self._renamed(text).encode())

    def _renamed(self, text: str) -> str:
        for recorded, own in self.names.items():
            text = text.replace(recorded, own)
        return text

    def _learn(self, recorded: Any, own: Any) -> None:
        """Note which generated name stands for which."""
        if isinstance(recorded, dict) and isinstance(own, dict):
            name, other = recorded.get("name"), own.get("name")
            if isinstance(name, str) and ROW_NAME.fullmatch(name) and isinstance(other, str):
                self.names[name] = other
            for key in recorded.keys() & own.keys():
                self._learn(recorded[key], own[key])
        elif isinstance(recorded, list) and isinstance(own, list):
            for one, other in zip(recorded, own, strict=False):
                self._learn(one, other)

    def differences(self, call: dict[str, Any], *, leave_out: frozenset[str] = frozenset()) -> list[str]:
        """What the double says otherwise than the server: status, headers, or any field of the answer not left out."""
        response = self.send(call)
        own: Any = {"_text": response.body.decode()}
        if "application/json" in response.headers["Content-Type"]:
            own = response.json()
        headers = call.get("headers") or {}
        found = {"status": response.status, "headers": {name: response.headers.get(name) for name in headers}}
        wanted = {"status": call["status"], "headers": headers}
        return [
            *compare("", wanted, found),
            *compare("", self.plain(call["response"], leave_out), self.plain(own, leave_out)),
        ]

    def plain(self, value: Any, leave_out: frozenset[str]) -> Any:
        """A value without what no two servers share: generated names, marks, tracebacks, the moment of a message."""
        if isinstance(value, dict):
            kept = {key: self.plain(item, leave_out) for key, item in value.items() if key not in leave_out}
            return {key: "TRACEBACK" if _is_traceback(key, item) else item for key, item in kept.items()}
        if isinstance(value, list):
            return [self.plain(item, leave_out) for item in value]
        if not isinstance(value, str):
            return value
        if "has been modified after" in value:
            value = STAMP.sub("STAMP", value)
        return DATABASE.sub("`_DATABASE`", MARK.sub("MARK", self._renamed(value)))


def _stamp(answer: Any) -> str | None:
    """When the document in an answer was saved."""
    for key in ("data", "message", "docs"):
        document = answer.get(key) if isinstance(answer, dict) else None
        document = document[0] if key == "docs" and document else document
        if isinstance(document, dict) and "modified" in document:
            return str(document["modified"])
    return None


def _is_traceback(key: str, value: Any) -> bool:
    return key in {"exc", "exception"} and isinstance(value, str) and "traceback" in value.lower()


def compare(at: str, recorded: Any, own: Any) -> Iterator[str]:
    """Each place where two values differ, types included (1 is not 1.0)."""
    if isinstance(recorded, dict) and isinstance(own, dict):
        for key in [*recorded, *(key for key in own if key not in recorded)]:
            yield from compare(f"{at}.{key}", recorded.get(key, "absent"), own.get(key, "absent"))
    elif isinstance(recorded, list) and isinstance(own, list) and len(recorded) == len(own):
        for index, (one, other) in enumerate(zip(recorded, own, strict=True)):
            yield from compare(f"{at}[{index}]", one, other)
    elif type(recorded) is not type(own) or codec.dumps(recorded) != codec.dumps(own):
        yield f"{at}: {json.dumps(recorded, default=str)} | {json.dumps(own, default=str)}"
