"""Sending the steps, and finding again what a lost answer may have created."""

import html
import random
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from nexudus_sync.clock import Clock
from nexudus_sync.connectors.answers import expect_made, expect_party, same_id
from nexudus_sync.connectors.base import Party, Record, Step, Written
from nexudus_sync.connectors.erpnext import parties, records, stamps, steps
from nexudus_sync.connectors.erpnext.api import Api, Filter, Query
from nexudus_sync.connectors.erpnext.dialect import BadLink, Collision, Duplicate
from nexudus_sync.connectors.erpnext.directories import Directories
from nexudus_sync.connectors.erpnext.parties import Parties
from nexudus_sync.connectors.erpnext.records import text
from nexudus_sync.connectors.erpnext.site import OPPORTUNITY, Site
from nexudus_sync.errors import NotFound, Refused
from nexudus_sync.mapping.markup import plain
from nexudus_sync.mapping.renderings import alike

T = TypeVar("T")
TRIES = 8
"""How often a write is sent when another save gets in the way."""
_APART = timedelta(hours=2)
"""More than two servers' clocks can differ, plus the hour that comes twice."""
_SHORTEST, _LONGEST = 0.05, 0.4
"""Seconds between two such tries, times their number."""
_LABELS = {
    "party_name": "Party",
    "utm_source": "Source",
    "utm_medium": "Medium",
    "utm_campaign": "Campaign",
    "utm_content": "Content",
    "lost_reasons": "Opportunity Lost Reason",
}
"""What the site calls a field in a message, where it is not the field's name in words."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Carries out the steps of `steps.py`. `now` gives the site's clock."""

    api: Api
    parties: Parties
    directories: Directories
    system: str
    clock: Clock
    rng: random.Random
    now: Callable[[], datetime]

    async def perform(self, step: Step, site: Site) -> Written:
        """Send one step. Raises Refused with the keys that its words name."""
        try:
            if step.kind == steps.PARTY:
                return await self._create_party(step)
            if step.kind == steps.DELETE:
                with suppress(NotFound):
                    await self.api.delete(OPPORTUNITY, step.record_id)
                return Written(step.record_id, {})
            return await self._save(step, site)
        except Refused as refused:
            if isinstance(refused, BadLink):
                self.directories.forget()
            blamed = refused.keys or _blamed(refused.message, step) or _outgrown(refused, step)
            raise Refused(self.system, refused.message, step.record_id or refused.record, blamed) from refused

    async def created(self, step: Step, site: Site, since: datetime) -> list[Record]:
        """Opportunities that could be what a create made since then (by the site's clock)."""
        found = [records.seen(record, site) for record in await self._alike(step, site, since)]
        return [one for one in found if _has_key(one, step, site) and _may_be_a_copy(one, step, site)]

    async def _alike(self, step: Step, site: Site, since: datetime) -> list[Record]:
        body, name = step.payload["body"], step.payload["name"]
        if name:
            with suppress(NotFound):
                return [await self.api.one(OPPORTUNITY, name)]
            return []
        filters: tuple[Filter, ...]
        if site.key_field:
            filters = ((site.key_field, "=", body[site.key_field]),)
        else:
            low = stamps.bound(since, self.now(), site.zone)
            filters = (("creation", ">=", low), ("owner", "=", site.user), ("party_name", "=", body["party_name"]))
        listed = await self.api.rows(OPPORTUNITY, Query(("name", "title", "contact_email"), filters))
        told = [row for row in listed if site.key_field or _says(row, body)] or [r for r in listed if _keeps(r, body)]
        names = [str(row["name"]) for row in told]
        return [await self.api.one(OPPORTUNITY, name) for name in names]

    async def _save(self, step: Step, site: Site) -> Written:
        """Create or update; the answer shows what the site made of it, refilled fields and all."""
        body: Record = step.payload["body"]
        await self._ensure_links(body, site)
        found = False
        if step.kind == steps.CREATE:
            document, found = await self._patiently(lambda: self._create(step, site))
        else:
            locked = {**body, "modified": step.payload["modified"]}
            document = await self._patiently(lambda: self.api.update(OPPORTUNITY, step.record_id, locked))
        record = records.seen(document, site)
        return Written(str(record["name"]), record, records.stamp(record, site, self.now()), echoed=True, found=found)

    async def _create(self, step: Step, site: Site) -> tuple[Record, bool]:
        """Create it, or take the one that an earlier attempt made under the same key or name (True)."""
        body, name = step.payload["body"], step.payload["name"]
        try:
            if name:
                return await self.api.create_named(OPPORTUNITY, name, body), False
            made = await self.api.create(OPPORTUNITY, body)
        except Duplicate:
            found = await self.created(step, site, self.now()) if name or site.key_field else []
            if not found:
                raise
            return found[0], True
        expect_made(self.system, body, made, "party_name", fold=True)
        return made, False

    async def _ensure_links(self, body: Record, site: Site) -> None:
        """What the values need exists, or is created where that is allowed."""
        for key, doctype in site.links.items():
            value = body.get(site.own.get(key, key))
            names = [text(row, "lost_reason") for row in value] if isinstance(value, list) else [value]
            for name in filter(None, names):
                try:
                    await self.directories.ensure(doctype, str(name))
                except Refused as refused:
                    raise Refused(self.system, refused.message, keys=frozenset({key})) from refused

    async def _create_party(self, step: Step) -> Written:
        kind, email, body = step.payload["kind"], step.payload["email"], step.payload["body"]
        try:
            document = await self._patiently(lambda: self.api.create(kind, body, creation=True))
        except Duplicate:
            found = await self._parties_of(step)
            if not found:
                raise
            document = {"name": found[0].id} | body
        expect_party(self.system, email, document.get("email_id"))
        party = parties.from_row(kind, body | document)
        if kind == "Prospect":
            await self._add_contact(party, email)
        party = Party(email, party.name, party.company_name, kind, party.id)
        self.parties.add(party)
        return Written(party.id, document, echoed=True, party=party)

    async def _parties_of(self, step: Step) -> list[Party]:
        """Those with the e-mail; a prospect without a contact is known by its name alone."""
        kind, body = step.payload["kind"], step.payload["body"]
        found = await self.parties.all(step.payload["email"], kind)
        if not found and kind == "Prospect":
            with suppress(NotFound):
                found = [parties.from_row(kind, await self.api.one(kind, body["company_name"]))]
        return found

    async def _add_contact(self, prospect: Party, email: str) -> None:
        """A prospect has no e-mail of its own."""
        if await self.parties.all(email, prospect.kind):
            return
        body: Record = {
            "first_name": prospect.name,
            "email_id": email,
            "email_ids": [{"email_id": email, "is_primary": 1}],
            "links": [{"link_doctype": prospect.kind, "link_name": prospect.id}],
        }
        await self.api.create("Contact", body)

    async def _patiently(self, send: Callable[[], Awaitable[T]]) -> T:
        """Send again what was rolled back because of another save; a document that is held is waited for once."""
        for attempt in range(1, TRIES):
            try:
                return await send()
            except Collision as collision:
                if collision.held and attempt > 1:
                    raise Refused(self.system, collision.message, collision.record) from collision
                await self.clock.sleep(self.rng.uniform(_SHORTEST, _LONGEST) * attempt)
        return await send()


