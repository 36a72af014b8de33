"""Sending the steps, and finding again what a lost answer may have created."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from nexudus_sync.connectors.answers import expect_party
from nexudus_sync.connectors.base import Party, Priority, Record, Step, Written
from nexudus_sync.connectors.hubspot import records, steps
from nexudus_sync.connectors.hubspot.account import Account
from nexudus_sync.connectors.hubspot.api import CONTACTS, DEALS, Api
from nexudus_sync.connectors.hubspot.contacts import KIND, Contacts
from nexudus_sync.connectors.hubspot.dialect import Exists
from nexudus_sync.connectors.hubspot.history import last_open_stage
from nexudus_sync.connectors.hubspot.listing import Lister
from nexudus_sync.connectors.hubspot.records import NAME, PIPELINE, STAGE, STATUS, UPDATED, text
from nexudus_sync.errors import NotFound, Refused


@dataclass(frozen=True, slots=True)
class Writer:
    """Carries out the steps of `steps.py`. `asked` gives the properties that are read."""

    api: Api
    account: Account
    contacts: Contacts
    lister: Lister
    system: str
    asked: Callable[[], tuple[str, ...]]

    async def perform(self, step: Step, record: Record | None) -> Written:
        """Send one step. Raises Refused with the keys that HubSpot named."""
        try:
            if step.kind == steps.PARTY:
                return await self._create_party(step)
            if step.kind == steps.CREATE:
                return await self._create(step)
            if step.kind == steps.DELETE:
                with suppress(NotFound):
                    await self.api.delete(step.record_id)
                return Written(step.record_id, {})
            return await self._update(step, record or {})
        except Refused as refused:
            keys = _blamed(refused, step)
            raise Refused(self.system, refused.message, step.record_id or refused.record, keys) from refused

    async def created(self, step: Step, since: datetime) -> list[Record]:
        """Deals that could be what a create made since then (by the server's clock)."""
        sent, key = step.payload[steps.PROPERTIES], step.payload[steps.KEY]
        if key:
            found = await self.by_key(key, sent[key])
            return [] if found is None else [found]
        # without the property only the index can tell, and it lags
        low = {"propertyName": "createdate", "operator": "GTE", "value": str(int(since.timestamp() * 1000))}
        named = {"propertyName": NAME, "operator": "EQ", "value": sent[NAME]}
        ids = [str(row["id"]) async for rows in self.lister.searched([low, named], Priority.LIVE) for row in rows]
        return [
            one for one in [await self.one(each) for each in ids] if step.payload["contact"] in one[records.CONTACTS]
        ]

    async def by_key(self, key: str, value: str) -> Record | None:
        """The deal with an external key: a read by a unique property, which does not lag."""
        try:
            raw = await self.api.one(value, self.asked(), idProperty=key)
        except NotFound:
            return None
        record = await self.seen(raw)
        return record if text(record, key) == value else None

    async def one(self, record_id: str, priority: Priority = Priority.LIVE, *, party: bool = True) -> Record:
        """A deal as it is now; `party`: who it is with matters. Raises NotFound, AnotherRecord."""
        return await self.seen(await self.api.one(record_id, self.asked(), priority), priority, party=party)

    async def seen(self, raw: Record, priority: Priority = Priority.LIVE, *, party: bool = True) -> Record:
        """The record of a deal that was just read by its id."""
        self.contacts.note(str(raw["id"]), records.linked(raw))
        (record,) = await self.lister.lift([raw], priority, party=party)
        return record

    async def _create(self, step: Step) -> Written:
        payload = step.payload
        body = {steps.PROPERTIES: payload[steps.PROPERTIES], steps.LINKS: payload[steps.LINKS]}
        key = payload[steps.KEY]
        try:
            echo = await self.api.create(DEALS, body)
        except Exists:
            # an earlier attempt made it, if the key is ours
            found = await self.by_key(key, payload[steps.PROPERTIES][key]) if key else None
            if found is None:
                raise
            return Written(str(found[records.ID]), found, records.stamp(found), echoed=True, found=True)
        contacts = [payload["contact"]]
        self.contacts.note(str(echo["id"]), contacts)
        record = records.lifted(self._asked_only(steps.made(step, echo)), contacts, self.account.statuses)
        return Written(str(echo["id"]), record, records.stamp(record), echoed=True)

    async def _update(self, step: Step, record: Record) -> Written:
        sent = dict(step.payload[steps.PROPERTIES])
        if step.payload.get(steps.REOPEN):
            pipeline = self.account.pipeline_of(sent, None)
            stage = await last_open_stage(self.api, step.record_id, pipeline)
            sent |= {} if stage is None else {STAGE: stage}
        echo = await self.api.update(step.record_id, sent)
        told = self._asked_only({steps.PROPERTIES: {**sent, **(echo.get(steps.PROPERTIES) or {})}})[steps.PROPERTIES]
        after = {key: value for key, value in {**record, **told}.items() if value not in (None, "")}
        after |= {UPDATED: echo.get("updatedAt")}
        after = records.with_status(after, self.account.statuses)
        return Written(step.record_id, after, records.stamp(after) if after.get(UPDATED) else None, echoed=True)

    def _asked_only(self, raw: Record) -> Record:
        """An echo without the properties that no read shows."""
        asked = self.asked()
        return {**raw, steps.PROPERTIES: {key: value for key, value in raw[steps.PROPERTIES].items() if key in asked}}

    async def _create_party(self, step: Step) -> Written:
        """A contact; one that has the address already, perhaps as a second one, is as good."""
        sent, email = step.payload[steps.PROPERTIES], step.payload["email"]
        try:
            echo = await self.api.create(CONTACTS, {steps.PROPERTIES: sent}, creation=True)
            expect_party(self.system, email, (echo.get(steps.PROPERTIES) or {}).get("email"))
            contact = str(echo["id"])
        except Exists as exists:
            known = exists.existing or getattr(await self.contacts.find(email), "id", None)
            if known is None:
                raise
            echo, contact = {"id": known}, known
        name = " ".join(filter(None, (text(sent, "firstname"), text(sent, "lastname"))))
        party = Party(email, name, text(sent, "company") or None, KIND, contact)
        self.contacts.add(party)
        return Written(contact, echo, echoed=True, party=party)


def _blamed(refused: Refused, step: Step) -> frozenset[str]:
    """The keys of the record that a refusal concerns. A stage is the status as well, if that is what travels."""
    keys = refused.keys & step.keys
    if refused.keys & {STAGE, PIPELINE} and STATUS in step.keys:
        keys |= {STATUS}
    return keys
