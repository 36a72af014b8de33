"""A world of a few records for the stateful test, quickly made empty again, and how its records read in plain words."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sim_desks import BEN
from sim_model import Values, word
from sim_people import ANA
from sim_world import SimWorld
from sqlmodel import SQLModel, select

from nexudus_sandbox.erpnext.site import Table
from nexudus_sync.engine.cycle import Options, run_cycle
from nexudus_sync.engine.report import Report
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict, Decision, Failure

REASONS = {1: "Timing", 4: "Price", 7: "Competition"}
STATUSES = {1: "Open", 2: "Converted", 3: "Lost"}
KEYS = {
    "title": "title", "status": "status", "sales_stage": "sales_stage", "opportunity_amount": "opportunity_amount",
    "expected_closing": "expected_closing", "opportunity_owner": "opportunity_owner", "utm_source": "utm_source",
    "utm_campaign": "utm_campaign",
}  # fmt: skip
CARD_KEYS = {"title": "Name", "opportunity_amount": "Value", "utm_source": "UtmSource", "utm_campaign": "UtmCampaign"}


class Office:
    """One world for all examples: `clear` takes all opportunities and everything the store knows away."""

    def __init__(self, folder: Path, system: str) -> None:
        self.world = SimWorld(3, folder, nexudus=0, crm=0, shared=0, system=system)
        if system == "overplane":
            self.world.crm.options.max_limit = 100
            self.world.crm.options.children_move_parent = True
        place = self.world.seeded.places
        self.board, self.business, self.owners = place.london.board_id, place.london.business_id, place.owners
        self.number = 0

    def clear(self, deletes: str) -> None:
        """An empty world, an hour later, with a new engine."""
        world = self.world
        for table in reversed(SQLModel.metadata.sorted_tables):
            with world.store.session() as session:
                session.execute(table.delete())
        cards = world.nexudus.cards
        for rows in (cards.rows, cards.listed, cards._slots, world.nexudus.directory.coworkers):
            rows.clear()
        self._clear_crm()
        world.nexudus.audit.entries.clear()
        for double in (world.nexudus, world.crm):
            double.changes.clear()
            double.log.clear()
        world.clock.seconds += 3600
        world.settings["deletes"] = deletes
        world.restart()

    def _clear_crm(self) -> None:
        crm = self.world.crm
        if self.world.desk.system == "erpnext":
            for kind in ("Opportunity", "Lead", "Customer", "Deleted Document"):
                crm.site.tables[kind] = Table()
            crm.site.series.clear()
            return
        for kind in ("opportunity", "lead", "customer", "opportunity-lost-reason-detail"):
            crm.objects.rows[kind].clear()
            crm.objects._children[kind].clear()

    def allow(self, doctypes: dict[str, Iterable[str | None]]) -> None:
        """Make sure that ERPNext has the documents that values link to; elsewhere they are plain text."""
        if self.world.desk.system == "erpnext":
            for doctype, names in doctypes.items():
                for name in filter(None, names):
                    self.world.crm.add(doctype, BEN, name=name)

    @property
    def lists_everything(self) -> bool:
        """Does every poll list all of the CRM's opportunities?"""
        return self.world.connection.connector(Side.CRM).traits.lists_everything

    def person(self) -> tuple[str, str]:
        """Somebody nobody has heard of: name and e-mail."""
        self.number += 1
        return f"person{self.number}", f"person{self.number}@example.org"

    def cycle(self, *, reconcile: bool = False) -> Report:
        """One cycle, a minute later."""

        async def work() -> Report:
            await self.world.engine.start()
            return await run_cycle(self.world.connection, Options(reconcile=reconcile))

        self.world.clock.seconds += 60
        return self.world.clock.run(work())

    # -- people -----------------------------------------------------------------------------------------------------

    def new_card(self, who: tuple[str, str], values: Values) -> str:
        """A person adds a card."""
        world = self.world
        customer = world.nexudus.directory.add_coworker(who[1], who[0], self.business)
        raw = {key: one for name, value in values.items() for key, one in self.card_keys(name, value).items()}
        return str(world.nexudus.create(ANA, CoworkerId=customer, **raw))

    def new_deal(self, who: tuple[str, str], values: Values) -> str:
        """A person adds an opportunity to the CRM."""
        raw = {key: one for name, value in values.items() for key, one in self.deal_keys(name, value).items()}
        deal = self.world.desk.create(who[0], **raw)
        if values["lost_reasons"] is not None:
            self.world.crm.set_lost_reasons(deal, [values["lost_reasons"]], BEN)
        return deal

    def know_of_lead(self, deal: str, source: str) -> Values:
        """A person enters where an opportunity's lead came from; gives what the server will fill in because of that."""
        crm = self.world.crm
        if self.world.desk.system != "erpnext":
            return {}
        crm.change("Lead", crm.record(deal)["party_name"], BEN, utm_source=source)
        return {"utm_source": source}

    def edit(self, side: Side, record_id: str, name: str, value: str | None, reasons: list[str]) -> None:
        """A person gives a field another value; `reasons` are the CRM's lost reasons after the first."""
        if side is Side.NEXUDUS:
            self.world.nexudus.edit(int(record_id), ANA, **self.card_keys(name, value))
        elif name == "lost_reasons":
            self.world.crm.set_lost_reasons(record_id, [value, *reasons] if value else [], BEN)
        else:
            self.world.crm.edit(record_id, BEN, **self.deal_keys(name, value))

    def touch(self, side: Side, record_id: str, number: int) -> None:
        """A person changes what does not travel."""
        if side is Side.NEXUDUS:
            self.world.nexudus.edit(int(record_id), ANA, Notes=f"note {number}")
        else:
            self.world.crm.edit(record_id, BEN, phone=f"+44 20 {number}")

    def delete(self, side: Side, record_id: str) -> None:
        """A person deletes a record."""
        if side is Side.NEXUDUS:
            self.world.nexudus.delete(int(record_id), ANA)
        else:
            self.world.crm.delete(record_id, BEN)

    def ask(self, kind: str, **args: Any) -> None:
        """A person asks for something at the command line."""
        with self.world.store.session() as session:
            asked_at = self.world.clock.now()
            session.add(Decision(connection="london", kind=kind, args=args, asked_at=asked_at))

    def resolve(self, ids: dict[Side, str], name: str, take: Side) -> None:
        """A person decides a conflict."""
        with self.world.store.session() as session:
            about = {"nexudus_id": ids[Side.NEXUDUS], "crm_id": ids[Side.CRM], "field": name}
            conflict = session.exec(select(Conflict).filter_by(**about).where(Conflict.state != "closed")).one()
            conflict.state, conflict.take = "resolved", take.value
            session.add(conflict)

    # -- plain words ------------------------------------------------------------------------------------------------

    def position(self) -> int:
        """A place of a board's column that nobody has: neighbours keep theirs."""
        self.number += 1
        return 1000 + self.number

    def card_keys(self, name: str, value: str | None) -> dict[str, Any]:
        """A value as Nexudus writes it."""
        match name:
            case "status":
                return {"Status": _key(STATUSES, word(value))}
            case "sales_stage":
                stage = self.world.nexudus.directory.stage_named(self.board, value or "")
                return {"CrmBoardColumnId": stage, "Position": self.position()}
            case "lost_reasons":
                return {"LossReason": _key(REASONS, value)}
            case "expected_closing":
                return {"DueDate": value and f"{value}T15:30:00Z"}
            case "opportunity_owner":
                return {"ResponsibleId": value and self.owners[value]}
            case "opportunity_amount":
                return {"Value": value and int(float(value))}
        return {CARD_KEYS[name]: value}

    def deal_keys(self, name: str, value: str | None) -> dict[str, Any]:
        """A value as the CRM writes it."""
        if name == "lost_reasons":
            return {}
        return {KEYS[name]: int(float(value)) if value and name == "opportunity_amount" else value}

    def cards(self) -> dict[str, Values]:
        """All cards in plain words."""
        stages = self.world.nexudus.directory.stages
        owner = {number: email for email, number in self.owners.items()}
        return {
            str(number): {
                "title": row["Name"],
                "status": STATUSES[row["Status"]],
                "sales_stage": stages[row["CrmBoardColumnId"]]["Name"],
                "lost_reasons": REASONS.get(row["LossReason"]),
                "opportunity_amount": _money(row["Value"]),
                "expected_closing": row["DueDate"] and row["DueDate"][:10],
                "opportunity_owner": owner.get(row["ResponsibleId"]),
                "utm_source": row["UtmSource"],
                "utm_campaign": row["UtmCampaign"],
            }
            for number, row in self.world.nexudus.cards.rows.items()
        }

    def deals(self) -> dict[str, dict[str, Any]]:
        """All opportunities in plain words, with the lost reasons after the first and the customer's e-mail besides."""
        found = {}
        for deal, row in self.world.crm.records().items():
            reasons = self.world.crm.lost_reasons(deal)
            said = {name: row[key] for name, key in KEYS.items()} | {"lost_reasons": reasons[0] if reasons else None}
            said["opportunity_amount"] = _money(said["opportunity_amount"])
            found[deal] = said | {"other reasons": reasons[1:], "e-mail": row["contact_email"]}
        return found

    def conflicts(self) -> dict[tuple[str, str, str], dict[Side, Any]]:
        """What is shown as a conflict: (card, opportunity, field) → what each side says; decided ones included."""
        with self.world.store.read() as session:
            rows = session.exec(select(Conflict).where(Conflict.state != "closed"))
            return {(c.nexudus_id, c.crm_id, c.field): {Side.NEXUDUS: c.nexudus, Side.CRM: c.crm} for c in rows}

    def failures(self) -> list[tuple[str, ...]]:
        """What could not be carried over: card, opportunity, field, kind, reason."""
        with self.world.store.read() as session:
            rows = session.exec(select(Failure).where(Failure.state == "open"))
            return [(f.nexudus_id, f.crm_id, f.field, f.kind, f.reason) for f in rows]


def _key(table: dict[int, str], value: str | None) -> int | None:
    return next((number for number, text in table.items() if text == value), None)


def _money(raw: Any) -> str | None:
    return f"{raw:.2f}" if raw else None
