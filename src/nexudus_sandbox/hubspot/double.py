"""The HubSpot double: who asks, what is asked for, and what people do in the account."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from nexudus_sandbox.double import Double, Row
from nexudus_sandbox.hubspot import errors, lists
from nexudus_sandbox.hubspot.account import Account
from nexudus_sandbox.hubspot.calls import Call, Calls
from nexudus_sandbox.hubspot.errors import HubSpotError
from nexudus_sandbox.hubspot.gate import SCOPES, Gate, Key
from nexudus_sandbox.hubspot.objects import Author, Object, Objects, ids_of, with_source
from nexudus_sandbox.hubspot.options import HubSpotOptions
from nexudus_sandbox.hubspot.pipelines import Pipelines
from nexudus_sandbox.hubspot.shape import CONTACTS, DEALS, KINDS, Properties
from nexudus_sandbox.hubspot.values import Checker, closing
from nexudus_sandbox.wire import Request, Response, json_response

_VERSION = re.compile(r"v\d|\d{4}-\d{2}(-beta)?")
_ENFORCING = "2026-09"
"""From this version on, administrators' rules bind the API."""


class HubSpotDouble(Double):
    """A HubSpot account in memory. People's edits go through `create`, `edit`, `move`, `delete` and the like.

    `properties`, `pipelines` and `account` are the settings; `gate` holds the service keys, made by `add_key`.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        *,
        seed: int = 0,
        options: HubSpotOptions | None = None,
        offset: float = 0.0,
        time_zone: str = "Europe/London",
        currency: str = "GBP",
    ) -> None:
        super().__init__(clock, seed=seed, offset=offset)
        self.options = options or HubSpotOptions()
        self.account = Account(time_zone=time_zone, currency=currency)
        self.properties, self.pipelines = Properties(), Pipelines()
        self.gate = Gate(clock, lambda: self.account.time_zone)
        self.checker = Checker(self.options, self.properties, self.pipelines, self.account.owners, set(), [])
        self.objects = Objects(self.options, self.moment, clock, self._noted)
        self._calls = Calls(self)

    def moment(self) -> datetime:
        """The server's clock with milliseconds, which its stamps have."""
        at = self.clock() + timedelta(seconds=self.offset)
        return at.replace(microsecond=at.microsecond // 1000 * 1000)

    def add_key(self, token: str, name: str, app_id: str = "4169410", scopes: frozenset[str] = SCOPES) -> None:
        """An administrator makes a service key."""
        self.gate.keys[token] = Key(Author(name, "INTEGRATION", app_id), scopes)

    def answer(self, request: Request) -> tuple[str, Response]:
        """Look at the key and the windows, then serve."""
        key = self.gate.key(request)
        if key is None:
            return "", errors.unauthorized()
        name = key.author.name
        refused = self.gate.refuse(request, key)
        if refused is not None:
            return name, refused
        try:
            answer = self._served(request, key)
        except HubSpotError as error:
            answer = error.response
        except (ValueError, KeyError, TypeError, AttributeError):
            answer = errors.bad_request("Invalid input JSON on line 1, column 1").response
        known = {} if answer.status == 403 else self.gate.headers(request, key)
        return name, Response(answer.status, {**answer.headers, **known}, answer.body)

    def person(self, by: str) -> Author:
        """Somebody at work in HubSpot's pages; an owner's user has a number of its own."""
        user = self.account.user_of(by)
        return Author(by) if user is None else Author(by, source_id=f"userId:{user}")

    # -- people -----------------------------------------------------------------------------------------------------

    def add(self, kind: str, by: str, **values: Any) -> str:
        """A person adds an object; `contacts` and `companies` in the values are ids it is associated with."""
        with self.lock:
            self.settle()
            linked = {other: values.pop(other, ()) for other in KINDS}
            return str(self.put(kind, values, self.person(by), linked).id)

    def create(self, by: str, **values: Any) -> str:
        """A person adds a deal; gives its id. Raises HubSpotError."""
        return self.add(DEALS, by, **values)

    def edit(self, row_id: str, by: str, **changes: Any) -> Row:
        """A person changes properties of a deal. Raises KeyError when there is none, HubSpotError."""
        with self.lock:
            self.settle()
            one = self.deal(row_id)
            self.change(one, changes, self.person(by))
            return self.objects.row(one)

    def move(self, row_id: str, stage: str, by: str) -> Row:
        """A person drags a deal to a stage, by the stage's label, in the deal's pipeline."""
        pipeline = self.pipelines.find(self.deal(row_id).values.get("pipeline"))
        assert pipeline is not None, "the deal is in no pipeline"
        return self.edit(row_id, by, dealstage=next(one.id for one in pipeline.stages if one.label == stage))

    def touch(self, row_id: str, by: str) -> None:
        """Something moves a deal's stamp and nothing else. Raises KeyError when there is none."""
        self.edit(row_id, by)

    def delete(self, row_id: str, by: str) -> None:
        """A person moves a deal to the recycle bin. Raises KeyError when there is none."""
        with self.lock:
            self.settle()
            self.objects.archive(self.deal(row_id), self.person(by))

    def restore(self, row_id: str, by: str) -> None:
        """A person takes a deal out of the recycle bin."""
        with self.lock:
            self.settle()
            self.objects.restore(self.objects.rows[DEALS][int(row_id)], self.person(by))

    def erase(self, row_id: str, by: str) -> None:
        """A person deletes a deal for ever, as the law about personal data demands."""
        with self.lock:
            self.settle()
            self.objects.forget(self.objects.rows[DEALS][int(row_id)], self.person(by))

    def merge(self, primary: str, other: str, by: str) -> str:
        """A person merges two deals; gives the id of what is left."""
        with self.lock:
            self.settle()
            return str(self.objects.merge(self.deal(primary), self.deal(other), self.person(by)).id)

    def record(self, row_id: str) -> Row:
        """A deal as it is now, `contacts` included. Raises KeyError when there is none."""
        with self.lock:
            self.settle()
            one = self.deal(row_id)
            return {**one.values, "contacts": self.objects.others(one, CONTACTS)}

    def records(self) -> dict[str, Row]:
        """All deals by id, as they are now."""
        with self.lock:
            self.settle()
            return {str(one.id): self.record(str(one.id)) for one in self.objects.live(DEALS)}

    def deal(self, row_id: str) -> Object:
        """The deal with that id. Raises KeyError when there is none, or only in the recycle bin."""
        one = self.objects.rows[DEALS].get(int(row_id))
        if one is None or one.archived_at is not None:
            raise KeyError(row_id)
        return one

    # -- what both people and programs do ----------------------------------------------------------------------------

    def put(self, kind: str, values: Row, by: Author, linked: dict[str, Any], *, strict: bool = False) -> Object:
        """Make an object. Raises HubSpotError. `strict`: administrators' rules bind."""
        cleaned = self.checker.clean(kind, values)
        if kind == DEALS:
            self.checker.stage(None, cleaned)
        if strict:
            self.checker.admin(None, cleaned)
        self._refuse_taken(kind, None, cleaned)
        made = self.objects.add(kind, {**cleaned, **self._closedate(None, cleaned, by)}, self._spoken(by))
        for other, ids in linked.items():
            for each in ids_of(ids):
                self.objects.link(made, other, each)
        if self.options.touch_after:
            self.later(
                self.options.touch_after, lambda: self.objects.set(made, {}, Author("hubspot", "CALCULATED", ""))
            )
        return made

    def change(self, one: Object, values: Row, by: Author, *, strict: bool = False) -> None:
        """Change an object. Raises HubSpotError. `strict`: administrators' rules bind."""
        cleaned = self.checker.clean(one.kind, values)
        if one.kind == DEALS:
            self.checker.stage(one, cleaned)
        if strict:
            self.checker.admin(one, cleaned)
        self._refuse_taken(one.kind, one, cleaned)
        own = self._closedate(one, cleaned, by)
        if self.options.closing_by == "hubspot":
            self.objects.set(
                one, {**cleaned, **dict.fromkeys(own, one.values.get("closedate", ""))}, self._spoken(by), own
            )
        else:
            self.objects.set(one, {**cleaned, **own}, self._spoken(by))

    def _refuse_taken(self, kind: str, one: Object | None, values: dict[str, str]) -> None:
        taken = self.checker.unique(kind, one, values, self.objects)
        if taken is None:
            return
        name, other = taken
        if kind == CONTACTS:
            raise errors.refusal(409, "CONFLICT", f"Contact already exists. Existing ID: {other.id}")
        said = f"Cannot set PropertyValueCoordinates{{propertyName={name}}} on {other.id}: the value is taken"
        if self.options.unique_conflict == 409:
            raise errors.refusal(409, "CONFLICT", said)
        raise errors.invalid([("CONFLICTING_UNIQUE_VALUE", name, said)])

    def _closedate(self, one: Object | None, values: dict[str, str], by: Author) -> dict[str, str]:
        """A deal that is closed gets the moment of that as its close date: what HubSpot sets, if anything."""
        by_person = by.source == "CRM_UI"
        if not closing(one, values, self.pipelines) or not (by_person or self.options.stage_sets_closedate):
            return {}
        if values.get("closedate") and (by_person or self.options.sent_closedate_stays):
            return {}
        return {"closedate": lists.stamp(self.moment())}

    def _spoken(self, by: Author) -> Author:
        return by if by.source == "CRM_UI" else with_source(by, self.options)

    def _noted(self, by: str, kind: str, object_id: int, before: Row | None, after: Row | None) -> None:
        self.changed(by, kind, object_id, before, after)

    def _served(self, request: Request, key: Key) -> Response:
        parts = [part for part in request.path.removeprefix("/crm").split("/") if part]
        versions = [part for part in parts if _VERSION.fullmatch(part)]
        rest = [part for part in parts if part not in versions]
        strict = max(versions, default="") >= _ENFORCING and not versions[0].startswith("v")
        found = self._calls.find(request, rest)
        if found is None:
            return errors.no_such_path()
        scope, handler = found
        if scope and scope not in key.scopes:
            raise errors.missing_scopes([scope])
        answered = handler(Call(request, key.author, strict))
        return answered if isinstance(answered, Response) else json_response(200, answered)