def _has_key(record: Record, step: Step, site: Site) -> bool:
    """Where documents are known by an external key, it is that of the step: a filter can be ignored."""
    key = site.key_field
    sent = step.payload["body"].get(key) if key else None
    return not key or sent is None or same_id(sent, record.get(key), fold=True)


def _may_be_a_copy(record: Record, step: Step, site: Site) -> bool:
    """Was it not there before what the step copies? The key of a card that is gone can be a new card's as well."""
    since, made = step.payload.get("since"), stamps.earliest(record.get("creation"), site.zone)
    return since is None or made is None or made > datetime.fromisoformat(since) - _APART


def _blamed(message: str, step: Step) -> frozenset[str]:
    """The keys whose field a message names, by its label or its name; what it quotes of the values names none."""
    labels = {key: _LABELS.get(key, key.replace("_", " ")).casefold() for key in step.keys}
    words = message.casefold()
    for value in sorted(_texts(step.payload.get("body")), key=len, reverse=True):
        for quoted in (f": {value}", f'"{value}"', f"'{value}'", f"({value})"):
            before, found, after = words.rpartition(quoted)
            words = f"{before} {after}" if found else words
    return frozenset(
        key for key, label in labels.items() if re.search(rf"\b({re.escape(label)}|{re.escape(key)})\b", words)
    )


def _outgrown(refused: Refused, step: Step) -> frozenset[str]:
    """The texts that are too long once they are escaped, where the site keeps the database's own words to itself."""
    body = step.payload.get("body") or {}
    keys = records.SHORT & step.keys if "DataError" in refused.message else frozenset()
    return frozenset(key for key in keys if len(html.escape(text(body, key), quote=False)) > records.SHORT_TEXT)


def _texts(value: object) -> set[str]:
    """The texts in what was sent, in small letters."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return set().union(*map(_texts, inner))
    text = " ".join(value.split()).casefold() if isinstance(value, str) else ""
    return {text} if text else set()


def _says(row: Record, sent: Record) -> bool:
    """Does a listed opportunity say what was sent? The site may have escaped the title."""
    return all(_bare(row, key) == _bare(sent, key) for key in ("title", "contact_email") if text(sent, key))


def _keeps(row: Record, sent: Record) -> bool:
    """Does it say what the site may have made of the title that was sent, and the rest as it was sent?"""
    kept = bool(text(sent, "title")) and alike(text(sent, "title"), text(row, "title"))
    return kept and _says(row, sent | {"title": row.get("title")})


def _bare(record: Record, key: str) -> str:
    return " ".join(plain(text(record, key)).split()).casefold()
