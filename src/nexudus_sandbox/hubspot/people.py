"""How a story's people work in HubSpot, whatever CRM the story is told of: in the words of an opportunity.

Their title is a deal's name, their status and their stage are one stage, their owner is an owner's number.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from nexudus_sandbox.double import Row
from nexudus_sandbox.hubspot.double import HubSpotDouble
from nexudus_sandbox.hubspot.objects import Object, iso
from nexudus_sandbox.hubspot.pipelines import Pipeline, Stage
from nexudus_sandbox.hubspot.shape import CONTACTS, DEALS

_NAMES = {
    "title": "dealname",
    "opportunity_amount": "amount",
    "currency": "deal_currency_code",
    "lost_reason": "closed_lost_reason",
}
_ELSEWHERE = frozenset({"opportunity_from", "transaction_date", "customer_name", "contact_email", "lost_reasons"})
"""What an opportunity of other CRMs says and a deal does not."""
_STATUSES = {"Open": None, "Quotation": None, "Replied": None, "Converted": 1.0, "Lost": 0.0, "Closed": 0.0}
_CLASSES = {"Quotation": "Open", "Replied": "Open", "Closed": "Lost"}


class People:
    """People at work in an account. What is not said here is the double's."""

    double: HubSpotDouble

    def __init__(self, double: HubSpotDouble) -> None:
        object.__setattr__(self, "double", double)

    def __setattr__(self, name: str, value: Any) -> None:
        """A setting is the double's."""
        setattr(self.double, name, value)

    def __getattr__(self, name: str) -> Any:
        """What the double itself offers."""
        return getattr(self.double, name)

    def add(self, kind: str, by: str, **values: Any) -> str:
        """A person adds what a story calls a stage (to every pipeline) or a lead; anything else is the double's."""
        if kind == "sales-stage":
            return self._new_stage(values["stage_name"])
        if kind == "lead":
            first, _, last = values["lead_name"].partition(" ")
            return self.double.add(CONTACTS, by, email=values["email_id"], firstname=first, lastname=last)
        return self.double.add(kind, by, **values)

    def _new_stage(self, label: str) -> str:
        """A stage of open deals, behind the others of each pipeline; gives its label."""
        for pipeline in self.double.pipelines.all:
            place = sum(not stage.closed for stage in pipeline.stages)
            pipeline.stages.insert(place, Stage(f"{pipeline.id}{len(pipeline.stages):03d}", label))
        return label

    def create(self, by: str, **values: Any) -> str:
        """A person adds a deal for a contact (`party_name`), in the pipeline `company`."""
        company = values.pop("company")
        pipeline = next(one for one in self.double.pipelines.all if one.label == company)
        contact = values.pop("party_name", None)
        sent = {"pipeline": pipeline.id, "dealstage": pipeline.stages[0].id}
        sent |= self._said(values, pipeline, None)
        return self.double.create(by, contacts=[contact] if contact else [], **sent)

    def edit(self, row_id: str, by: str, **changes: Any) -> Row:
        """A person changes a deal."""
        one = self.double.deal(row_id)
        if "company" in changes:
            label = changes.pop("company")
            pipeline = next(each for each in self.double.pipelines.all if each.label == label)
            changes = {"pipeline": pipeline.id, "dealstage": pipeline.stages[0].id, **changes}
        else:
            pipeline = self._pipeline(one)
        return self.double.edit(row_id, by, **self._said(changes, pipeline, one))

    def set_lost_reasons(self, row_id: str, reasons: Iterable[str], by: str) -> None:
        """A person says why a deal was lost: a deal has one reason."""
        self.double.edit(row_id, by, closed_lost_reason=next(iter(reasons), ""))

    def lost_reasons(self, row_id: str) -> list[str]:
        """Why a deal was lost."""
        found = self.double.deal(row_id).values.get("closed_lost_reason")
        return [found] if found else []

    def record(self, row_id: str) -> Row:
        """A deal in the words of an opportunity, and its own properties."""
        with self.double.lock:
            self.double.settle()
            one = self.double.deal(row_id)
            return {**one.values, **self._words(one), **self._as_shown(one)}

    def records(self) -> dict[str, Row]:
        """All deals by id."""
        with self.double.lock:
            self.double.settle()
            return {str(one.id): self.record(str(one.id)) for one in self.double.objects.live(DEALS)}

    def as_read(self, row_id: str) -> Row:
        """A deal as the connector reads it."""
        one = self.double.deal(row_id)
        return {**one.values, **self._as_shown(one)}

    def _as_shown(self, one: Object) -> Row:
        status = {"Converted": "won", "Lost": "lost"}.get(self._words(one)["status"], "open")
        stamps = {"@createdAt": iso(one.created), "@updatedAt": iso(one.updated)}
        contacts = [str(each) for each in self.double.objects.others(one, CONTACTS)]
        return {"@id": str(one.id), "@status": status, "@contacts": contacts, **stamps}

    def _pipeline(self, one: Object) -> Pipeline:
        found = self.double.pipelines.find(one.values.get("pipeline"))
        assert found is not None, "the deal is in no pipeline"
        return found

    def _said(self, values: Mapping[str, Any], pipeline: Pipeline, one: Object | None) -> dict[str, Any]:
        """The properties that say what the words say."""
        found: dict[str, Any] = {}
        for name, value in values.items():
            if name == "expected_closing":
                found["closedate"] = self._closing(value, one)
            elif name == "opportunity_owner":
                found["hubspot_owner_id"] = self.double.account.owner_of(value) if value else ""
            elif name not in _ELSEWHERE and name not in ("status", "sales_stage"):
                found[_NAMES.get(name, name)] = value
        stage = self._stage(values.get("status"), values.get("sales_stage"), pipeline, one)
        return found | ({"dealstage": stage.id} if stage else {})

    def _stage(self, status: str | None, label: str | None, pipeline: Pipeline, one: Object | None) -> Stage | None:
        """Where a deal is dragged to: a stage, or what a status asks for if it is not so already."""
        if label:
            return next(stage for stage in pipeline.stages if stage.label == label)
        if status is None or (one is not None and self._words(one)["status"] == _CLASSES.get(status, status)):
            return None
        probability = _STATUSES[status]
        if probability is None:
            return self._last_open(pipeline, one)
        return next(stage for stage in pipeline.stages if stage.closed and stage.probability == probability)

    @staticmethod
    def _last_open(pipeline: Pipeline, one: Object | None) -> Stage:
        past = one.history.get("dealstage", []) if one else []
        stages = (pipeline.stage(entry.value) for entry in past)
        first = next(stage for stage in pipeline.stages if not stage.closed)
        return next((stage for stage in stages if stage is not None and not stage.closed), first)

    def _closing(self, value: Any, one: Object | None) -> str:
        """A moment on a day, at the time of the one before."""
        if not value:
            return ""
        zone = ZoneInfo(self.double.account.time_zone)
        before = one.values.get("closedate") if one else None
        at = datetime.fromisoformat(before.replace("Z", "+00:00")).astimezone(zone).time() if before else time(12)
        return datetime.combine(date.fromisoformat(str(value)[:10]), at, zone).isoformat()

    def _words(self, one: Object) -> Row:
        values, pipeline = one.values, self.double.pipelines.find(one.values.get("pipeline"))
        stage = pipeline.stage(values.get("dealstage", "")) if pipeline else None
        status = "Open" if stage is None or not stage.closed else "Converted" if stage.probability else "Lost"
        zone, closing = ZoneInfo(self.double.account.time_zone), values.get("closedate")
        owner = self.double.account.owners.get(values.get("hubspot_owner_id", ""), {})
        contact = next(iter(self.double.objects.others(one, CONTACTS)), None)
        person = self.double.objects.rows[CONTACTS][contact].values if contact else {}
        moment = datetime.fromisoformat(closing.replace("Z", "+00:00")).astimezone(zone) if closing else None
        return {
            "id": str(one.id),
            "title": values.get("dealname"),
            "status": status,
            "sales_stage": stage.label if stage else None,
            "opportunity_amount": Decimal(values["amount"]) if values.get("amount") else None,
            "expected_closing": moment.date().isoformat() if moment else None,
            "opportunity_owner": owner.get("email"),
            "currency": values.get("deal_currency_code"),
            "company": pipeline.label if pipeline else None,
            "party_name": str(contact) if contact else None,
            "contact_email": person.get("email"),
            "lost_reason": values.get("closed_lost_reason"),
        }
