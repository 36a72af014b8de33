"""The endpoints under `/crm/crmopportunities`."""

from collections.abc import Mapping
from typing import Any

from nexudus_sandbox import lossy
from nexudus_sandbox.double import Row
from nexudus_sandbox.nexudus import envelope
from nexudus_sandbox.nexudus.cards import FLAGS, Cards
from nexudus_sandbox.nexudus.listing import Filters, listing
from nexudus_sandbox.nexudus.shape import DATES, EQUALITY_FILTERS, RANGE_FILTERS, REQUIRED, WRITABLE
from nexudus_sandbox.nexudus.values import anything
from nexudus_sandbox.nexudus.views import Views
from nexudus_sandbox.wire import Request, Response, json_response

FILTERS = Filters(EQUALITY_FILTERS, RANGE_FILTERS, DATES)
_REFERENCES = {
    "CrmBoardColumnId": "stages",
    "CoworkerId": "coworkers",
    "ResponsibleId": "users",
    "OpportunityTypeId": "opportunity_types",
    "ReferrerId": "coworkers",
    "AgentId": "coworkers",
}


class OpportunityPages:
    """List, one, create, update, delete, commands. `commands`: what `…/commands` lists, by key (none is known)."""

    def __init__(self, cards: Cards, views: Views) -> None:
        self._cards, self._views, self._options = cards, views, cards.options
        self.commands: dict[str, str] = {}

    def list(self, request: Request, _by: str, _record_id: str) -> Response:
        """GET /crm/crmopportunities."""
        return listing(
            [self._views.whole(card) for card in self._cards.listed.values()],
            request.query,
            FILTERS,
            self._views.listed,
            deepest_page=self._options.deepest_page,
            zero_one=self._options.zero_one_direction,
        )

    def one(self, _request: Request, _by: str, record_id: str) -> Response:
        """GET /crm/crmopportunities/{id}."""
        card = self._card(record_id)
        if card is None:
            return envelope.not_found() if self._options.missing_id_status == 404 else envelope.broken()
        return json_response(200, self._views.whole(card))

    def create(self, request: Request, by: str, _record_id: str) -> Response:
        """POST /crm/crmopportunities."""
        body = request.object()
        values, problems = self._read(body)
        if problems:
            return envelope.invalid(problems, body)
        if self._options.opportunity_type_required and values["OpportunityTypeId"] is None:
            return envelope.broken()
        directory, stage = self._cards.directory, values["CrmBoardColumnId"]
        if self._options.first_stage_only and stage != directory.first_stage(directory.stages[stage]["CrmBoardId"]):
            return envelope.broken()
        business = directory.business_of(stage)
        if self._cards.count_in(business) >= self._options.opportunity_limit:
            limit = f"This location has reached its limit of {self._options.opportunity_limit} opportunities."
            return envelope.failed(400, limit)
        card = self._cards.create(values, by)
        return self._done("created", card)

    def update(self, request: Request, by: str, _record_id: str) -> Response:
        """PUT /crm/crmopportunities: the id in the body, and every writable field that is not sent is cleared."""
        body = request.object()
        values, problems = self._read(body)
        if body.get("Id") is None:
            problems["Id"] = "is a required field"
        card = self._card(str(body.get("Id")))
        if card is None and not problems:
            return envelope.not_found()
        if card is None or problems:
            return envelope.invalid(problems, body)
        return self._done("updated", self._cards.change(card["Id"], values, by))

    def delete(self, _request: Request, by: str, record_id: str) -> Response:
        """DELETE /crm/crmopportunities/{id}."""
        card = self._card(record_id)
        if card is None:
            return envelope.not_found()
        self._cards.delete(card["Id"], by)
        return envelope.done("The record was deleted successfully.", None, None, None)

    def list_commands(self, _request: Request, _by: str, _record_id: str) -> Response:
        """GET /crm/crmopportunities/commands."""
        return json_response(
            200,
            [
                {
                    "Key": key,
                    "Name": name,
                    "AppliesOnlyToMultipleEntities": False,
                    "AppliesOnlyToOneEntity": False,
                    "AppliesOnlyToTwoEntities": False,
                    "NeedsEntitiesToRun": True,
                    "Order": order,
                    "RequiresParameters": [],
                }
                for order, (key, name) in enumerate(self.commands.items(), 1)
            ],
        )

    def run_command(self, request: Request, by: str, _record_id: str) -> Response:
        """POST /crm/crmopportunities/runcommand: HTTP 200 whatever comes of it."""
        body = request.object()
        if body.get("Key") not in self.commands:
            return envelope.failed(500, "The command does not exist.", http_status=200)
        if any(self._card(str(card_id)) is None for card_id in body.get("Ids") or ()):
            return envelope.failed(500, "A record does not exist.", http_status=200)
        return envelope.done("The command was run.", None, None, by)

    def _card(self, record_id: str) -> Row | None:
        return self._cards.rows.get(int(record_id)) if record_id.isdecimal() else None

    @staticmethod
    def _done(verb: str, card: Row) -> Response:
        message = f"CrmOpportunity was successfully {verb}."
        return envelope.done(message, {"Id": card["Id"]}, card["UpdatedOn"], card["UpdatedBy"])

    def _read(self, body: Mapping[str, Any]) -> tuple[Row, dict[str, str]]:
        """Every writable field's value, null where the body has none, and what is wrong with which."""
        problems = {name: "is a required field" for name in REQUIRED if body.get(name) is None}
        values: Row = {}
        for name, coerce in {**WRITABLE, **dict.fromkeys(self._options.undocumented, anything)}.items():
            sent = body.get(name)
            try:
                values[name] = (False if name in FLAGS else None) if sent is None else coerce(sent)
            except ValueError:
                problems[name] = "is not valid"
        for name, table in _REFERENCES.items():
            wanted = values.get(name)
            if wanted is not None and wanted not in getattr(self._cards.directory, table):
                problems[name] = "is a required field"
        if not self._options.keeps_system_id:
            values["SystemId"] = None
        return lossy.kept(values, ("Name",), self._options.keeps), problems
