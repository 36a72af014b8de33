"""Sending the steps, one call each, and finding again what a lost answer may have created."""

import re
from contextlib import suppress
from datetime import datetime

from nexudus_sync.connectors.answers import expect_made, expect_party, expect_reply
from nexudus_sync.connectors.base import Record, Step, Written
from nexudus_sync.connectors.overplane.api import Api
from nexudus_sync.connectors.overplane.moments import moment
from nexudus_sync.connectors.overplane.parties import Parties, from_row
from nexudus_sync.connectors.overplane.reading import stamp, text
from nexudus_sync.connectors.overplane.steps import CHILDREN
from nexudus_sync.connectors.overplane.sweep import Sweeper
from nexudus_sync.errors import NotFound, Refused, Stale
from nexudus_sync.mapping.renderings import alike

_TELLING = ("title", "party_name", "contact_email", "company")
"""What a created opportunity is known again by: there is no place for an external key."""


class Writer:
    """Carries out the steps of `steps.py`. `system` is the configured name of the CRM."""

    def __init__(self, api: Api, parties: Parties, sweeper: Sweeper, system: str) -> None:
        self._api = api
        self._parties = parties
        self._sweeper = sweeper
        self._system = system

    async def perform(self, step: Step, record: Record | None) -> Written:
        """Send one step. Raises Refused with the keys it concerns, as far as the answer tells."""
        try:
            if step.kind == "party.create":
                return await self._create_party(step)
            if step.kind.startswith("lost-reason."):
                return await self._change_rows(step, record or {})
            return await self._change_opportunity(step, record or {})
        except Refused as refused:
            keys = _blamed(refused, step)
            raise Refused(self._system, refused.message, step.record_id or refused.record, keys) from refused

    async def created(self, step: Step, since: datetime) -> list[Record]:
        """Listed opportunities created since then (by the server's clock) that say what the step sent, newest first."""
        found, kept = dict[str, Record](), dict[str, Record]()
        async for stretch in self._sweeper.pages(self._api.opportunities):
            recent = [row for row in stretch.rows if (moment(row.get("created_at")) or since) >= since]
            found |= {str(row["id"]): row for row in recent if _says(row, step.payload)}
            kept |= {str(row["id"]): row for row in recent if _keeps(row, step.payload)}
            if len(recent) < len(stretch.rows):
                break
        return list((found or kept).values())

    async def _create_party(self, step: Step) -> Written:
        kind, body = step.payload["kind"], step.payload["body"]
        reply = await self._parties.resource(kind).create(body, creation=True)
        expect_party(self._system, body["email_id"], reply.get("email_id"))
        party = from_row(kind, body | reply)
        self._parties.add(party)
        return Written(party.id, reply, echoed=True, party=party)

    async def _change_opportunity(self, step: Step, record: Record) -> Written:
        if step.kind == "opportunity.delete":
            with suppress(NotFound):
                await self._api.opportunities.delete(step.record_id)
            return Written(step.record_id, {})
        if step.kind == "opportunity.create":
            record = {CHILDREN: []} | await self._api.opportunities.create(step.payload)
            expect_made(self._system, step.payload, record, "party_name")
        else:
            record = record | await self._api.opportunities.update(step.record_id, step.payload)
        return Written(str(record["id"]), record, stamp(record), echoed=True)

    async def _change_rows(self, step: Step, record: Record) -> Written:
        """A row that is gone means that the opportunity is not what it was, not that it is gone."""
        try:
            rows = await self._changed_rows(step, record.get(CHILDREN) or [])
        except NotFound as error:
            raise Stale(self._system, "its lost reasons changed meanwhile; read it again", step.record_id) from error
        known = stamp(record) if record.get("updated_at") else None
        return Written(step.record_id, record | {CHILDREN: rows}, known, echoed=True)

    async def _changed_rows(self, step: Step, rows: list[Record]) -> list[Record]:
        children, row_id = self._api.lost_reason_details, str(step.payload.get("id"))
        if step.kind == "lost-reason.create":
            return [*rows, step.payload["body"] | await children.create(step.payload["body"])]
        if step.kind == "lost-reason.update":
            reply = await children.update(row_id, step.payload["body"])
            expect_reply(self._system, step.record_id, reply.get("opportunity_id"), what="record's row")
            return [row | reply if str(row["id"]) == row_id else row for row in rows]
        with suppress(NotFound):
            await children.delete(row_id)
        return [row for row in rows if str(row["id"]) != row_id]


def _blamed(refused: Refused, step: Step) -> frozenset[str]:
    """The keys of the record a refusal concerns: those it names as such, else those its words name."""
    if step.kind.startswith("lost-reason."):
        return step.keys
    words = refused.keys or frozenset(re.findall(r"\w+", refused.message))
    return words & (step.keys | step.payload.keys()) if step.kind.startswith("opportunity.") else refused.keys


def _says(row: Record, sent: Record) -> bool:
    """Does a listed opportunity say what was sent? A contact e-mail that the server left out speaks not against it."""
    telling = [key for key in _TELLING if key in sent and (key != "contact_email" or text(row, key))]
    return all(text(row, key).casefold() == text(sent, key).casefold() for key in telling)


def _keeps(row: Record, sent: Record) -> bool:
    """Does it say what the system may have made of the title that was sent, and the rest as it was sent?"""
    title = text(sent, "title")
    return bool(title) and alike(title, text(row, "title")) and _says(row, sent | {"title": row.get("title")})
