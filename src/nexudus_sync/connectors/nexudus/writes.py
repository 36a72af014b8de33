"""Carrying out write steps, and finding what one of unknown outcome may have created."""

from datetime import datetime, timedelta

import structlog

from nexudus_sync import addresses
from nexudus_sync.clock import Clock
from nexudus_sync.connectors.base import Party, Record, Scope, Step, Written
from nexudus_sync.connectors.nexudus import listing, moments, records, steps
from nexudus_sync.connectors.nexudus.absence import Absence
from nexudus_sync.connectors.nexudus.api import NexudusApi
from nexudus_sync.connectors.nexudus.directory import Directory
from nexudus_sync.connectors.nexudus.envelope import Envelope
from nexudus_sync.connectors.nexudus.external_key import ExternalKey
from nexudus_sync.errors import (
    AnsweredForAnother,
    ConnectorError,
    LimitReached,
    NotFound,
    OutcomeUnknown,
    Refused,
    Stale,
    Unavailable,
)
from nexudus_sync.mapping.renderings import alike

LOCATION_LIMIT = 5000
"""Opportunities per location (page "Create CrmOpportunity")."""

_NEARLY = 0.9
_COUNT_HOLDS = 300.0
_MARGIN = timedelta(minutes=2)
_NEW_CUSTOMER: Record = {
    "CoworkerType": 1,
    "Gender": 1,
    "TaxRateType": 1,
    "CreateUser": False,
    **{f"{day}Attendance": 5 for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")},
}
"""What a new customer requires besides name, e-mail and place; `CreateUser` would send an e-mail."""

log = structlog.get_logger()


class Writer:
    """Performs steps under one login. `login` is the e-mail that `UpdatedBy` names."""

    def __init__(
        self,
        system: str,
        login: str,
        api: NexudusApi,
        directory: Directory,
        key: ExternalKey,
        clock: Clock,
        absence: Absence,
    ) -> None:
        self._system = system
        self._login = login
        self._api = api
        self._directory = directory
        self._key = key
        self._clock = clock
        self._absence = absence
        self._counts: dict[int, tuple[int, float]] = {}
        self._warned: set[int] = set()

    async def perform(self, step: Step, record: Record | None) -> Written:
        """Send one write; see `Connector.perform`."""
        if step.kind == steps.CREATE:
            return await self._create(step)
        if step.kind == steps.UPDATE:
            return await self._update(step, record)
        if step.kind == steps.DELETE:
            return await self._delete(step)
        return await self._create_customer(step)

    async def count(self, business_id: int) -> int:
        """How many opportunities a location has; counted again after five minutes, own creates included in between."""
        known = self._counts.get(business_id)
        if known is None or self._clock.monotonic() - known[1] > _COUNT_HOLDS:
            page = await self._api.opportunities(records.scope_filter(Scope(business_id=business_id)), size=1)
            known = (page.total or 0, self._clock.monotonic())
            self._counts[business_id] = known
        return known[0]

    async def find_party(self, email: str, business_id: int | None) -> Party | None:
        """The customer with that e-mail: in the location first, then the oldest."""
        found = await self.customers(email, business_id)
        if not found:
            return None
        best = found[0]
        name, company = str(best.get("FullName") or email), best.get("CompanyName")
        return Party(email=addresses.key(email), name=name, company_name=company, kind="Coworker", id=str(best["Id"]))

    async def customers(self, email: str, business_id: int | None) -> list[Record]:
        """All customers with that e-mail, best first; rows are compared, since a filter can be ignored."""
        wanted = addresses.key(email)
        if not wanted:
            return []
        rows = await self._api.customers({"Coworker_Email": email.strip()})
        same = [row for row in rows if addresses.key(str(row.get("Email") or "")) == wanted]
        return sorted(same, key=lambda row: (not _is_in(row, business_id), str(row.get("CreatedOn")), row["Id"]))

    async def find_created(self, step: Step, since: datetime) -> list[Record]:
        """Whole records created since `since` (the server's clock) that `step` may have created."""
        body = step.payload.get("body", {})
        if step.kind == steps.PARTY:
            found = await self.customers(str(body["Email"]), step.payload["business_id"])
            return [{"id": str(row["Id"])} for row in found]
        if step.kind != steps.CREATE:
            return []
        where = {"from_CrmOpportunity_CreatedOn": since - _MARGIN}
        rows: dict[int, Record] = {}
        async for batch in listing.read(listing.Reader(self._api, self._system, self._clock), where):
            rows |= {row["Id"]: row for row in batch.rows if _is_recent(row, since) and _could_be(row, body)}
        exact_first = sorted(rows, key=lambda one: rows[one].get("Name") != body.get("Name"))
        return [await self._api.opportunity(record_id) for record_id in exact_first]

    async def _create(self, step: Step) -> Written:
        business_id: int = step.payload["business_id"]
        await self._leave_room(business_id)
        body: Record = step.payload["body"]
        said = await self._api.create_opportunity(body)
        if said.id is None:
            raise OutcomeUnknown(self._system, "created an opportunity without naming its Id")
        if said.id <= self._absence.highest:
            await self._look_whose(said.id, body)
        count, at = self._counts[business_id]
        self._counts[business_id] = (count + 1, at)
        self._key.wrote(str(said.id), body.get("SystemId"))
        return self._written(str(said.id), {**body, "Id": said.id}, said)

    async def _look_whose(self, record_id: int, body: Record) -> None:
        """Ids ascend: one that was there before is another card's. Raises AnsweredForAnother unless it says our own."""
        try:
            record = await self._api.opportunity(record_id)
        except ConnectorError as error:
            raise OutcomeUnknown(self._system, f"the created record cannot be read: {error.message}") from error
        if not _could_be(record, body):
            problem = f"the reply to a create is about {record_id}, which existed before; the outcome is unknown"
            raise AnsweredForAnother(self._system, problem)

    async def _leave_room(self, business_id: int) -> None:
        count = await self.count(business_id)
        if count >= LOCATION_LIMIT:
            raise LimitReached(
                self._system,
                f"location {business_id} is full: {count} of {LOCATION_LIMIT} opportunities; remove old ones",
            )
        if count >= LOCATION_LIMIT * _NEARLY and business_id not in self._warned:
            self._warned.add(business_id)
            log.warning("nexudus.nearly_full", business_id=business_id, opportunities=count, limit=LOCATION_LIMIT)

    async def _update(self, step: Step, record: Record | None) -> Written:
        """A PUT of the whole record. What another write made known of it is not the whole, so it is read if need be."""
        if record is None or "CreatedOn" not in record:
            record = await self._api.opportunity(step.record_id)
        if records.stamp(record, self._login).token != step.payload["stamp"]:
            raise Stale(self._system, "changed since it was read", step.record_id)
        body = {**record, **step.payload["changes"]}
        if odd := records.odd_value(body):
            raise Unavailable(self._system, f"was read with {odd}, which a PUT would write back", step.record_id)
        if body.get("Status") in (None, 0):
            # Some cards have none (null or 0), which reads as in progress; null sent back as it was read is refused.
            body["Status"] = steps.IN_PROGRESS
        said = await self._api.update_opportunity(body)
        return self._written(step.record_id, body, said)

    async def _delete(self, step: Step) -> Written:
        try:
            await self._api.delete_opportunity(step.record_id)
        except NotFound:
            log.debug("nexudus.deleted_already", record=step.record_id)
        return Written(step.record_id, {})

    async def _create_customer(self, step: Step) -> Written:
        business_id: int = step.payload["business_id"]
        body: Record = step.payload["body"]
        place = await self._directory.location(business_id)
        if not place.get("CountryId") or not place.get("SimpleTimeZoneId"):
            raise Refused(
                self._system,
                f"location {business_id} names no country or time zone, which a new customer needs; set them there",
            )
        where = {
            "CountryId": place["CountryId"],
            "SimpleTimeZoneId": place["SimpleTimeZoneId"],
            "Businesses": [business_id],
            "InvoicingBusinessId": business_id,
        }
        said = await self._api.create_customer({**_NEW_CUSTOMER, **where, **body})
        if said.id is None:
            raise OutcomeUnknown(self._system, "created a customer without naming its Id")
        name, company = body["FullName"], body["CompanyName"]
        party = Party(email=body["Email"], name=name, company_name=company, kind="Coworker", id=str(said.id))
        return Written(str(said.id), {"Id": said.id, **body}, party=party)

    def _written(self, record_id: str, record: Record, said: Envelope) -> Written:
        """The record as sent, at the stamp the reply names; without one the engine has to look."""
        if said.updated_on is None or said.updated_by is None:
            return Written(record_id, record)
        marks = {"UpdatedOn": said.updated_on, "UpdatedBy": said.updated_by}
        return Written(record_id, {**record, **marks}, records.stamp(marks, self._login))


def _is_in(customer: Record, business_id: int | None) -> bool:
    return business_id is not None and (
        customer.get("InvoicingBusinessId") == business_id or business_id in (customer.get("Businesses") or [])
    )


def _is_recent(row: Record, since: datetime) -> bool:
    """Is it what was asked for? A filter can be ignored, and sees whole minutes."""
    created = moments.parse(row.get("CreatedOn"))
    return created is None or created >= since - _MARGIN - timedelta(minutes=1)


def _could_be(row: Record, body: Record) -> bool:
    """By the external key; else, where the row has none, the same customer and name."""
    key = row.get("SystemId") or None
    if key is not None:
        return bool(key == body.get("SystemId"))
    return row.get("CoworkerId") == body["CoworkerId"] and _is_named(row, body)


def _is_named(row: Record, body: Record) -> bool:
    """Does it bear the name that was sent, or what the system may have made of that?"""
    said, sent = row.get("Name") or None, body.get("Name") or None
    return said == sent or (isinstance(said, str) and isinstance(sent, str) and alike(sent, said))
