"""Customers: `/spaces/coworkers`. What a create needs is from the page "Create Coworker" and from clients' reports."""

from collections.abc import Callable
from datetime import datetime, timedelta

from nexudus_sandbox.double import Row
from nexudus_sandbox.nexudus import envelope
from nexudus_sandbox.nexudus.directory import Directory
from nexudus_sandbox.nexudus.options import NexudusOptions
from nexudus_sandbox.wire import Request, Response

REQUIRED = (
    "FullName",
    "Email",
    "CountryId",
    "SimpleTimeZoneId",
    "CoworkerType",
    "Gender",
    "TaxRateType",
    *(f"{day}Attendance" for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")),
)


class CoworkerPages:
    """Creates customers, at most N a day. `welcomed`: the addresses that got a mail because of `CreateUser`."""

    def __init__(self, directory: Directory, options: NexudusOptions, now: Callable[[], datetime]) -> None:
        self._directory, self._options, self._now = directory, options, now
        self._created: list[datetime] = []
        self.welcomed: list[str] = []

    def _limit_is_reached(self) -> bool:
        """Were as many customers created within a day as may be? Else one more is counted."""
        now = self._now()
        self._created = [at for at in self._created if at > now - timedelta(days=1)]
        if len(self._created) >= self._options.customer_creations_per_day:
            return True
        self._created.append(now)
        return False

    def _places(self, body: Row) -> tuple[list[int], int]:
        """The locations of a new customer, and the one that sends the invoices.

        Clients report that a customer lands in another location unless both are given.
        """
        known = self._directory.businesses
        businesses = [business for business in body.get("Businesses") or () if business in known]
        invoicing = body.get("InvoicingBusinessId")
        if businesses and invoicing in known:
            return businesses, invoicing
        first = next(iter(known))
        return [first], first

    def create(self, request: Request, by: str, _record_id: str) -> Response:
        """POST /spaces/coworkers."""
        body = request.object()
        problems = {name: "is a required field" for name in REQUIRED if body.get(name) in (None, "")}
        if problems:
            return envelope.invalid(problems, body)
        if self._limit_is_reached():
            return envelope.failed(403, "Access Denied")
        businesses, invoicing = self._places(body)
        if body.get("CreateUser"):
            self.welcomed.append(body["Email"])
        kept = {key: value for key, value in body.items() if key not in {"Id", "CreateUser", "Email", "FullName"}}
        kept |= {"Businesses": businesses, "InvoicingBusinessId": invoicing}
        coworker_id = self._directory.add_coworker(body["Email"], body["FullName"], invoicing, by, **kept)
        row = self._directory.coworkers[coworker_id]
        return envelope.done("Coworker was successfully created.", {"Id": coworker_id}, row["UpdatedOn"], by)
