"""The Nexudus double: its routes, and what people do in its back office."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from nexudus_sandbox.double import Double, Row
from nexudus_sandbox.nexudus import envelope
from nexudus_sandbox.nexudus.audit import Audit
from nexudus_sandbox.nexudus.cards import Act, Cards, Hooks, default_status
from nexudus_sandbox.nexudus.coworkers import CoworkerPages
from nexudus_sandbox.nexudus.directory import STAGE_FLAGS, Directory
from nexudus_sandbox.nexudus.enums import ENUMS
from nexudus_sandbox.nexudus.listing import Filters, listing
from nexudus_sandbox.nexudus.login import Account, Login
from nexudus_sandbox.nexudus.opportunities import OpportunityPages
from nexudus_sandbox.nexudus.options import NEXUDUS_WINDOWS, NexudusOptions
from nexudus_sandbox.nexudus.views import Views
from nexudus_sandbox.throttle import Throttle, Window
from nexudus_sandbox.wire import Handler, Request, Response, html_response, json_response

_STAMPS = ("Id", "UniqueId", "UpdatedBy", "CreatedOn", "UpdatedOn")
_DATES = frozenset({"CreatedOn", "UpdatedOn"})
_READABLE: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "/api/crm/crmboards": ("CrmBoard", "boards", ("Name", "BusinessId", "Archived")),
    "/api/crm/crmboardcolumns": ("CrmBoardColumn", "stages", ("Name", "CrmBoardId", "Position", *STAGE_FLAGS)),
    "/api/crm/opportunitytypes": ("OpportunityType", "opportunity_types", ("Name",)),
    "/api/spaces/coworkers": ("Coworker", "coworkers", ("FullName", "Email", "CompanyName", "CoworkerType", "Active")),
    "/api/sys/users": ("User", "users", ("Email", "FullName", "Active")),
    "/api/sys/businesses": ("Business", "businesses", ("Name", "CurrencyId", "CurrencyCode")),
}
"""Path → entity, table of the directory, and the keys its listing filters by."""


class NexudusDouble(Double):
    """A Nexudus account in memory.

    `windows` is its request budget, `time_scale` how many real seconds a second of it lasts. People's edits go through
    `create`, `edit`, `move` and `delete`; `directory` holds the locations, boards, stages, users and customers; `acts`
    what stages did.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        *,
        seed: int = 0,
        options: NexudusOptions | None = None,
        windows: Sequence[Window] = NEXUDUS_WINDOWS,
        time_scale: float = 1.0,
        offset: float = 0.0,
    ) -> None:
        super().__init__(clock, seed=seed, offset=offset, throttle=Throttle(windows, time_scale=time_scale))
        self.options = options or NexudusOptions()
        self.directory = Directory(self.now, self._unique)
        self.audit = Audit(self.now)
        hooks = Hooks(self.now, self.later, lambda: str(self._unique()), self._changed)
        self.cards = Cards(self.directory, self.options, hooks)
        self.views = Views(self.directory, self.options)
        self.login = Login(self.rng)
        self.opportunities = OpportunityPages(self.cards, self.views)
        self.coworkers = CoworkerPages(self.directory, self.options, self.now)
        self._add_routes()

    @property
    def acts(self) -> list[Act]:
        """What stages did to customers, mails and tasks."""
        return self.cards.acts

    def answer(self, request: Request) -> tuple[str, Response]:
        """Throttle, log in, check the role, then serve."""
        is_login = request.path == "/api/token"
        refusal = self.throttle.refuse(self.clock().timestamp(), write=request.is_write and not is_login)
        if refusal is not None:
            return "", refusal
        if is_login and request.method == "POST":
            return "", self.login.token(request, self.now())
        account = self.login.who(request, self.now())
        if account is None:
            return "", html_response(401, "401 - Unauthorized")
        return account.email, self._serve(request, account)

    def _serve(self, request: Request, account: Account) -> Response:
        found = self.router.find(request)
        if found is None:
            return html_response(404, "404 - Not Found")
        route, record_id = found
        if not account.may(route.role):
            return Response(401)
        try:
            return route.handler(request, account.email, record_id)
        except ValueError:
            return envelope.failed(400, "The request could not be read.")

    def add_account(
        self,
        email: str,
        password: str,
        *,
        roles: frozenset[str] | None = None,
        totp_secret: str | None = None,
    ) -> None:
        """Let somebody log in to the API; `roles` None is an unrestricted administrator."""
        self.login.add(Account(email, password, roles, totp_secret))

    def create(self, by: str, **values: Any) -> int:
        """A person adds a card; at least `CrmBoardColumnId` and `CoworkerId`. Gives its id."""
        with self.lock:
            self.settle()
            return int(self.cards.create(default_status(values), by)["Id"])

    def edit(self, card_id: int, by: str, **changes: Any) -> Row:
        """A person changes fields of a card. Raises KeyError when there is none."""
        with self.lock:
            self.settle()
            return self.cards.change(card_id, changes, by)

    def move(self, card_id: int, stage: str, by: str) -> Row:
        """A person drags a card to the top of another stage of its board. Raises KeyError for an unknown one."""
        with self.lock:
            board = self.directory.stages[self.cards.rows[card_id]["CrmBoardColumnId"]]["CrmBoardId"]
            stage_id = self.directory.stage_named(board, stage)
            return self.edit(card_id, by, CrmBoardColumnId=stage_id, Position=1)

    def delete(self, card_id: int, by: str) -> None:
        """A person deletes a card. Raises KeyError when there is none."""
        with self.lock:
            self.settle()
            self.cards.delete(card_id, by)

    def record(self, card_id: int) -> Row:
        """A card as a read by id shows it now. Raises KeyError when there is none."""
        with self.lock:
            self.settle()
            return self.views.whole(self.cards.rows[card_id])

    def records(self) -> dict[int, Row]:
        """All cards by id, as reads by id show them now."""
        with self.lock:
            self.settle()
            return {card_id: self.views.whole(card) for card_id, card in self.cards.rows.items()}

    def _unique(self) -> UUID:
        return UUID(int=self.rng.getrandbits(128), version=4)

    def _changed(self, by: str, before: Row | None, after: Row | None) -> None:
        self.changed(by, "opportunity", (after or before or {})["Id"], before, after)
        self.audit.note(by, before, after)

    def _add_routes(self) -> None:
        cards, pages, add = "/api/crm/crmopportunities", self.opportunities, self.router.add
        add("GET", cards, pages.list, "CrmOpportunity-List")
        add("GET", f"{cards}/{{id}}", pages.one, "CrmOpportunity-Read")
        add("POST", cards, pages.create, "CrmOpportunity-Create")
        add("PUT", cards, pages.update, "CrmOpportunity-Edit")
        add("DELETE", f"{cards}/{{id}}", pages.delete, "CrmOpportunity-Delete")
        add("GET", f"{cards}/commands", pages.list_commands, "CrmOpportunity-List")
        add("POST", f"{cards}/runcommand", pages.run_command, "CrmOpportunity-Edit")
        add("POST", "/api/spaces/coworkers", self.coworkers.create, "Coworker-Create")
        add("GET", "/api/utils/enums", _enums)
        for path, (entity, table, keys) in _READABLE.items():
            self._add_readable(path, entity, getattr(self.directory, table), keys)
        audited = ("EntityShortName", "EntityId", "AuditType", "PropertyName", "ActionBy")
        self._add_readable("/api/sys/audittrailentries", "AuditTrailEntry", self.audit.entries, audited)
        moved = ("CrmOpportunityId", "CrmBoardColumnId")
        histories = "/api/crm/crmopportunityhistories"
        self._add_readable(histories, "CrmOpportunityHistory", self.audit.histories, moved)

    def _add_readable(self, path: str, entity: str, rows: Mapping[int, Row], keys: tuple[str, ...]) -> None:
        filters = Filters.of(entity, (*keys, *_STAMPS), _DATES)
        self.router.add("GET", path, self._list(rows, filters), f"{entity}-List")
        self.router.add("GET", f"{path}/{{id}}", _one(rows), f"{entity}-Read")

    def _list(self, rows: Mapping[int, Row], filters: Filters) -> Handler:
        def handler(request: Request, _by: str, _record_id: str) -> Response:
            return listing(
                rows.values(),
                request.query,
                filters,
                deepest_page=self.options.deepest_page,
                zero_one=self.options.zero_one_direction,
            )

        return handler


def _one(rows: Mapping[int, Row]) -> Handler:
    def handler(_request: Request, _by: str, record_id: str) -> Response:
        row = rows.get(int(record_id)) if record_id.isdecimal() else None
        return json_response(200, row) if row is not None else envelope.not_found()

    return handler


def _enums(request: Request, _by: str, _record_id: str) -> Response:
    members = ENUMS.get(request.query.get("name", ""), {})
    return json_response(200, [{"Id": number, "Name": name} for number, name in members.items()])
