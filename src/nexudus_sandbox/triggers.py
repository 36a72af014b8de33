"""What can be made to happen in a sandbox, for practice: each trigger does what people or systems would do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any, Literal

from nexudus_sandbox.erpnext import ERPNextDouble
from nexudus_sandbox.seed.places import STAGES, SYNC_USER
from nexudus_sandbox.wire import Request
from nexudus_sandbox.world import Sandbox

System = Literal["nexudus", "crm"]


@dataclass(frozen=True, slots=True)
class Told:
    """What was done, and what to try next; a line each."""

    did: list[str]
    next: list[str]


@dataclass(slots=True)
class Wanted:
    """How much of it: `times` records (None: the usual number), `seconds` of an outage, and where."""

    times: int | None = None
    seconds: int = 60
    system: System = "crm"


@dataclass(slots=True)
class Triggers:
    """Makes things happen in a sandbox, each to other records than before."""

    sandbox: Sandbox
    _used: set[str] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def pull(self, kind: str, wanted: Wanted) -> Told:
        """Make it happen. Raises KeyError for an unknown kind, ValueError when no record is left for it."""
        return KINDS[kind](self, wanted)

    def conflict(self, wanted: Wanted) -> Told:
        """Two people set one amount to different values."""
        maria, tom = self.sandbox.people
        did = []
        for card, row in self._pairs(wanted.times or 1):
            number = next(self._numbers)
            one, other = Decimal(5000 + 100 * number), Decimal(7000 + 100 * number)
            self.sandbox.nexudus.edit(card, maria.email, Value=one)
            self._crm.edit(row, tom.email, opportunity_amount=other)
            title = self.sandbox.nexudus.record(card)["Name"]
            did.append(
                f"“{title}” ({card} ⇄ {row}): {maria.first_name} set the amount to {one} in Nexudus, "
                f"{tom.first_name} to {other} in {self.sandbox.crm.title}."
            )
        return Told(
            did,
            [
                "nexudus-sync sync                       (not needed while `run` is running)",
                "nexudus-sync conflicts list",
                "nexudus-sync conflicts resolve ID --take crm, then sync again",
            ],
        )

    def failure(self, wanted: Wanted) -> Told:
        """Somebody uses a stage that the other system does not have."""
        _, tom = self.sandbox.people
        did = []
        for card, row in self._pairs(wanted.times or 1):
            stage = f"On hold {next(self._numbers)}"
            kind = "Sales Stage" if isinstance(self._crm, ERPNextDouble) else "sales-stage"
            self._crm.add(kind, tom.email, stage_name=stage)
            self._crm.move(row, stage, tom.email)
            title = self.sandbox.nexudus.record(card)["Name"]
            did.append(
                f"“{title}” ({card} ⇄ {row}): {tom.first_name} moved it to the new stage “{stage}” in "
                f"{self.sandbox.crm.title}, which Nexudus does not have."
            )
        return Told(
            did,
            [
                "nexudus-sync sync, then nexudus-sync failures list: the reason names the line to add to the mapping",
                "add it, or move the opportunity to another stage, and: nexudus-sync sync",
            ],
        )

    def delete(self, wanted: Wanted) -> Told:
        """Somebody deletes opportunities in the CRM."""
        _, tom = self.sandbox.people
        rows = self._rows(wanted.times or 1)
        for row in rows:
            self._crm.delete(row, tom.email)
        some = ", ".join(rows[:3]) + (f" and {len(rows) - 3:,} more" if len(rows) > 3 else "")
        return Told(
            [f"{tom.first_name} deleted {len(rows):,} in {self.sandbox.crm.title}: {some}."],
            [
                'nexudus-sync sync --reconcile: the pairs are closed, and the cards stay (deletes = "ignore")',
                "nexudus-sync links list",
                "a tenth of all pairs at once sets a brake: nexudus-sync sandbox trigger delete --times 60",
            ],
        )

    def outage(self, wanted: Wanted) -> Told:
        """A system does not answer for a while."""
        return self._fail(wanted, "error_500_before", "answers nothing but errors")

    def import_(self, wanted: Wanted) -> Told:
        """Somebody imports new amounts for most opportunities of the CRM."""
        _, tom = self.sandbox.people
        rows = self._rows(wanted.times or len(self._all()) * 6 // 10)
        for row in rows:
            self._crm.edit(row, tom.email, opportunity_amount=Decimal(1000 + next(self._numbers)))
        return Told(
            [f"{tom.first_name} imported new amounts for {len(rows):,} opportunities in {self.sandbox.crm.title}."],
            [
                "nexudus-sync sync: with 100 pairs or more, the brake mass-change stops it",
                "nexudus-sync brake show",
                "nexudus-sync brake release mass-change, then sync again: the amounts are carried over",
            ],
        )

    def restamp(self, wanted: Wanted) -> Told:
        """A job saves every opportunity of the CRM without changing one."""
        _, tom = self.sandbox.people
        rows = self._all() if wanted.times is None else self._rows(wanted.times)
        for row in rows:
            self._crm.touch(row, tom.email)
        return Told(
            [f"A job saved {len(rows):,} opportunities in {self.sandbox.crm.title} again; none of them changed."],
            ["nexudus-sync sync: it looks at the contents, sets no brake, and writes nothing"],
        )

    def rename(self, wanted: Wanted) -> Told:
        """Somebody renames a stage in Nexudus."""
        nexudus, maria, board = self.sandbox.nexudus, self.sandbox.people[0], self.sandbox.seeded.places.london.board_id
        stage = next(
            (
                row
                for row in nexudus.directory.stages.values()
                if row["CrmBoardId"] == board and row["Name"] in STAGES[2:4]
            ),
            None,
        )
        if stage is None:
            raise ValueError("both stages that can be renamed were; start the sandbox again")
        old, new = stage["Name"], f"{stage['Name']} ({next(self._numbers)})"
        nexudus.directory.amend("stages", stage["Id"], Name=new)
        return Told(
            [f"{maria.first_name} renamed the stage “{old}” to “{new}” in Nexudus. Its cards stay in it."],
            [
                "nexudus-sync sync: nothing is written",
                "nexudus-sync check: it says which line pairs the new name",
            ],
        )

    def move(self, wanted: Wanted) -> Told:
        """Somebody drags a card to the board of another location."""
        nexudus, maria, madrid = self.sandbox.nexudus, self.sandbox.people[0], self.sandbox.seeded.places.madrid
        did = []
        for card, row in self._pairs(wanted.times or 1):
            stage = nexudus.directory.first_stage(madrid.board_id)
            nexudus.edit(card, maria.email, CrmBoardColumnId=stage)
            title = nexudus.record(card)["Name"]
            did.append(f"“{title}” ({card} ⇄ {row}): {maria.first_name} dragged the card to Madrid's board.")
        return Told(did, ["nexudus-sync sync, then nexudus-sync links list: the pair sleeps until the card comes back"])

    def create(self, wanted: Wanted) -> Told:
        """Two people add one new opportunity, each in their own system."""
        nexudus, (maria, tom), london = self.sandbox.nexudus, self.sandbox.people, self.sandbox.seeded.places.london
        did = []
        for _ in range(wanted.times or 1):
            number = next(self._numbers)
            name, email, title = f"New Customer {number}", f"new.customer.{number}@example.com", f"Walk-in {number}"
            customer = nexudus.directory.add_coworker(email, name, london.business_id)
            stage = nexudus.directory.stage_named(london.board_id, STAGES[0])
            card = nexudus.create(maria.email, Name=title, CrmBoardColumnId=stage, CoworkerId=customer)
            lead_kind = "Lead" if isinstance(self._crm, ERPNextDouble) else "lead"
            lead = self._crm.add(lead_kind, tom.email, lead_name=name, email_id=email)
            row = self._crm.create(
                tom.email,
                opportunity_from="Lead",
                party_name=lead,
                title=title,
                contact_email=email,
                company=london.company,
                currency=london.currency,
                sales_stage=STAGES[0],
                transaction_date=nexudus.now().date().isoformat(),
            )
            did.append(
                f"“{title}”: {maria.first_name} added it in Nexudus ({card}), {tom.first_name} in "
                f"{self.sandbox.crm.title} ({row})."
            )
        return Told(did, ["nexudus-sync sync: the two are paired, and no third one is created"])

    def lock(self, wanted: Wanted) -> Told:
        """Somebody has an opportunity open in the CRM, so that others cannot save it; and it changes in Nexudus."""
        sandbox, (maria, tom) = self.sandbox, self.sandbox.people
        ((card, row),) = self._pairs(1)
        until = sandbox.nexudus.clock() + timedelta(seconds=wanted.seconds)

        def strikes(request: Request) -> bool:
            saves = request.is_write and not request.path.endswith(("/search", "/read"))
            return saves and row in f"{request.path}{request.body!r}" and sandbox.nexudus.clock() < until

        sandbox.crm_faults.add("locked_423", strikes, share=1.0)
        title = sandbox.nexudus.record(card)["Name"]
        sandbox.nexudus.edit(card, maria.email, Name=f"{title} (edited)")
        did = (
            f"“{title}” ({card} ⇄ {row}): {tom.first_name} has it open in {sandbox.crm.title} for {wanted.seconds} "
            f"seconds; {maria.first_name} changed its title in Nexudus."
        )
        return Told(
            [did],
            ["nexudus-sync sync: it waits a moment, and then the record is a failure; the others are not affected"],
        )

    def nonsense(self, wanted: Wanted) -> Told:
        """A system answers with a web page where data are expected."""
        return self._fail(wanted, "html", "answers every call with a web page")

    def role(self, wanted: Wanted) -> Told:
        """Somebody takes a role from the sync's user in Nexudus, and gives it back."""
        nexudus, taken = self.sandbox.nexudus, "CrmOpportunity-List"
        account = nexudus.login.account(SYNC_USER)
        before, account.roles = account.roles, nexudus.router.roles() - {taken}
        nexudus.later(wanted.seconds, lambda: setattr(account, "roles", before))
        return Told(
            [f"The sync's user lost the role {taken} in Nexudus for {wanted.seconds} seconds."],
            ["nexudus-sync sync: exit code 1, and the message names the role", "nexudus-sync check"],
        )

    def _fail(self, wanted: Wanted, fault: str, what: str) -> Told:
        sandbox = self.sandbox
        faults = sandbox.nexudus_faults if wanted.system == "nexudus" else sandbox.crm_faults
        name = "Nexudus" if wanted.system == "nexudus" else sandbox.crm.title
        until = sandbox.nexudus.clock() + timedelta(seconds=wanted.seconds)
        faults.add(fault, lambda _: sandbox.nexudus.clock() < until, share=1.0)
        return Told(
            [f"{name} {what} for {wanted.seconds} seconds."],
            [
                "nexudus-sync sync: exit code 1, and nothing is lost",
                "leave `run` running: it logs the problem, waits longer each time, and continues by itself",
            ],
        )

    @property
    def _crm(self) -> Any:
        return self.sandbox.crm.at_work

    def _pairs(self, times: int) -> list[tuple[int, str]]:
        """Pairs that say the same on both sides, are in progress, and were not used before."""
        nexudus, found = self.sandbox.nexudus.records(), []
        for card, row in self.sandbox.seeded.equal:
            if row not in self._used and row in self._crm.records() and nexudus.get(card, {}).get("Status") == 1:
                found.append((card, row))
        if len(found) < times:
            raise ValueError(f"only {len(found)} pairs are left for it; start a larger sandbox")
        self._used |= {row for _, row in found[:times]}
        return found[:times]

    def _all(self) -> list[str]:
        """The opportunities of London's company, as they are now."""
        company = self.sandbox.seeded.places.london.company
        return [row for row, record in self._crm.records().items() if record["company"] == company]

    def _rows(self, times: int) -> list[str]:
        """Opportunities that were not used before."""
        found = [row for row in self._all() if row not in self._used]
        if len(found) < times:
            raise ValueError(f"only {len(found)} opportunities are left for it; start a larger sandbox")
        return found[:times]


KINDS: dict[str, Callable[[Triggers, Wanted], Told]] = {
    "conflict": Triggers.conflict,
    "failure": Triggers.failure,
    "delete": Triggers.delete,
    "outage": Triggers.outage,
    "import": Triggers.import_,
    "restamp": Triggers.restamp,
    "rename": Triggers.rename,
    "move": Triggers.move,
    "create": Triggers.create,
    "lock": Triggers.lock,
    "nonsense": Triggers.nonsense,
    "role": Triggers.role,
}
"""What can be made to happen, by the word for it."""
