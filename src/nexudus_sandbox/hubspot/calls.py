"""The calls of the API: each path with the scope that it takes, and what it answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nexudus_sandbox.hubspot import errors, lists
from nexudus_sandbox.hubspot.objects import Author, Object, ids_of
from nexudus_sandbox.hubspot.search import search
from nexudus_sandbox.hubspot.shape import CONTACTS, DEALS, KINDS
from nexudus_sandbox.wire import Request, Response, json_response

if TYPE_CHECKING:
    from nexudus_sandbox.hubspot.double import HubSpotDouble

_MOST, _MOST_WITH_PAST, _MOST_LINKS = 100, 50, 1000
_OTHER_NAMES = {other: kind for kind, other in KINDS.items()} | {kind: kind for kind in KINDS}
_STARTED = "2026-03-02T08:00:00.000Z"


@dataclass(frozen=True, slots=True)
class Call:
    """One call: who makes it, and whether administrators' rules bind it."""

    request: Request
    by: Author
    strict: bool


Answered = Response | dict[str, Any]
Handler = Callable[[Call], Answered]


class Calls:
    """The paths of one account."""

    def __init__(self, double: "HubSpotDouble") -> None:
        self._double = double

    def find(self, request: Request, parts: list[str]) -> tuple[str, Handler] | None:
        """The scope that a call takes ("" for none) and what answers it; None for a path that does not exist."""
        match parts:
            case ["objects", name, *rest] if name in _OTHER_NAMES:
                return self._object_call(request.method, _OTHER_NAMES[name], rest)
            case ["associations", one, other, "batch", "read"] if request.method == "POST":
                return f"crm.objects.{one}.read", lambda call: self._links(call, one, other)
            case ["properties", "deals"]:
                write = request.method == "POST"
                scope = f"crm.schemas.deals.{'write' if write else 'read'}"
                return scope, self._add_property if write else self._properties
            case ["properties", "deals", name]:
                return "crm.schemas.deals.read", lambda _: self._property(name)
            case ["pipelines", "deals"]:
                return "crm.schemas.deals.read", lambda call: self._double.pipelines.listed(call.request)
            case ["owners"]:
                return "crm.objects.owners.read", self._owners
            case ["account-info", "details"]:
                scope = self._double.options.account_scope
                return scope, lambda _: self._double.account.details(self._double.moment())
        return None

    def _object_call(self, method: str, kind: str, rest: list[str]) -> tuple[str, Handler] | None:
        read, write = f"crm.objects.{kind}.read", f"crm.objects.{kind}.write"
        match [method, *rest]:
            case ["GET"]:
                return read, lambda call: self._list(call, kind)
            case ["POST"]:
                return write, lambda call: self._create(call, kind)
            case ["POST", "search"]:
                return read, lambda call: self._search(call, kind)
            case ["POST", "batch", "read"]:
                return read, lambda call: self._batch_read(call, kind)
            case ["POST", "merge"]:
                return write, lambda call: self._merge(call, kind)
            case ["POST", "gdpr-delete"]:
                return write, lambda call: self._forget(call, kind)
            case ["GET", one]:
                return read, lambda call: self._read(call, kind, one)
            case ["PATCH", one]:
                return write, lambda call: self._update(call, kind, one)
            case ["DELETE", one]:
                return write, lambda call: self._delete(call, kind, one)
            case ["PUT", one, "associations", "default", other, other_id]:
                return write, lambda call: self._link(call, kind, one, other, other_id)
        return None

    # -- one object --------------------------------------------------------------------------------------------------

    def _found(self, kind: str, key: str, id_property: str = "", *, archived: bool = False) -> Object:
        """The object that a path names. Raises HubSpotError."""
        objects = self._double.objects
        if id_property and id_property != "hs_object_id":
            found = objects.where(kind, id_property, key.lower() if id_property == "email" else key)
        else:
            found = objects.get(kind, int(key), archived=archived) if key.isdecimal() else None
        if found is None:
            raise errors.not_found(self._double.options.not_found)
        return found

    def _read(self, call: Call, kind: str, key: str) -> Answered:
        query, double = call.request.query, self._double
        one = self._found(kind, key, query.get("idProperty", ""), archived=query.get("archived") == "true")
        past = lists.names(query.get("propertiesWithHistory"))
        body = lists.shown(one, lists.names(query.get("properties")), double.properties, double.options, past=past)
        links = lists.linked(double.objects, one, lists.names(query.get("associations")))
        return {**body, **({"associations": links} if links else {})}

    def _create(self, call: Call, kind: str) -> Answered:
        body, double = call.request.object(), self._double
        sent = body["properties"]
        linked: dict[str, list[Any]] = {}
        for one in body["associations"] if kind == DEALS else body.get("associations", ()):
            number = one["types"][0]["associationTypeId"]
            linked.setdefault(CONTACTS if number == 3 else "companies", []).append(one["to"]["id"])
        made = double.put(kind, sent, call.by, linked, strict=call.strict)
        answer = json_response(201, lists.echo(made, sent, double.properties))
        path = f"https://api.hubapi.com{call.request.path}/{made.id}"
        return Response(201, {**answer.headers, "Location": path}, answer.body)

    def _update(self, call: Call, kind: str, key: str) -> Answered:
        one = self._found(kind, key, call.request.query.get("idProperty", ""))
        sent = call.request.object()["properties"]
        before = one.values.get("closedate")
        self._double.change(one, sent, call.by, strict=call.strict)
        more = ["closedate"] if one.values.get("closedate") != before else []
        return lists.echo(one, [*sent, *more], self._double.properties)

    def _delete(self, call: Call, kind: str, key: str) -> Answered:
        try:
            one = self._found(kind, key)
        except errors.HubSpotError:
            if self._double.options.second_delete == 404:
                raise
            return Response(204)
        self._double.objects.archive(one, call.by)
        return Response(204)

    def _merge(self, call: Call, kind: str) -> Answered:
        body = call.request.object()
        pair = [self._found(kind, str(body[name])) for name in ("primaryObjectId", "objectIdToMerge")]
        survivor = self._double.objects.merge(pair[0], pair[1], call.by)
        return lists.shown(survivor, [], self._double.properties, self._double.options)

    def _forget(self, call: Call, kind: str) -> Answered:
        self._double.objects.forget(self._found(kind, str(call.request.object()["objectId"])), call.by)
        return Response(204)

    def _link(self, _call: Call, kind: str, key: str, other: str, other_id: str) -> Answered:
        one, two = self._found(kind, key), self._found(other, other_id)
        self._double.objects.link(one, other, two.id)
        return {"status": "COMPLETE", "results": [], "startedAt": _STARTED, "completedAt": _STARTED}

    # -- many objects ------------------------------------------------------------------------------------------------

    def _list(self, call: Call, kind: str) -> Answered:
        query, double = call.request.query, self._double
        past = lists.names(query.get("propertiesWithHistory"))
        limit, most = int(query.get("limit") or 10), _MOST_WITH_PAST if past else _MOST
        if limit > most:
            raise errors.bad_request(f"limit must be at most {most}")
        limit, after = min(limit, double.options.page_size), int(query.get("after") or 0)
        rows = self._sorted(kind, archived=query.get("archived") == "true")
        rows = [one for one in rows if one.id >= after]
        asked, kinds = lists.names(query.get("properties")), lists.names(query.get("associations"))
        body: dict[str, Any] = {"results": []}
        for one in rows[:limit]:
            shown = lists.shown(one, asked, double.properties, double.options, past=past)
            links = lists.linked(double.objects, one, kinds)
            body["results"].append({**shown, **({"associations": links} if links else {})})
        if len(rows) > limit:
            following = rows[limit - 1].id + 1
            link = f"https://api.hubapi.com/crm/v3/objects/{kind}?limit={limit}&after={following}"
            body["paging"] = {"next": {"after": str(following), "link": link}}
        return body

    def _sorted(self, kind: str, *, archived: bool) -> list[Object]:
        objects = self._double.objects
        if not archived:
            return objects.live(kind)
        return [one for _, one in sorted(objects.rows[kind].items()) if one.archived_at is not None]

    def _search(self, call: Call, kind: str) -> Answered:
        double = self._double
        rows = double.objects.indexed(kind)
        page, total, after = search(call.request, rows, double.options.search_size)
        asked, states = lists.names(call.request.object().get("properties")), dict(rows)
        results = [
            lists.shown(double.objects.rows[kind][one], asked, double.properties, double.options, values=states[one])
            for one in page
            if one in double.objects.rows[kind]
        ]
        paging = {"paging": {"next": {"after": str(after)}}} if after is not None else {}
        return {"total": total, "results": [{**one, "archived": False} for one in results], **paging}

    def _batch_read(self, call: Call, kind: str) -> Answered:
        body, double = call.request.object(), self._double
        past, id_property = lists.names(body.get("propertiesWithHistory")), body.get("idProperty") or ""
        keys, most = [str(one["id"]) for one in body["inputs"]], _MOST_WITH_PAST if past else _MOST
        if len(keys) > most:
            raise errors.bad_request(f"The maximum number of inputs supported in a batch request is {most}")
        if len(set(keys)) < len(keys):
            raise errors.bad_request("Duplicate IDs found in batch input")
        found = {key: self._in_batch(kind, key, id_property) for key in keys}
        asked = lists.names(body.get("properties"))
        # the order of the answers is not that of the inputs
        results = [
            lists.shown(one, asked, double.properties, double.options, past=past)
            for one in sorted(filter(None, found.values()), key=lambda one: -one.id)
        ]
        missing = [key for key, one in found.items() if one is None]
        answer = {"status": "COMPLETE", "results": results, "startedAt": _STARTED, "completedAt": _STARTED}
        if not missing or double.options.missing_in_batch == "left-out":
            return answer
        message = "Could not get some objects, they may be deleted or not exist. Check that ids are valid."
        error = {"status": "error", "category": "OBJECT_NOT_FOUND", "message": message, "context": {"ids": missing}}
        return json_response(207, {**answer, "numErrors": 1, "errors": [error]})

    def _in_batch(self, kind: str, key: str, id_property: str) -> Object | None:
        if id_property == "email" and self._double.options.finds_second_email:
            for one in self._double.objects.live(kind):
                if key.lower() in one.values.get("hs_additional_emails", "").split(";"):
                    return one
        try:
            return self._found(kind, key, id_property)
        except errors.HubSpotError:
            return None

    def _links(self, call: Call, kind: str, other: str) -> Answered:
        objects, results, missing = self._double.objects, [], []
        keys = [str(one["id"]) for one in call.request.object()["inputs"]]
        if len(keys) > _MOST_LINKS:
            raise errors.bad_request(f"At most {_MOST_LINKS} inputs")
        for key in keys:
            one = next((objects.get(kind, found) for found in ids_of([key])), None)
            others = objects.others(one, other) if one is not None else []
            if one is None or not others:
                missing.append(key)
                continue
            to = [
                {"toObjectId": each, "associationTypes": self._types(objects.links[kind, one.id, other][each])}
                for each in others
            ]
            results.append({"from": {"id": key}, "to": to})
        answer = {"status": "COMPLETE", "results": results, "startedAt": _STARTED, "completedAt": _STARTED}
        if not missing:
            return answer
        said = f"No {other[:-1]} is associated with {kind} {', '.join(missing)}."
        error = {
            "status": "error",
            "category": "OBJECT_NOT_FOUND",
            "message": said,
            "context": {"fromObjectId": missing},
        }
        error |= {"subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND"}
        return json_response(207, {**answer, "numErrors": 1, "errors": [error]})

    @staticmethod
    def _types(numbers: set[int]) -> list[dict[str, Any]]:
        return [{"category": "HUBSPOT_DEFINED", "typeId": number, "label": None} for number in sorted(numbers)]

    # -- settings ----------------------------------------------------------------------------------------------------

    def _properties(self, _call: Call) -> Answered:
        known = self._double.properties.of[DEALS].values()
        return {"results": [one.json(DEALS) for one in known if not one.archived]}

    def _property(self, name: str) -> Answered:
        found = self._double.properties.live(DEALS, name)
        if found is None:
            raise errors.not_found("json")
        return found.json(DEALS)

    def _add_property(self, call: Call) -> Answered:
        body, properties = call.request.object(), self._double.properties
        name = str(body["name"])
        if properties.live(DEALS, name) is not None:
            raise errors.refusal(409, "OBJECT_ALREADY_EXISTS", f'Property "{name}" already exists')
        unique = bool(body.get("hasUniqueValue"))
        made = properties.add(
            DEALS, name, label=body["label"], type=body["type"], field_type=body["fieldType"], unique=unique
        )
        return json_response(201, made.json(DEALS))

    def _owners(self, call: Call) -> Answered:
        query = call.request.query
        archived, limit = query.get("archived") == "true", int(query.get("limit") or 100)
        rows = [one for one in self._double.account.owners.values() if one["archived"] is archived]
        if query.get("email"):
            rows = [one for one in rows if one["email"] == query["email"]]
        rows = [one for one in rows if one["id"] >= query.get("after", "")]
        more = rows[limit : limit + 1]
        return {"results": rows[:limit], **({"paging": {"next": {"after": more[0]["id"]}}} if more else {})}
